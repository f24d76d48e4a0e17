# SPDX-License-Identifier: Apache-2.0

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from synthetic_scene import CAMERA, CAMERA_HEIGHT_M, Box, photograph
from tiny_network import tiny_network

from anygrasp_perception import cli
from anygrasp_perception.grasp_io import load_metadata, load_npz
from anygrasp_perception.network import save_network

INTRINSICS = {"fx": CAMERA.fx, "fy": CAMERA.fy, "cx": CAMERA.cx, "cy": CAMERA.cy, "width": 320, "height": 240}
LEFT, RIGHT = Box((0.03, 0.07, 0.05), (-0.06, 0.0)), Box((0.03, 0.07, 0.05), (0.06, 0.0))


@pytest.fixture
def folder(tmp_path):
    frame = photograph(LEFT, RIGHT, noise_m=0.001)
    cv2.imwrite(str(tmp_path / "color.png"), frame.color)
    cv2.imwrite(str(tmp_path / "depth.png"), np.round(1000 * frame.depth_m).astype(np.uint16))
    (tmp_path / "K.json").write_text(json.dumps(INTRINSICS))
    return tmp_path


def run(folder, *extra, color="color.png", depth="depth.png", intrinsics="K.json"):
    arguments = ["--detector", "geometric", "--depth", str(folder / depth)]
    if color:
        arguments += ["--color", str(folder / color)]
    if intrinsics:
        arguments += ["--intrinsics", str(folder / intrinsics)]
    return cli.main([*arguments, *map(str, extra)])


def fails_with(capsys, code, *words):
    error = capsys.readouterr().err
    assert code == 2
    assert error.startswith("detect: ")
    assert "Traceback" not in error
    for word in words:
        assert word in error


def test_writes_grasps_picture_and_table(folder, capsys):
    assert run(folder, "--out", folder / "grasps.npz", "--picture", folder / "grasps.png", "--top", 3) == 0
    grasps, text = load_npz(folder / "grasps.npz"), capsys.readouterr().out
    assert len(grasps) >= 20
    assert text.startswith(f"{len(grasps)} grasps of ")
    assert "rejected: " in text
    assert f"{1e3 * grasps.widths[0]:.1f}" in text
    assert len([line for line in text.splitlines() if line.lstrip()[:1] in "123" and " 0." in line]) == 3
    assert load_metadata(folder / "grasps.npz")["detector"] == "geometric"
    picture, color = (cv2.imread(str(folder / name)) for name in ("grasps.png", "color.png"))
    assert picture.shape == color.shape
    assert (picture != color).any()
    assert {path.name for path in folder.iterdir()} == {
        "color.png",
        "depth.png",
        "K.json",
        "grasps.npz",
        "grasps.png",
    }


def test_camera_in_numbers_without_colour(folder):
    numbers = [word for name in ("fx", "fy", "cx", "cy") for word in (f"--{name}", INTRINSICS[name])]
    with_file, with_numbers = folder / "a.npz", folder / "b.npz"
    assert run(folder, "--out", with_file) == 0
    assert (
        run(folder, *numbers, "--out", with_numbers, "--picture", folder / "p.jpg", color="", intrinsics="")
        == 0
    )
    np.testing.assert_array_equal(load_npz(with_file).translations, load_npz(with_numbers).translations)
    assert (folder / "p.jpg").stat().st_size > 0


def test_depth_scale(folder):
    depth = cv2.imread(str(folder / "depth.png"), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(folder / "fine.png"), 10 * depth)
    assert run(folder, "--out", folder / "a.npz", "--max-grasps", 5) == 0
    assert (
        run(folder, "--depth-scale", 0.0001, "--out", folder / "b.npz", "--max-grasps", 5, depth="fine.png")
        == 0
    )
    for name in ("a.npz", "b.npz"):
        depths = load_npz(folder / name).translations[:, 2]  # on the tops of the boxes, in metres either way
        np.testing.assert_allclose(depths, CAMERA_HEIGHT_M - 0.05, atol=0.01)


def test_region_mask_approach_and_count_restrict(folder):
    mask = np.zeros((240, 320), np.uint8)
    mask[:, 160:] = 255
    cv2.imwrite(str(folder / "mask.png"), mask)
    for name, words in {
        "mask": ["--mask", folder / "mask.png"],
        "region": ["--region", 0, -0.1, 0.4, 0.1, 0.1, 0.7],
    }.items():
        out = folder / f"{name}.npz"
        assert (
            run(folder, *words, "--approach", 0, 0, 1, "--cone-deg", 20, "--max-grasps", 4, "--out", out) == 0
        )
        grasps = load_npz(out)
        assert 0 < len(grasps) <= 4
        assert (grasps.translations[:, 0] > 0).all()
        assert (grasps.approaches[:, 2] > np.cos(np.deg2rad(20)) - 1e-9).all()


