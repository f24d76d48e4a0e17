# SPDX-License-Identifier: Apache-2.0
"""The camera node publishes a folder of images under realsense-ros' names, and outlives a missing camera."""

import json
import threading

import cv2
import numpy as np
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image

from anygrasp_bringup.nodes.qos import SENSOR_DATA
from anygrasp_bringup.nodes.tf import TransformBuffer, TransformListener
from anygrasp_perception.nodes.camera import CameraNode
from anygrasp_perception.ros_conversions import depth_from_msg

TIMEOUT_S = 30.0
PREFIX = "/camera/camera"
TOPICS = {
    f"{PREFIX}/color/image_raw": Image,
    f"{PREFIX}/aligned_depth_to_color/image_raw": Image,
    f"{PREFIX}/color/camera_info": CameraInfo,
}


class Bench:
    """A camera node started with parameters, and a node that waits for its messages."""

    def __init__(self, parameters):
        overrides = [part for name, value in parameters.items() for part in ("-p", f"{name}:={value}")]
        rclpy.init(args=["--ros-args", *overrides])
        self.camera = CameraNode()
        self.node = rclpy.create_node("bench")
        self.messages = {}
        self.complete = threading.Event()
        for topic, kind in TOPICS.items():
            self.node.create_subscription(
                kind, topic, lambda message, topic=topic: self._take(topic, message), SENSOR_DATA
            )
        self.buffer = TransformBuffer(node=self.node)
        self.listener = TransformListener(self.buffer, self.node)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.camera)
        self.executor.add_node(self.node)
        self.thread = threading.Thread(target=self.executor.spin)
        self.thread.start()

    def _take(self, topic, message):
        self.messages.setdefault(message.header.stamp.nanosec, {})[topic] = message
        if len(self.messages[message.header.stamp.nanosec]) == len(TOPICS):
            self.frame = self.messages[message.header.stamp.nanosec]
            self.complete.set()

    def close(self):
        self.executor.shutdown()
        self.thread.join(TIMEOUT_S)
        self.camera.destroy_node()
        self.node.destroy_node()
        rclpy.shutdown()


@pytest.fixture
def start():
    benches = []

    def start(**parameters):
        benches.append(Bench(parameters))
        return benches[-1]

    yield start
    for bench in benches:
        bench.close()


@pytest.fixture
def image_folder(tmp_path):
    cv2.imwrite(str(tmp_path / "box_color.png"), np.full((4, 6, 3), 90, np.uint8))
    cv2.imwrite(str(tmp_path / "box_depth_mm.png"), np.full((4, 6), 500, np.uint16))
    intrinsics = {"fx": 5.0, "fy": 5.0, "cx": 3.0, "cy": 2.0, "width": 6, "height": 4}
    (tmp_path / "box_intrinsics.json").write_text(json.dumps(intrinsics))
    return tmp_path


def test_images_and_info_carry_one_stamp_and_the_optical_frame(start, image_folder):
    bench = start(folder=image_folder, mount_frame="base", mount_xyz_m="[0.0, 0.0, 0.7]")
    assert bench.complete.wait(TIMEOUT_S)
    color, depth, info = (bench.frame[topic] for topic in TOPICS)
    assert {message.header.frame_id for message in (color, depth, info)} == {"camera_color_optical_frame"}
    assert color.encoding == "rgb8"
    assert depth_from_msg(depth)[0, 0] == 500
    assert (info.k[0], info.width) == (5.0, 6)
    T_base_camera = bench.buffer.lookup_matrix("base", "camera_color_optical_frame", Time())
    np.testing.assert_allclose(T_base_camera[:3, 3], [0.0, 0.0, 0.7])


def test_a_camera_that_is_missing_is_looked_for_again(start, tmp_path, image_folder):
    missing = tmp_path / "later"
    bench = start(folder=missing, retry_s=0.05)
    assert not bench.complete.wait(0.3)
    image_folder.joinpath("later").mkdir()
    for path in image_folder.glob("box_*"):
        path.rename(missing / path.name)
    assert bench.complete.wait(TIMEOUT_S)
