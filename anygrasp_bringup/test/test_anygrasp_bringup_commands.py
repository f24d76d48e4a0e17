# SPDX-License-Identifier: Apache-2.0
import pytest

from anygrasp_bringup.commands import __main__ as commands
from anygrasp_bringup.commands import bin_picking


def arguments(*words):
    return bin_picking.launch_arguments(bin_picking.parse(words))


@pytest.fixture(autouse=True)
def no_screen(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)


def test_defaults_are_left_to_the_launch_file():
    assert arguments() == {"viewer": "false"}


def test_screen_opens_the_viewer_unless_headless(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    assert arguments() == {"viewer": "true"}
    assert arguments("--headless") == {"viewer": "false"}


def test_options_become_launch_arguments(tmp_path):
    words = [
        "--objects",
        "8",
        "--seed",
        "1",
        "--max-attempts",
        "5",
        "--view",
        "--report",
        f"{tmp_path}/r.json",
    ]
    assert arguments(*words) == {
        "objects": "8",
        "seed": "1",
        "max_attempts": "5",
        "viewer": "true",
        "report": f"{tmp_path}/r.json",
        "contact_sheet": f"{tmp_path}/r.png",
    }


def test_detector_and_weights_become_launch_arguments(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert arguments("--detector", "network", "--weights", "w.safetensors") == {
        "detector": "network",
        "weights": f"{tmp_path}/w.safetensors",
        "viewer": "false",
    }


def test_address_means_the_real_arm():
    assert arguments("--robot-ip", "10.0.0.2") == {"sim": "false", "robot_ip": "10.0.0.2", "viewer": "false"}


@pytest.mark.parametrize(
    "words", [["--objects", "0"], ["--detector", "none"], ["--view", "--headless"], ["--object", "three"]]
)
def test_bad_option_is_refused(words, capsys):
    with pytest.raises(SystemExit) as end:
        bin_picking.parse(words)
    assert end.value.code == 2
    assert "usage: ./run bin_picking" in capsys.readouterr().err


def test_help_lists_every_command(capsys):
    assert commands.main([]) == 0
    listing = capsys.readouterr().out
    assert all(f"  {name} " in listing for name in (*commands.COMMANDS, "setup", "help"))


def test_unknown_command_is_refused_with_the_nearest(capsys):
    assert commands.main(["bin_piking"]) == 2
    assert "did you mean 'bin_picking'" in capsys.readouterr().err
