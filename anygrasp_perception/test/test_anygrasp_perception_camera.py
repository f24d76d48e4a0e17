# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from anygrasp_perception.camera import (
    CameraIntrinsics,
    FrameError,
    RgbdFrame,
    depth_to_metres,
    depth_to_points,
    load_rgbd,
)

REALDATA = Path(__file__).resolve().parents[3] / "shared" / "realdata" / "single_objects"
SMALL = CameraIntrinsics(fx=100.0, fy=200.0, cx=1.0, cy=2.0, width=4, height=3)
VGA = CameraIntrinsics(fx=600.0, fy=600.0, cx=319.5, cy=239.5, width=640, height=480)


def make_depth(value=1.0):
    return np.full((3, 4), value, dtype=np.float32)


def test_pixel_to_point_by_hand():
    points = depth_to_points(make_depth(0.5), SMALL)
    np.testing.assert_allclose(points[2, 1], (0.0, 0.0, 0.5))
    np.testing.assert_allclose(points[0, 3], (0.5 * 2 / 100, 0.5 * -2 / 200, 0.5))


def test_projection_undoes_depth_to_points():
    points = depth_to_points(make_depth(0.7), SMALL)
    rows, columns = np.mgrid[:3, :4]
    np.testing.assert_allclose(SMALL.project(points), np.stack([columns, rows], axis=-1), atol=1e-4)


def test_points_behind_the_camera_have_no_pixel():
    pixels = SMALL.project([[0.1, 0.1, 1.0], [0.1, 0.1, 0.0], [0.1, 0.1, -1.0]])
    assert np.isfinite(pixels[0]).all()
    assert np.isnan(pixels[1:]).all()


def test_invalid_depth_gives_nan_points():
    depth = make_depth()
    depth[0] = 0.0, np.nan, np.inf, -1.0
    points = depth_to_points(depth, SMALL)
    assert np.isnan(points[0]).all()
    assert np.isfinite(points[1:]).all()


def test_depth_units():
    np.testing.assert_allclose(depth_to_metres(np.array([[1500, 0]], dtype=np.uint16)), [[1.5, 0.0]])
    np.testing.assert_allclose(depth_to_metres(np.array([[4000]], dtype=np.uint16), 0.00025), [[1.0]])
    metres = depth_to_metres(np.array([[1.5, np.nan, np.inf, -2.0]]))
    np.testing.assert_array_equal(metres, [[1.5, 0.0, 0.0, 0.0]])
    assert metres.dtype == np.float32


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.bool_, np.complex64])
def test_depth_of_another_encoding_is_refused(dtype):
    with pytest.raises(FrameError, match="depth must be uint16"):
        depth_to_metres(np.zeros((3, 4), dtype=dtype))


def test_depth_with_channels_is_refused():
    with pytest.raises(FrameError, match=r"shape \(H, W\), got \(3, 4, 3\)"):
        depth_to_metres(np.zeros((3, 4, 3), dtype=np.uint16))


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan])
def test_depth_scale_must_be_positive(scale):
    with pytest.raises(FrameError, match="depth scale must be positive"):
        depth_to_metres(np.zeros((3, 4), dtype=np.uint16), scale)


def test_cloud_keeps_valid_pixels_with_colour_and_place():
    depth = make_depth(0.5)
    depth[0, 0] = 0.0
    depth[1, 1] = np.nan
    color = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    cloud = RgbdFrame(color, depth, SMALL).cloud()
    assert len(cloud) == 10
    np.testing.assert_allclose(cloud.points[0], (0.0, 0.5 * -2 / 200, 0.5))
    np.testing.assert_array_equal(cloud.pixels[0], (1, 0))  # column, row
    np.testing.assert_allclose(cloud.colors, color[cloud.pixels[:, 1], cloud.pixels[:, 0]] / 255, atol=1e-6)
    organised = depth_to_points(depth, SMALL)
    np.testing.assert_array_equal(cloud.points, organised[np.isfinite(organised[..., 2])])


def test_frame_without_colour():
    cloud = RgbdFrame(None, make_depth(), SMALL).cloud()
    assert cloud.colors is None
    assert len(cloud) == 12


@pytest.mark.parametrize("value", [0.0, np.nan, -1.0, np.inf], ids=["zero", "nan", "negative", "infinite"])
def test_frame_without_valid_depth_is_refused(value):
    with pytest.raises(FrameError, match="no valid depth in 12 pixels"):
        RgbdFrame(None, make_depth(value), SMALL)


def test_empty_depth_image_is_refused():
    with pytest.raises(FrameError, match="depth image is empty"):
        RgbdFrame(None, np.zeros((0, 0), dtype=np.float32), SMALL)


def test_colour_and_depth_of_different_sizes_are_refused():
    with pytest.raises(FrameError, match="color 5x3 and depth 4x3 differ in size; align"):
        RgbdFrame(np.zeros((3, 5, 3), dtype=np.uint8), make_depth(), SMALL)


def test_depth_and_intrinsics_of_different_sizes_are_refused():
    with pytest.raises(FrameError, match=r"depth has shape \(3, 4\), the intrinsics are for \(480, 640\)"):
        RgbdFrame(None, make_depth(), VGA)


