# SPDX-License-Identifier: Apache-2.0
"""The examples for other stacks run as their own programs, against a real detection node over DDS."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from anygrasp_bringup.nodes.executors import MultiThreadedExecutor
from anygrasp_bringup.nodes.tf import StaticTransformBroadcaster
from anygrasp_bringup.nodes.transform_conversions import transform_to_stamped_msg
from anygrasp_msgs.msg import GraspArray
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.nodes.grasp_detection import GraspDetectionNode
from anygrasp_perception.ros_conversions import grasps_from_msg, image_to_msg, intrinsics_to_camera_info
from anygrasp_perception.se3 import make_transform, pose_to_transform

EXAMPLES = Path(__file__).parents[1] / "examples"
TIMEOUT_S = 120.0
FRAME = "camera_color_optical_frame"
CAMERA = CameraIntrinsics(fx=300.0, fy=300.0, cx=160.0, cy=120.0, width=320, height=240)
# Looks straight down from 0.6 m above the table, whose top is z = 0 of base.
T_BASE_CAMERA = make_transform(np.diag((1.0, -1.0, -1.0)), (0.3, -0.2, 0.6))
BOX_TOP_M, TCP_M = 0.06, 0.1725
SHELL_VARIABLES = ("ROS_AUTOMATIC_DISCOVERY_RANGE", "AMENT_PREFIX_PATH", "FASTDDS_DEFAULT_PROFILES_FILE")


class Cell:
    """A detection node in the namespace of the launch files, a camera that sees a box, and TF."""

    def __init__(self):
        rclpy.init(args=["--ros-args", "-r", "__ns:=/anygrasp", "-p", "detector:=geometric"])
        self.detection = GraspDetectionNode()
        self.node = rclpy.create_node("cell")
        prefix = "/camera/camera"
        self.info = self.node.create_publisher(CameraInfo, f"{prefix}/color/camera_info", 5)
        self.color = self.node.create_publisher(Image, f"{prefix}/color/image_raw", 5)
        self.depth = self.node.create_publisher(Image, f"{prefix}/aligned_depth_to_color/image_raw", 5)
        self.depth_m = np.full((240, 320), 0.6, np.float32)
        self.depth_m[87:153, 149:171] = 0.6 - BOX_TOP_M
        now = self.node.get_clock().now().to_msg()
        frames = [
            transform_to_stamped_msg("base", FRAME, T_BASE_CAMERA, now),
            transform_to_stamped_msg(
                "base", "box", make_transform(np.eye(3), (0.3, -0.2, BOX_TOP_M / 2)), now
            ),
        ]
        self.broadcaster = StaticTransformBroadcaster(self.node)
        self.broadcaster.sendTransform(frames)
        self.node.create_timer(0.5, self._show)
        self.executor = MultiThreadedExecutor(6)
        self.executor.add_node(self.detection)
        self.executor.add_node(self.node)
        self.thread = threading.Thread(target=self.executor.spin)
        self.thread.start()

    def close(self):
        self.executor.shutdown()
        self.thread.join(TIMEOUT_S)
        self.detection.destroy_node()
        self.node.destroy_node()
        rclpy.shutdown()

    def _show(self):
        header = Header(stamp=self.node.get_clock().now().to_msg(), frame_id=FRAME)
        self.info.publish(intrinsics_to_camera_info(CAMERA, header))
        self.color.publish(image_to_msg(np.full((240, 320, 3), 128, np.uint8), "rgb8", header))
        self.depth.publish(image_to_msg(self.depth_m, "32FC1", header))


@pytest.fixture(scope="module")
def cell():
    cell = Cell()
    yield cell
    cell.close()


def run(name, *arguments, environment=None):
    return subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env=environment,
        check=False,
    )


def test_a_plain_node_hears_grasps(cell):
    """From a shell that knows nothing of this project but where its packages are."""
    plain = {name: value for name, value in os.environ.items() if name not in SHELL_VARIABLES}
    plain["AMENT_PREFIX_PATH"] = sys.prefix  # where ROS 2 comes from PyPI, nobody else sets it
    answer = run("subscribe_grasps", "1", environment=plain)
    assert answer.returncode == 0, answer.stderr
    found = re.search(r"(\d+) grasps, best ([\d.]+) at \((.*), (.*), (.*)\) m in (\w+)", answer.stdout)
    assert int(found[1]) > 0
    assert found[6] == FRAME
    assert 0.5 < float(found[5]) < 0.6  # on the box


def test_a_region_holds_the_grasps_and_an_empty_one_says_why_there_are_none(cell):
    answer = run("detect_in_region", "box")
    assert answer.returncode == 0, answer.stderr
    assert 0 < len(re.findall(r"^score", answer.stdout, re.M)) <= 5
    elsewhere = run("detect_in_region", "base")  # 0.36 m beside the box
    assert elsewhere.returncode == 1
    assert re.search(r"no grasp: .*outside_region \d+", elsewhere.stdout)
    nowhere = run("detect_in_region", "moon")
    assert "TF_UNAVAILABLE" in nowhere.stderr


def test_a_grasp_becomes_poses_of_the_flange(cell):
    goals = {"/pre_grasp": [], "/grasp": []}
    grasps = []
    both = threading.Event()

    def got(topic, message):
        goals[topic].append(message)
        if all(goals.values()):
            both.set()

    subscriptions = [
        cell.node.create_subscription(PoseStamped, topic, lambda m, topic=topic: got(topic, m), 10)
        for topic in goals
    ]
    subscriptions.append(cell.node.create_subscription(GraspArray, "grasps", grasps.append, 10))
    answer = run("grasp_to_tool_pose", "--once", "--tcp", str(TCP_M), "--retreat", "0.08")
    assert answer.returncode == 0, answer.stderr
    assert both.wait(TIMEOUT_S)
    for subscription in subscriptions:
        cell.node.destroy_subscription(subscription)
    before, at = (matrix(goals[topic][0]) for topic in ("/pre_grasp", "/grasp"))
    stamp = goals["/grasp"][0].header.stamp
    (array,) = [message for message in grasps if message.header.stamp == stamp]
    best = grasps_from_msg(array.grasps[:1]).transformed(T_BASE_CAMERA)
    np.testing.assert_allclose(at[:3, 2], best.approaches[0], atol=1e-5)
    np.testing.assert_allclose(at[:3, 1], best.closing_directions[0], atol=1e-5)
    np.testing.assert_allclose((at @ [0, 0, TCP_M, 1])[:3], best.fingertips[0], atol=1e-5)
    np.testing.assert_allclose(before, at @ make_transform(np.eye(3), (0, 0, -0.08)), atol=1e-5)
    assert 0.0 < best.fingertips[0, 2] < BOX_TOP_M


def matrix(message):
    assert message.header.frame_id == "base"
    p, q = message.pose.position, message.pose.orientation
    return pose_to_transform((p.x, p.y, p.z), (q.x, q.y, q.z, q.w))


def test_python_alone_finds_the_box():
    answer = run("python_only")
    assert answer.returncode == 0, answer.stderr
    assert "5 grasps; dropped: " in answer.stdout
