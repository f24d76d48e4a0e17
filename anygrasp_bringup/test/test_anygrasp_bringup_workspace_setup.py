# SPDX-License-Identifier: Apache-2.0
import platform
import sys

import pytest

from anygrasp_bringup.workspace_setup import ros_source, system_packages
from anygrasp_bringup.workspace_setup.progress import SetupError, run_step
from anygrasp_bringup.workspace_setup.ros_source import find_ros
from anygrasp_bringup.workspace_setup.stage import Stage, fingerprint
from anygrasp_bringup.workspace_setup.torch_build import torch_build_hint


@pytest.fixture
def stage(tmp_path):
    """A stage that copies its input folder's text to a product."""
    source, product = tmp_path / "source", tmp_path / "product"
    source.mkdir()
    (source / "a.txt").write_text("1")
    return Stage("copy", "", lambda: ["x", source], product, lambda: product.write_text("made"))


def test_stage_is_done_until_an_input_or_the_product_changes(stage, tmp_path):
    stamps = tmp_path / "stamps"
    assert not stage.is_done(stamps)
    stage.carry_out(stamps)
    assert stage.is_done(stamps)
    (tmp_path / "source/a.txt").write_text("2")
    assert not stage.is_done(stamps)
    stage.carry_out(stamps)
    (tmp_path / "product").unlink()
    assert not stage.is_done(stamps)


def test_interrupted_stage_is_not_done(stage, tmp_path):
    def interrupted():
        raise KeyboardInterrupt

    stamps = tmp_path / "stamps"
    stage.carry_out(stamps)
    broken = Stage("copy", "", stage.inputs, stage.product, interrupted)
    with pytest.raises(KeyboardInterrupt):
        broken.carry_out(stamps)
    assert not stage.is_done(stamps)


def test_fingerprint_sees_new_renamed_and_changed_files(tmp_path):
    seen = {fingerprint([tmp_path])}
    for change in (
        lambda: (tmp_path / "a").write_text("1"),
        lambda: (tmp_path / "a").rename(tmp_path / "b"),
        lambda: (tmp_path / "b").write_text("2"),
        lambda: (tmp_path / "b").unlink() or (tmp_path / "c").write_text("2"),
    ):
        change()
        seen.add(fingerprint([tmp_path]))
    assert len(seen) == 5
    assert fingerprint(["a", "b"]) != fingerprint(["ab"])


def test_step_writes_everything_to_its_log(tmp_path, capsys):
    log = tmp_path / "logs/step.log"
    code = "import os, sys; print('out'); print(os.environ['EXTRA'], file=sys.stderr)"
    run_step("a step", [sys.executable, "-c", code], log, environment={"EXTRA": "err"})
    assert {"out", "err"} <= set(log.read_text().splitlines())
    assert "setup: a step: done (" in capsys.readouterr().err


def test_failed_step_shows_the_end_of_its_log(tmp_path):
    code = "for i in range(100): print('line', i)\nraise SystemExit(4)"
    with pytest.raises(SetupError) as failure:
        run_step("a step", [sys.executable, "-c", code], tmp_path / "step.log")
    assert "  | line 99" in str(failure.value)
    assert "line 50" not in str(failure.value)
    assert f"a step failed; full log: {tmp_path / 'step.log'}" in str(failure.value)


@pytest.fixture
def no_ros(monkeypatch):
    for name in ("ROS_DISTRO", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)


def test_wheels_serve_where_no_ros_is_sourced(no_ros):
    assert find_ros().distribution is None


def test_sourced_ros_is_used(monkeypatch, tmp_path):
    (tmp_path / "site/rclpy").mkdir(parents=True)
    (tmp_path / "share/tf2_msgs").mkdir(parents=True)
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}/other:{tmp_path}/site")
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    ros = find_ros()
    assert (ros.distribution, ros.has_tf2_msgs) == ("jazzy", True)
    monkeypatch.setenv("ROS_DISTRO", "humble")
    with pytest.raises(SetupError, match="ROS 2 humble is sourced, but Jazzy or later is needed"):
        find_ros()


def test_machine_without_wheels_is_told_to_source_ros(no_ros, monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(SetupError, match="aarch64, but ROS 2 on PyPI is for x86_64 only"):
        find_ros()


def test_python_without_wheels_is_refused(no_ros, monkeypatch):
    monkeypatch.setattr(ros_source, "_NEWEST_PYTHON", (3, 9))
    with pytest.raises(SetupError, match=r"but 3\.10, 3\.11 or 3\.12 is needed"):
        find_ros()


def test_old_c_library_is_refused(no_ros, monkeypatch):
    monkeypatch.setattr(ros_source, "_OLDEST_GLIBC", (99, 0))
    with pytest.raises(SetupError, match=r"but glibc 2\.35 or later is needed"):
        find_ros()


def missing(name, essential):
    return system_packages.SystemPackage(name, "does a thing", essential, lambda: False)


def test_missing_essential_package_stops_with_the_command(monkeypatch, tmp_path):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(system_packages, "SYSTEM_PACKAGES", (missing("g++", True), missing("libegl1", False)))
    with pytest.raises(SetupError, match=r"sudo sh -c 'apt-get update && apt-get install .* g\+\+ libegl1'"):
        system_packages.install_system_packages(tmp_path / "log")


def test_missing_optional_package_is_told_with_its_purpose(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(system_packages, "SYSTEM_PACKAGES", (missing("libegl1", False),))
    system_packages.install_system_packages(tmp_path / "log")
    assert "missing system package libegl1: does a thing" in capsys.readouterr().err


def test_this_machine_has_what_is_essential():
    assert [p.name for p in system_packages.SYSTEM_PACKAGES if p.essential and not p.is_there()] == []


def test_machine_without_a_gpu_is_told_of_the_small_torch(tmp_path):
    if platform.machine() != "x86_64":
        pytest.skip("only there PyPI's build brings CUDA")
    hint = torch_build_hint(tmp_path, tmp_path / "no_driver", {})
    assert hint is not None
    assert "PIP_EXTRA_INDEX_URL" in hint


@pytest.mark.parametrize("settled", ["gpu", "index chosen", "installed"])
def test_nothing_is_said_of_torch_where_it_is_settled(tmp_path, settled):
    driver = tmp_path / "driver"
    if settled == "gpu":
        driver.mkdir()
    if settled == "installed":
        (tmp_path / "torch").mkdir()
    environment = {"PIP_EXTRA_INDEX_URL": "https://example.invalid"} if settled == "index chosen" else {}
    assert torch_build_hint(tmp_path, driver, environment) is None
