# SPDX-License-Identifier: Apache-2.0
"""Messages survive the round trip; malformed ones are refused with the reason."""

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from rclpy.serialization import deserialize_message, serialize_message
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from anygrasp_msgs.msg import Grasp
from anygrasp_perception import ros_conversions as conversions
from anygrasp_perception.camera import CameraIntrinsics, FrameError
from anygrasp_perception.detector import DetectionResult
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.reject_reason import RejectCounts, RejectReason

HEADER = Header(stamp=Time(sec=7, nanosec=5), frame_id="camera_color_optical_frame")


def over_the_wire(message):
    return deserialize_message(serialize_message(message), type(message))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def group(rng):
    n = 5
    return GraspGroup.from_arrays(
        rotation_matrices=Rotation.random(n, random_state=1).as_matrix(),
        translations=rng.uniform(-1, 1, (n, 3)),
        widths=rng.uniform(0.01, 0.08, n),
        scores=np.linspace(1, 0, n),
        depths=np.full(n, 0.02),
    )


@pytest.mark.parametrize(
    ("encoding", "shape", "dtype"), [("rgb8", (4, 6, 3), np.uint8), ("mono8", (4, 6), np.uint8)]
)
def test_color_survives_the_wire(rng, encoding, shape, dtype):
    image = rng.integers(0, 255, shape).astype(dtype)
    message = over_the_wire(conversions.image_to_msg(image, encoding, HEADER))
    restored = conversions.color_from_msg(message)
    np.testing.assert_array_equal(restored, image if image.ndim == 3 else np.repeat(image[..., None], 3, 2))
    assert message.header == HEADER


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_depth_survives_the_wire(rng, dtype):
    depth = rng.uniform(0, 2000, (4, 6)).astype(dtype)
    encoding = "16UC1" if dtype is np.uint16 else "32FC1"
    message = over_the_wire(conversions.image_to_msg(depth, encoding, HEADER))
    np.testing.assert_array_equal(conversions.depth_from_msg(message), depth)


def test_bgra_becomes_rgb():
    message = conversions.image_to_msg(np.array([[[1, 2, 3, 255]]], np.uint8), "bgra8", HEADER)
    assert conversions.color_from_msg(message)[0, 0].tolist() == [3, 2, 1]


def test_row_padding_is_cut():
    message = Image(height=2, width=1, encoding="mono8", step=4, data=[1, 9, 9, 9, 2, 9, 9, 9])
    np.testing.assert_array_equal(conversions.mask_from_msg(message), [[True], [True]])
    assert conversions.color_from_msg(message)[:, 0, 0].tolist() == [1, 2]


def test_big_endian_depth_is_read():
    message = Image(height=1, width=1, encoding="16UC1", step=2, is_bigendian=1, data=[0x01, 0x02])
    assert conversions.depth_from_msg(message)[0, 0] == 0x0102


def test_wrong_encoding_lists_the_valid_ones():
    with pytest.raises(FrameError, match=r"yuv422.*rgb8"):
        conversions.color_from_msg(Image(height=1, width=1, encoding="yuv422", step=2, data=[0, 0]))


def test_short_data_is_refused():
    with pytest.raises(FrameError, match="640x480"):
        conversions.depth_from_msg(Image(height=480, width=640, encoding="16UC1", step=1280, data=[0] * 10))


def test_image_that_is_not_its_encoding_is_refused():
    with pytest.raises(ValueError, match="rgb8"):
        conversions.image_to_msg(np.zeros((2, 2), np.uint8), "rgb8", HEADER)


def test_empty_mask_means_no_mask():
    assert conversions.mask_from_msg(Image()) is None


def test_camera_info_round_trip():
    intrinsics = CameraIntrinsics(fx=600.0, fy=601.0, cx=320.0, cy=241.0, width=640, height=480)
    message = over_the_wire(conversions.intrinsics_to_camera_info(intrinsics, HEADER))
    assert conversions.camera_info_to_intrinsics(message) == intrinsics


def test_uncalibrated_camera_info_is_refused():
    with pytest.raises(ValueError, match="fx"):
        conversions.camera_info_to_intrinsics(CameraInfo(width=640, height=480))


def test_organised_cloud_survives_the_wire_with_its_holes(rng):
    points = rng.uniform(0, 1, (3, 4, 3)).astype(np.float32)
    points[1, 1] = np.nan
    colors = rng.integers(0, 255, (3, 4, 3)).astype(np.uint8)
    message = over_the_wire(conversions.cloud_to_msg(points, colors, HEADER))
    assert (message.height, message.width) == (3, 4)
    np.testing.assert_array_equal(conversions.cloud_from_msg(message), points.reshape(-1, 3))
    rgb = np.frombuffer(message.data, np.uint32).reshape(-1, 4)[:, 3]
    assert rgb[0] == (int(colors[0, 0, 0]) << 16) + (int(colors[0, 0, 1]) << 8) + int(colors[0, 0, 2])


def test_cloud_without_coordinates_is_refused():
    with pytest.raises(ValueError, match="no float32 field x, y, z"):
        conversions.cloud_from_msg(PointCloud2())


def test_grasps_survive_the_wire_within_float32(group):
    messages = [over_the_wire(m) for m in conversions.grasps_to_msgs(group)]
    restored = conversions.grasps_from_msg(messages)
    np.testing.assert_allclose(restored.rotation_matrices, group.rotation_matrices, atol=1e-9)
    np.testing.assert_allclose(restored.translations, group.translations, atol=1e-9)
    for name in ("widths", "heights", "depths", "scores"):
        np.testing.assert_allclose(getattr(restored, name), getattr(group, name), rtol=1e-6)
    assert np.isnan(restored.stable_scores).all()
    assert restored.object_ids.tolist() == [-1] * len(group)


def test_no_grasps_is_an_empty_group():
    assert len(conversions.grasps_from_msg([])) == 0


def test_grasp_without_orientation_is_refused():
    broken = Grasp()
    broken.pose.orientation.w = 0.0
    with pytest.raises(ValueError, match="quat_xyzw"):
        conversions.grasp_from_msg(broken)


def test_result_carries_reasons_and_durations(group):
    rejected = RejectCounts()
    rejected.add(RejectReason.COLLISION, 3)
    result = DetectionResult(
        grasps=group, candidates=8, rejected=rejected, durations_s={"total": 0.25}, detector="geometric"
    )
    message = over_the_wire(conversions.result_to_msg(result, HEADER))
    assert [(r.reason, r.count) for r in message.rejected] == [("collision", 3)]
    assert [(d.stage, d.duration_s) for d in message.durations] == [("total", 0.25)]
    assert (message.candidates, message.detector, message.header) == (8, "geometric", HEADER)
