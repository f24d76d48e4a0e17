# SPDX-License-Identifier: Apache-2.0
"""Live views over DDS: rendered images and a robot's TF in, a folder that calibrates out."""

import threading

import numpy as np
import pytest
import rclpy
from rclpy.duration import Duration
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from anygrasp_bringup.nodes.executors import SingleThreadedExecutor
from anygrasp_bringup.nodes.qos import SENSOR_DATA
from anygrasp_bringup.nodes.tf import TransformBroadcaster
from anygrasp_bringup.nodes.transform_conversions import transform_to_stamped_msg
from anygrasp_perception.calibration.dataset import find_views, load_data
from anygrasp_perception.calibration.diversity import DiversityLimits
from anygrasp_perception.calibration.rendering import ViewNoise
from anygrasp_perception.calibration.session import CaptureSession
from anygrasp_perception.calibration.synthetic_cell import random_cell
from anygrasp_perception.calibration.views import CalibrationError, Setup
from anygrasp_perception.nodes.calibration_capture import CaptureNode
from anygrasp_perception.ros_conversions import image_to_msg, intrinsics_to_camera_info

TIMEOUT_S = 30.0


class Cell:
    """A camera and a robot as nodes: publishes what both see and report at one pose, over and over."""

    def __init__(self, folder):
        self.truth = random_cell(Setup.EYE_IN_HAND, seed=2)
        self.rng = np.random.default_rng(2)
        rclpy.init()
        self.robot = rclpy.create_node("cell")
        self.tf = TransformBroadcaster(self.robot)
        self.color = self.robot.create_publisher(Image, "/camera/camera/color/image_raw", SENSOR_DATA)
        self.info = self.robot.create_publisher(CameraInfo, "/camera/camera/color/camera_info", SENSOR_DATA)
        self.pose = self.image = None
        self.drift_m = 0.0
        self.session = CaptureSession(folder, self.truth.board, Setup.EYE_IN_HAND, DiversityLimits())
        self.node = CaptureNode(self.session)
        self.robot.create_timer(0.05, self.publish)
        self.executor = SingleThreadedExecutor()
        for node in (self.robot, self.node):
            self.executor.add_node(node)
        self.thread = threading.Thread(target=self.executor.spin)
        self.thread.start()

    def go(self, pose):
        self.image = self.truth.image(pose, ViewNoise(), self.rng)
        self.pose = pose

    def publish(self):
        if self.pose is None:
            return
        now = self.robot.get_clock().now()
        for age_s in (0.5, 0.3, 0.0):  # where the arm has been
            pose = self.pose.copy()
            pose[0, 3] += age_s * self.drift_m
            stamp = (now - Duration(seconds=age_s)).to_msg()
            self.tf.sendTransform(transform_to_stamped_msg("base", "tool0", pose, stamp))
        header = Header(stamp=now.to_msg(), frame_id="camera_color_optical_frame")
        self.info.publish(intrinsics_to_camera_info(self.truth.intrinsics, header))
        if self.image is not None:
            self.color.publish(image_to_msg(self.image, "rgb8", header))

    def close(self):
        self.executor.shutdown()
        self.thread.join(TIMEOUT_S)
        self.node.destroy_node()
        self.robot.destroy_node()
        rclpy.shutdown()


@pytest.fixture
def cell(tmp_path):
    cell = Cell(tmp_path / "data")
    yield cell
    cell.close()


def take_at_rest(node):
    """A view; on a busy machine transforms from before the robot's jump are still the latest for a while."""
    for _ in range(20):
        try:
            return node.take(TIMEOUT_S)
        except CalibrationError as error:
            if "at rest" not in str(error):
                raise
    raise AssertionError("the robot never came to rest")


def take_until_refused(node):
    """The robot's motion arrives in the transforms after a while."""
    for _ in range(20):
        node.take(TIMEOUT_S)


def test_views_are_taken_at_rest_saved_and_guided(cell, tmp_path):
    with pytest.raises(CalibrationError, match="no new image within"):
        cell.node.take(timeout_s=0.3)
    with pytest.raises(CalibrationError, match="sees the whole board"):
        cell.session.next_pose()
    cell.go(cell.truth.random_pose(cell.rng))
    assert take_at_rest(cell.node).startswith("01.png: ")
    target = cell.session.next_pose()
    assert "turn by" in target.text
    cell.go(target.T_base_tool)
    assert "2 of 15 views" in take_at_rest(cell.node)
    cell.drift_m = 0.05
    with pytest.raises(CalibrationError, match="wait until it is at rest"):
        take_until_refused(cell.node)
    data = load_data(tmp_path / "data")
    views, missing = find_views(data, cell.truth.board)
    assert len(views) >= 2
    assert missing == {}
    np.testing.assert_allclose(data.poses["02.png"], target.T_base_tool, atol=1e-6)


def test_missing_robot_is_named(cell):
    cell.pose = np.eye(4)
    cell.tf = type("Silent", (), {"sendTransform": lambda self, _: None})()
    cell.image = np.zeros((480, 640, 3), np.uint8)
    with pytest.raises(CalibrationError, match="does the robot's driver run"):
        cell.node.take(timeout_s=1.0)


def test_folder_with_views_is_not_mixed(tmp_path):
    (tmp_path / "poses.json").write_text("{}")
    with pytest.raises(CalibrationError, match="holds views already"):
        CaptureSession(
            tmp_path, random_cell(Setup.EYE_IN_HAND, 1).board, Setup.EYE_IN_HAND, DiversityLimits()
        )
