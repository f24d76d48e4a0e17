# SPDX-License-Identifier: Apache-2.0
"""The tracking node on images of a camera that moves: detector, colours, TF and tracker together."""

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from tracking_bench import FRAME, TrackingBench, seconds

from anygrasp_msgs.msg import TrackedGrasp
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.ros_conversions import image_to_msg, intrinsics_to_camera_info

INTRINSICS = CameraIntrinsics(fx=300.0, fy=300.0, cx=159.5, cy=119.5, width=320, height=240)
BOX_M = (0.02, 0.04)  # half of its length in x and y; 6 cm high on a table 0.6 m below the camera


def scene(camera_x_m):
    """Colour and depth of a red box at the origin of `base`, from a camera above `camera_x_m`."""
    column, row = np.meshgrid(np.arange(320), np.arange(240))
    x = (column - INTRINSICS.cx) / INTRINSICS.fx * 0.54 + camera_x_m
    y = (row - INTRINSICS.cy) / INTRINSICS.fy * 0.54
    on_box = (np.abs(x) <= BOX_M[0]) & (np.abs(y) <= BOX_M[1])
    color = np.where(on_box[..., None], (200, 40, 40), (120, 120, 120)).astype(np.uint8)
    return color, np.where(on_box, 0.54, 0.6).astype(np.float32)


class ImageBench(TrackingBench):
    """The bench of the tracking node with a camera on top."""

    def __init__(self, **parameters):
        super().__init__(**parameters)
        prefix = "/camera/camera"
        self.info = self.node.create_publisher(CameraInfo, f"{prefix}/color/camera_info", 5)
        self.color = self.node.create_publisher(Image, f"{prefix}/color/image_raw", 5)
        self.depth = self.node.create_publisher(Image, f"{prefix}/aligned_depth_to_color/image_raw", 5)
        self.sender = self.node.create_publisher(TFMessage, "/tf", 10)

    def look(self, camera_x_m, *, info=True, transform=True, depth=None):
        """Send an image from above `camera_x_m`, 0.1 s after the last one."""
        self.time_s = round(self.time_s + 0.1, 3)
        stamp = Time(sec=int(self.time_s), nanosec=round((self.time_s % 1) * 1e9))
        header = Header(stamp=stamp, frame_id=FRAME)
        if transform:  # looks straight down: x as in base, y and z against it
            sent = TransformStamped(header=Header(stamp=stamp, frame_id="base"), child_frame_id=FRAME)
            sent.transform.translation.x, sent.transform.translation.z = camera_x_m, 0.6
            sent.transform.rotation.x, sent.transform.rotation.w = 1.0, 0.0
            self.sender.publish(TFMessage(transforms=[sent]))
        if info:
            self.info.publish(intrinsics_to_camera_info(INTRINSICS, header))
        color, seen = scene(camera_x_m)
        self.color.publish(image_to_msg(color, "rgb8", header))
        self.depth.publish(image_to_msg(seen if depth is None else depth, "32FC1", header))
        return seconds(stamp)

    def told(self, stamp_s):
        return self.tracked.find(lambda m: abs(seconds(m.header.stamp) - stamp_s) < 1e-6)

    def look_until_told(self, camera_x_m):
        """Best-effort images may be lost before the ends know each other."""
        while not self.tracked.messages:
            self.look(camera_x_m)
            self.tracked.wait(0.5)
        return self.tracked.messages[-1]


@pytest.fixture(scope="module")
def bench():
    bench = ImageBench(fixed_frame="base", follow_best=1, policy="appearance", look_ahead_s=0.3)
    yield bench
    bench.close()


def test_images_before_any_camera_info_are_dropped_and_counted(bench):
    while "dropped.bad_camera_info" not in bench.values(bench.diagnostics.newest()):
        bench.look(0.0, info=False)
        bench.diagnostics.wait(0.5)
    assert bench.tracked.messages == []


def test_what_stands_still_stays_in_its_place_while_the_camera_moves(bench):
    bench.look_until_told(0.0)
    (first,) = bench.told(bench.look(0.0)).grasps
    (second,) = bench.told(bench.look(0.03)).grasps
    assert second.track_id == first.track_id
    assert second.state == TrackedGrasp.TRACKED
    moved = second.grasp.pose.position.x - first.grasp.pose.position.x
    assert moved == pytest.approx(-0.03, abs=0.012)  # in the camera's frame
    sent = bench.tf.find(
        lambda m: (
            m.transforms[0].child_frame_id == "grasp_target"
            and abs(seconds(m.transforms[0].header.stamp) - bench.time_s) < 1e-6
        )
    )
    assert {t.header.frame_id for t in sent.transforms} == {"base"}
    at = sent.transforms[0].transform.translation
    assert abs(at.x) < BOX_M[0] + 0.01
    assert abs(at.y) < BOX_M[1] + 0.01
    assert 0.0 < at.z < 0.07


def test_depth_that_is_none_is_dropped_and_the_target_is_kept(bench):
    (before,) = bench.told(bench.look(0.0)).grasps
    bench.look(0.0, depth=np.zeros((240, 320), np.float32))
    assert int(bench.diagnosis(dropped__bad_image=1)["dropped.bad_image"]) == 1
    (after,) = bench.told(bench.look(0.0)).grasps
    assert after.track_id == before.track_id


def test_an_image_without_a_transform_is_dropped_and_counted(bench):
    while "dropped.tf_unavailable" not in bench.values(bench.diagnostics.newest()):
        bench.look(0.0, transform=False)  # again: an image may be lost on its way
        bench.diagnostics.wait(2.0)
    assert bench.told(bench.look(0.0)).grasps