@pytest.mark.parametrize("dtype", [np.uint16, np.float64])
def test_depth_must_be_float32_metres(dtype):
    with pytest.raises(FrameError, match="depth_m must be float32 metres"):
        RgbdFrame(None, np.ones((3, 4), dtype=dtype), SMALL)


@pytest.mark.parametrize(
    "color", [np.zeros((3, 4), np.uint8), np.zeros((3, 4, 4), np.uint8), np.zeros((3, 4, 3), np.float32)]
)
def test_colour_of_another_encoding_is_refused(color):
    with pytest.raises(FrameError, match="color must be"):
        RgbdFrame(color, make_depth(), SMALL)


@pytest.mark.parametrize("name", ["fx", "fy", "width", "height"])
def test_zero_intrinsics_are_refused(name):
    values = {"fx": 600.0, "fy": 600.0, "cx": 320.0, "cy": 240.0, "width": 640, "height": 480}
    with pytest.raises(ValueError, match=f"CameraIntrinsics.{name} must be positive and finite, got 0"):
        CameraIntrinsics(**(values | {name: 0}))


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
@pytest.mark.parametrize("name", ["fx", "cy"])
def test_nonsense_intrinsics_are_refused(name, value):
    values = {"fx": 600.0, "fy": 600.0, "cx": 320.0, "cy": 240.0, "width": 640, "height": 480}
    with pytest.raises(ValueError, match=f"CameraIntrinsics.{name} must be positive and finite"):
        CameraIntrinsics(**(values | {name: value}))


def test_intrinsics_from_a_matrix():
    K = [600.0, 0, 320.0, 0, 610.0, 240.0, 0, 0, 1]
    camera = CameraIntrinsics.from_matrix(K, 640, 480)
    assert camera == CameraIntrinsics(600.0, 610.0, 320.0, 240.0, 640, 480)
    np.testing.assert_array_equal(camera.matrix, np.reshape(K, (3, 3)))


def test_unset_camera_matrix_is_refused():
    with pytest.raises(ValueError, match=r"CameraIntrinsics.fx must be positive"):
        CameraIntrinsics.from_matrix(np.zeros(9), 640, 480)


def test_matrix_of_another_size_is_refused():
    with pytest.raises(ValueError, match="K must have 9 entries"):
        CameraIntrinsics.from_matrix(np.eye(2), 640, 480)


@pytest.mark.parametrize("text", ["{}", "[1, 2]", "no json", '{"fx": "a"}', '{"fx": null}'])
def test_intrinsics_file_of_something_else_is_refused(tmp_path, text):
    path = tmp_path / "k.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"k\.json: not an intrinsics file"):
        CameraIntrinsics.from_json(path)


def write_frame(folder):
    depth = np.full((3, 4), 500, dtype=np.uint16)
    color = np.zeros((3, 4, 3), dtype=np.uint8)
    color[..., 2] = 200  # red in OpenCV's order
    cv2.imwrite(str(folder / "d.png"), depth)
    cv2.imwrite(str(folder / "c.png"), color)
    keys = {"fx": 100.0, "fy": 200.0, "cx": 1.0, "cy": 2.0, "width": 4, "height": 3, "more": "is ignored"}
    (folder / "k.json").write_text(json.dumps(keys))


def test_load_reads_metres_and_rgb(tmp_path):
    write_frame(tmp_path)
    frame = load_rgbd(tmp_path / "c.png", tmp_path / "d.png", tmp_path / "k.json")
    np.testing.assert_allclose(frame.depth_m, 0.5)
    np.testing.assert_array_equal(frame.color[0, 0], (200, 0, 0))
    assert frame.intrinsics == SMALL
    assert load_rgbd(None, tmp_path / "d.png", tmp_path / "k.json").color is None


def test_load_of_a_missing_file(tmp_path):
    write_frame(tmp_path)
    with pytest.raises(FileNotFoundError, match="no image at"):
        load_rgbd(tmp_path / "x.png", tmp_path / "d.png", tmp_path / "k.json")


def test_load_of_what_is_no_image(tmp_path):
    write_frame(tmp_path)
    (tmp_path / "c.png").write_text("text")
    with pytest.raises(FrameError, match="not an image"):
        load_rgbd(tmp_path / "c.png", tmp_path / "d.png", tmp_path / "k.json")


def test_load_of_eight_bit_depth(tmp_path):
    write_frame(tmp_path)
    cv2.imwrite(str(tmp_path / "d.png"), np.zeros((3, 4), dtype=np.uint8))
    with pytest.raises(FrameError, match="depth must be uint16"):
        load_rgbd(tmp_path / "c.png", tmp_path / "d.png", tmp_path / "k.json")


@pytest.mark.skipif(not REALDATA.is_dir(), reason="real camera frames (../shared/realdata) are not here")
def test_real_frame_becomes_a_cloud():
    name = REALDATA / "mustard"
    frame = load_rgbd(f"{name}_color.png", f"{name}_depth_mm.png", f"{name}_intrinsics.json")
    cloud = frame.cloud()
    assert 150_000 < len(cloud) < 250_000  # 35 to 40 % of the pixels are invalid
    assert cloud.points[:, 2].min() > 0.2
    assert cloud.points[:, 2].max() < 0.9
    pixels = frame.intrinsics.project(cloud.points)
    np.testing.assert_allclose(pixels, cloud.pixels, atol=1e-2)
