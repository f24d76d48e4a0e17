# SPDX-License-Identifier: Apache-2.0
"""`./run calibrate` on folders of rendered images: boards, files, verdicts, and clear refusals."""

import json
import re
import struct
from dataclasses import replace

import cv2
import numpy as np
import pytest

from anygrasp_bringup.config_files import load_config_file
from anygrasp_perception.calibration import cli
from anygrasp_perception.calibration.board import Board, BoardConfig, BoardKind
from anygrasp_perception.calibration.board_print import black_rectangles_m, draw_board
from anygrasp_perception.calibration.dataset import load_data, save_data
from anygrasp_perception.calibration.intrinsics_check import Verdict, check_intrinsics
from anygrasp_perception.calibration.rendering import ViewNoise, disturb_pose
from anygrasp_perception.calibration.synthetic_cell import random_cell
from anygrasp_perception.calibration.views import Setup
from anygrasp_perception.nodes.camera import CameraNodeConfig
from anygrasp_perception.se3 import inverse, make_transform, pose_to_transform

SETUP = Setup.EYE_TO_HAND


@pytest.fixture(scope="module")
def cell():
    return random_cell(SETUP, seed=5)


@pytest.fixture(scope="module")
def data(cell, tmp_path_factory):
    """Eight rendered views on disk, as `capture` writes them."""
    folder, rng, noise = tmp_path_factory.mktemp("data"), np.random.default_rng(5), ViewNoise()
    poses = {f"{i:02d}.png": cell.random_pose(rng) for i in range(8)}
    images = {name: cell.image(pose, noise, rng) for name, pose in poses.items()}
    reported = {name: disturb_pose(pose, noise, rng) for name, pose in poses.items()}
    save_data(folder, cell.board.config, cell.intrinsics, images, reported)
    return folder


def copied(data, tmp_path, **changes):
    """The folder with some of its JSON files changed by functions of their content."""
    for path in data.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for name, change in changes.items():
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(change(json.loads(path.read_text()))))
    return tmp_path


def test_solve_writes_what_the_camera_node_loads(cell, data, tmp_path, capsys):
    out, picture = tmp_path / "calibration.yaml", tmp_path / "residuals.png"
    words = ["solve", str(data), "--setup", "eye-to-hand", "--out", str(out), "--picture", str(picture)]
    assert cli.main(words) == 0
    camera = load_config_file(out, {"camera": CameraNodeConfig})["camera"]
    assert camera.mount_frame == "base"
    T_base_camera = pose_to_transform(camera.optical_xyz_m, camera.optical_quat_xyzw)
    difference = inverse(cell.T_mount_camera) @ T_base_camera
    assert np.linalg.norm(difference[:3, 3]) < 0.001
    assert cv2.imread(str(picture)).shape[1] == 1600
    report = capsys.readouterr().out
    assert "standard error" in report
    assert "static_transform_publisher" in report
    assert cli.main(["check", str(data), "--calibration", str(out)]) == 0
    assert capsys.readouterr().out.startswith("GOOD")


def test_check_says_no_to_another_camera(data, tmp_path, capsys):
    out = tmp_path / "calibration.yaml"
    assert cli.main(["solve", str(data), "--setup", "eye-to-hand", "--out", str(out)]) == 0
    text = out.read_text()
    x = float(re.search(r"optical_xyz_m: \[([-.\d]+)", text)[1])
    out.write_text(text.replace(f"[{x:.6f}", f"[{x + 0.01:.6f}", 1))
    assert cli.main(["check", str(data), "--calibration", str(out)]) == 1
    assert "BAD" in capsys.readouterr().out