def test_same_seed_writes_the_same_grasps(folder):
    for name in ("a.npz", "b.npz"):
        assert run(folder, "--seed", 5, "--out", folder / name) == 0
    first, again = load_npz(folder / "a.npz"), load_npz(folder / "b.npz")
    np.testing.assert_array_equal(first.rotation_matrices, again.rotation_matrices)


def test_the_network_with_weights_of_ones_own(folder, capsys):
    save_network(tiny_network(), folder / "w.safetensors")
    words = ["--detector", "network", "--weights", folder / "w.safetensors", "--out", folder / "grasps.npz"]
    assert run(folder, *words) == 0
    assert load_metadata(folder / "grasps.npz")["detector"] == "network"
    assert "cylinders" in capsys.readouterr().out


def test_weights_that_cannot_be_used(folder, capsys):
    (folder / "w.safetensors").write_bytes(b"weights")
    words = ["--detector", "network", "--weights", folder / "w.safetensors"]
    fails_with(capsys, run(folder, *words), "w.safetensors", "not a safetensors file", "geometric")


def test_no_grasp_is_an_answer_with_reasons(folder, capsys):
    flat = np.full((240, 320), round(1000 * CAMERA_HEIGHT_M), np.uint16)
    cv2.imwrite(str(folder / "flat.png"), flat)
    assert run(folder, "--out", folder / "none.npz", depth="flat.png") == 0
    assert "0 grasps of" in (text := capsys.readouterr().out)
    assert "no_contact" in text
    assert len(load_npz(folder / "none.npz")) == 0


def test_help_teaches_by_example(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert "./run detect --color C.png --depth D.png --intrinsics K.json" in text
    assert "--region" in text


def test_depth_is_required(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([])
    assert stop.value.code == 2
    assert "--depth" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["color", "depth", "intrinsics"])
def test_missing_file(folder, capsys, name):
    fails_with(capsys, run(folder, **{name: "nowhere.png"}), "nowhere.png")


def test_file_that_is_no_image(folder, capsys):
    fails_with(capsys, run(folder, depth="K.json"), "K.json", "not an image")


def test_sizes_that_differ(folder, capsys):
    cv2.imwrite(str(folder / "small.png"), np.zeros((120, 160, 3), np.uint8))
    fails_with(capsys, run(folder, color="small.png"), "160x120", "320x240")


def test_zero_intrinsics(folder, capsys):
    (folder / "zero.json").write_text(json.dumps(INTRINSICS | {"fx": 0.0}))
    fails_with(capsys, run(folder, intrinsics="zero.json"), "fx", "0.0")


def test_invalid_depth_everywhere(folder, capsys):
    cv2.imwrite(str(folder / "blind.png"), np.zeros((240, 320), np.uint16))
    fails_with(capsys, run(folder, depth="blind.png"), "no valid depth")


def test_camera_unknown(folder, capsys):
    fails_with(capsys, run(folder, "--fx", 600, intrinsics=""), "--intrinsics")


def test_camera_given_twice(folder, capsys):
    fails_with(capsys, run(folder, "--fx", 600), "not both")


def test_mask_of_another_size(folder, capsys):
    cv2.imwrite(str(folder / "mask.png"), np.zeros((10, 20), np.uint8))
    fails_with(capsys, run(folder, "--mask", folder / "mask.png"), "(20, 10)", "(320, 240)")


def test_zero_approach(folder, capsys):
    fails_with(capsys, run(folder, "--approach", 0, 0, 0), "approach")


def test_folder_that_does_not_exist(folder, capsys):
    fails_with(capsys, run(folder, "--out", folder / "no" / "grasps.npz"), "no folder")


def test_picture_of_unknown_kind(folder, capsys):
    fails_with(capsys, run(folder, "--picture", folder / "grasps.txt"), ".png or .jpg")


def test_negative_count_of_lines(folder, capsys):
    fails_with(capsys, run(folder, "--top", -1), "--top")


def test_interrupted_writing_leaves_the_old_file_whole(folder, capsys, monkeypatch):
    out = folder / "grasps.npz"
    out.write_bytes(b"old")

    def interrupted(path, *_, **__):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "save_npz", interrupted)
    assert run(folder, "--out", out) == 130
    assert "interrupted" in capsys.readouterr().err
    assert out.read_bytes() == b"old"
    assert {path.name for path in folder.iterdir()} == {"color.png", "depth.png", "K.json", "grasps.npz"}


def test_runs_as_a_module(folder):
    arguments = [
        "--detector",
        "geometric",
        "--depth",
        folder / "depth.png",
        "--intrinsics",
        folder / "none.json",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "anygrasp_perception.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert "none.json" in done.stderr


def test_reader_that_stops_early_is_no_error(folder):
    arguments = [
        "--detector",
        "geometric",
        "--depth",
        folder / "depth.png",
        "--intrinsics",
        folder / "K.json",
        "--out",
        folder / "g.npz",
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "anygrasp_perception.cli", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        assert process.wait(timeout=120) == 0
        assert process.stderr.read() == b""
    assert len(load_npz(folder / "g.npz")) > 0