def test_intrinsics_that_fit_match(data, capsys):
    assert cli.main(["intrinsics", str(data)]) == 0
    assert capsys.readouterr().out.startswith("MATCH")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda k: {**k, "fx": k["fx"] * 1.5, "fy": k["fy"] * 1.5}, r"1\.50 times the true ones"),
        (lambda k: {**k, "fx": k["fx"] * 1.02, "fy": k["fy"] * 1.02}, "do not fit the images"),
        (lambda k: {**k, "cx": k["cx"] + 12}, r"cx .*\+1[12]\.\d\d px"),
    ],
)
def test_wrong_intrinsics_are_told(data, tmp_path, capsys, change, words):
    folder = copied(data, tmp_path, intrinsics=change)
    assert cli.main(["intrinsics", str(folder)]) == 1
    report = capsys.readouterr().out
    assert report.startswith("DIFFER")
    assert re.search(words, report)


def corners_seen(cell, rng, count=12, distort=None):
    """Corners by projection; `distort`: radial coefficients of a lens that nobody has undone."""
    found = []
    for i in range(count):
        view = cell.projected_view(str(i), cell.random_pose(rng), rng)
        pixels = view.corners.pixels
        if distort is not None:
            K = cell.intrinsics
            rays = (pixels - (K.cx, K.cy)) / (K.fx, K.fy)
            r2 = (rays**2).sum(1, keepdims=True)
            pixels = rays * (1 + distort[0] * r2 + distort[1] * r2**2) * (K.fx, K.fy) + (K.cx, K.cy)
        found.append(replace(view.corners, pixels=pixels))
    return found


def test_images_that_are_not_rectified_are_told(cell):
    seen = corners_seen(cell, np.random.default_rng(1), distort=(0.15, -0.3))
    result = check_intrinsics(cell.board, cell.intrinsics, seen)
    assert result.verdict is Verdict.DISTORTED
    assert "rectified" in result.describe()


def test_views_from_the_front_alone_do_not_decide(cell):
    rng = np.random.default_rng(1)
    T_camera_board = make_transform(np.eye(3), np.array([0.0, 0.0, 0.6]) - cell.board.center_m)
    pose = cell.setup.T_mount_carrier(cell.T_mount_camera @ T_camera_board @ inverse(cell.T_carrier_board))
    seen = [cell.projected_view(str(i), pose, rng).corners for i in range(5)]
    wrong = replace(cell.intrinsics, fx=630.0, fy=629.0)
    assert check_intrinsics(cell.board, wrong, seen).verdict is not Verdict.MATCH


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"poses": lambda p: {n: {**e, "xyz_m": [1e3 * v for v in e["xyz_m"]]} for n, e in p.items()}},
            "millimetres",
        ),
        (
            {"poses": lambda p: {n: {"xyz_m": e["xyz_m"], "rotvec_rad": [0, 90, 0]} for n, e in p.items()}},
            "degrees",
        ),
        ({"poses": lambda p: {n: {**e, "quat_xyzw": [0, 0, 0, 0]} for n, e in p.items()}}, "norm 1"),
        ({"poses": lambda p: {n: {"xyz_m": e["xyz_m"]} for n, e in p.items()}}, "quat_xyzw"),
        ({"poses": lambda p: {**p, "99.png": next(iter(p.values()))}}, "99.png is not there"),
        ({"poses": lambda p: dict(list(p.items())[:3])}, "3 views with the board"),
        ({"poses": lambda _: []}, "JSON object"),
        ({"intrinsics": lambda k: {**k, "width": 1280, "height": 720}}, "for 1280x720"),
        ({"intrinsics": lambda k: {**k, "fx": 0}}, "fx"),
        ({"board": lambda b: {**b, "square_m": 28}}, "28 mm is 0.028"),
        (
            {"board": lambda b: {**b, "dictionary": "DICT_6X6_100"}},
            "markers of DICT_5X5 are seen: give --dictionary DICT_5X5_50",
        ),
        ({"board": lambda b: {**b, "columns": 5, "rows": 4}}, "true --columns and --rows"),
    ],
)
def test_mistake_in_the_data_is_named(data, tmp_path, capsys, changes, words):
    out = tmp_path / "out.yaml"
    folder = copied(data, tmp_path, **changes)
    assert cli.main(["solve", str(folder), "--setup", "eye-to-hand", "--out", str(out)]) == 2
    assert re.search(words, capsys.readouterr().err)
    assert not out.exists()


def test_mirrored_images_are_named(data, tmp_path, capsys):
    folder = copied(data, tmp_path)
    for path in folder.glob("*.png"):
        cv2.imwrite(str(path), cv2.imread(str(path))[:, ::-1])
    assert cli.main(["solve", str(folder), "--setup", "eye-to-hand"]) == 2
    assert "mirrored" in capsys.readouterr().err


def test_images_without_the_board_are_named(data, tmp_path, capsys):
    folder = copied(data, tmp_path)
    for path in folder.glob("*.png"):
        cv2.imwrite(str(path), np.full((480, 640, 3), 90, np.uint8))
    assert cli.main(["solve", str(folder), "--setup", "eye-to-hand"]) == 2
    assert "no marker is seen" in capsys.readouterr().err


def test_missing_folder_is_named(tmp_path, capsys):
    assert cli.main(["solve", str(tmp_path), "--setup", "eye-to-hand"]) == 2
    assert "has no intrinsics.json" in capsys.readouterr().err


@pytest.mark.parametrize("kind", list(BoardKind))
def test_printed_board_is_the_one_that_is_looked_for(kind):
    board = Board(BoardConfig(kind=kind, columns=6, rows=4))
    px_per_mm, margin_mm = 4.0, 10.0
    found = board.find(draw_board(board.config, px_per_mm, margin_mm))
    assert len(found) == len(board.points_m)
    at = (board.points_m[found.ids, :2] * 1e3 + margin_mm) * px_per_mm - 0.5
    assert np.abs(found.pixels - at).max() < 1.0


def test_pdf_has_the_true_size(tmp_path, capsys):
    path, config = tmp_path / "board.pdf", BoardConfig()
    assert cli.main(["board", "--out", str(path)]) == 0
    assert "at 100 %" in capsys.readouterr().out
    content = path.read_bytes()
    size = [float(v) for v in re.search(rb"MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", content).groups()]
    np.testing.assert_allclose(np.array(size) / 72 * 25.4, [297, 210], atol=0.01)
    drawn = np.array(
        [[float(v) for v in m] for m in re.findall(rb"([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+) re", content)]
    )
    assert len(drawn) == len(black_rectangles_m(config))
    right, left = (drawn[:, 0] + drawn[:, 2]).max(), drawn[:, 0].min()
    assert (right - left) / 72 * 25.4 == pytest.approx(config.size_m[0] * 1e3, abs=0.01)
    start = int(re.search(rb"startxref\n(\d+)", content)[1])
    assert content[start:].startswith(b"xref")
    offsets = [int(line) for line in re.findall(rb"(\d{10}) 00000 n", content)]
    assert all(content[o:].startswith(b"%d 0 obj" % n) for n, o in enumerate(offsets, 1))


def test_png_carries_its_resolution(tmp_path):
    path = tmp_path / "board.png"
    assert cli.main(["board", "--out", str(path), "--columns", "4", "--rows", "3"]) == 0
    content = path.read_bytes()
    at = content.index(b"pHYs")
    per_metre = struct.unpack(">I", content[at + 4 : at + 8])[0]
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert image.shape[1] / per_metre == pytest.approx(4 * 0.028 + 0.02, abs=1e-4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "board.svg"], ".pdf or .png"),
        (["--square", "28"], "give metres"),
        (["--columns", "40", "--rows", "30"], "only 100"),
        (["--columns", "100", "--rows", "2"], "at least 3x3"),
        (["--square", "0.3", "--columns", "5", "--rows", "5"], "fits on no paper"),
    ],
)
def test_board_that_cannot_be_printed_is_refused(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["board", *words]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_data_is_read_back_as_it_was_saved(cell, data):
    loaded = load_data(data)
    assert loaded.intrinsics == cell.intrinsics
    assert len(loaded.images) == len(loaded.poses) == 8
