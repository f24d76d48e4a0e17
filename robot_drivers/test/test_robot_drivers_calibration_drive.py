# SPDX-License-Identifier: Apache-2.0
"""A UR drives itself past a rendered board: real client, emulated controller, within the limits or not."""

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rclpy
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from anygrasp_bringup.nodes.executors import SingleThreadedExecutor
from anygrasp_bringup.nodes.qos import SENSOR_DATA
from anygrasp_perception.calibration import cli
from anygrasp_perception.calibration.board import Board, BoardConfig
from anygrasp_perception.calibration.dataset import find_views, load_data
from anygrasp_perception.calibration.diversity import DiversityLimits
from anygrasp_perception.calibration.rendering import ViewNoise
from anygrasp_perception.calibration.session import CaptureSession
from anygrasp_perception.calibration.solution import calibrate
from anygrasp_perception.calibration.synthetic_cell import SyntheticCell
from anygrasp_perception.calibration.views import CalibrationError, Setup
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.ros_conversions import image_to_msg, intrinsics_to_camera_info
from anygrasp_perception.se3 import inverse, make_transform, rotation_angle
from anygrasp_sim.emulators.controller_process import UrControllerProcess
from robot_drivers.arms.arm import ArmStopped
from robot_drivers.arms.ur import UrArm, UrArmConfig
from robot_drivers.calibration_drive import CalibrationDrive, DriveConfig
from robot_drivers.safety import SafeArm, SafetyLimits

HOST = (
    f"127.{os.getpid() % 250 + 1}.{time.time_ns() // 1000 % 250 + 1}.31"  # sessions side by side do not meet
)
CONFIG = UrArmConfig(robot_ip=HOST)
VGA = CameraIntrinsics(fx=600.0, fy=600.0, cx=320.0, cy=240.0, width=640, height=480)
FEW = DiversityLimits(views=7, turn_deg=8.0, travel_m=0.02)
FAST = DriveConfig(
    joint_speed_rad_s=2.0, joint_acceleration_rad_s2=6.0
)  # the emulator's time is cheap, ours is not
LIMITS = SafetyLimits(max_tilt_rad=np.deg2rad(50.0), min_height_m=0.1)
T_TOOL_CAMERA = make_transform(
    Rotation.from_euler("xyz", [4, -3, 88], degrees=True).as_matrix(), (-0.1, 0.0, 0.02)
)


@pytest.fixture(scope="module")
def controller():
    with UrControllerProcess("ur5e", HOST, speed=4.0) as controller:
        yield controller


class Cell:
    """The emulated arm with a camera on its wrist, above a board."""

    def __init__(self, controller, limits=LIMITS):
        self.controller = controller
        self.robot = UrArm(CONFIG)
        self.arm = SafeArm(self.robot, limits)
        self.arm.connect()
        self.T_tcp_tool0 = inverse(CONFIG.T_tool0_tcp)
        board = Board(BoardConfig())
        middle = np.array([0.0, 0.0, 0.45])
        T_camera_board = make_transform(np.eye(3), middle - board.center_m)
        T_base_board = self.tool() @ T_TOOL_CAMERA @ T_camera_board
        self.truth = SyntheticCell(board, VGA, Setup.EYE_IN_HAND, T_TOOL_CAMERA, T_base_board)
        self.rng = np.random.default_rng(1)
        self.said, self.asked, self.heights = [], [], []

    def tool(self):
        return self.arm.tcp_pose() @ self.T_tcp_tool0

    def see(self):
        T_base_tcp = self.arm.tcp_pose()
        self.heights.append(T_base_tcp[2, 3])
        return self.truth.image(T_base_tcp @ self.T_tcp_tool0, ViewNoise(), self.rng), VGA

    def drive(self, folder, confirm=lambda text: True):
        def asked(text):
            self.asked.append(text)
            return confirm(text)

        session = CaptureSession(folder, self.truth.board, Setup.EYE_IN_HAND, FEW)
        return CalibrationDrive(
            session, self.arm, CONFIG.T_tool0_tcp, self.see, asked, self.said.append, FAST
        )


@pytest.fixture
def cell(controller):
    cell = Cell(controller)
    home = cell.arm.joint_positions()
    yield cell
    cell.arm.clear_stop()
    cell.arm.move_joints(home, speed_rad_s=2.0, acceleration_rad_s2=6.0)
    cell.arm.close()


def test_the_arm_takes_the_views_that_a_calibration_needs(cell, tmp_path):
    assert cell.drive(tmp_path / "data").run()
    data = load_data(tmp_path / "data")
    views, missing = find_views(data, cell.truth.board)
    assert len(views) >= FEW.views
    assert not missing
    assert len(cell.asked) >= FEW.views - 1
    assert min(cell.heights) >= LIMITS.min_height_m
    found = calibrate(cell.truth.board, VGA, Setup.EYE_IN_HAND, views)
    difference = inverse(T_TOOL_CAMERA) @ found.T_mount_camera
    assert np.linalg.norm(difference[:3, 3]) < 0.002
    assert np.rad2deg(rotation_angle(difference[:3, :3], np.eye(3))) < 0.2


def test_nothing_moves_without_a_yes(cell, controller, tmp_path):
    before = controller.ask("rtde_commands"), cell.arm.joint_positions()
    assert not cell.drive(tmp_path / "data", confirm=lambda text: False).run()
    moves = {number: count for number, count in controller.ask("rtde_commands").items() if number in (1, 3)}
    assert moves == {number: count for number, count in before[0].items() if number in (1, 3)}
    np.testing.assert_allclose(cell.arm.joint_positions(), before[1], atol=1e-4)
    assert "mm, rotation vector" in cell.asked[0]
    assert cell.said[-1] == "not moved"


def test_poses_beyond_the_limits_are_not_even_proposed(cell, tmp_path):
    here = cell.arm.tcp_pose()[:3, 3]
    tight = replace(LIMITS, workspace_min=tuple(here - 0.001), workspace_max=tuple(here + 0.001))
    cell.arm = SafeArm(cell.robot, tight)
    with pytest.raises(CalibrationError, match="useful poses is allowed"):
        cell.drive(tmp_path / "data").run()
    assert cell.asked == []


def test_a_protective_stop_ends_the_drive(cell, controller, tmp_path):
    def stop(text):
        controller.ask("protective_stop")
        return True

    try:
        with pytest.raises(ArmStopped, match=r"protective.stop"):
            cell.drive(tmp_path / "data", confirm=stop).run()
    finally:
        controller.ask("tick", 6.0)  # it may be unlocked after five seconds
        cell.robot.recover()


def test_no_board_in_the_first_view_moves_nothing(cell, tmp_path):
    cell.see = lambda: (np.zeros((480, 640, 3), np.uint8), VGA)
    with pytest.raises(CalibrationError):
        cell.drive(tmp_path / "data").run()
    assert cell.asked == []


def test_command_wants_the_address_of_the_robot(tmp_path, capsys):
    assert cli.main(["capture", str(tmp_path / "data"), "--setup", "eye-in-hand", "--move"]) == 2
    assert "--robot-ip" in capsys.readouterr().err
    assert not Path(tmp_path / "data").exists()


class CameraOnTopics:
    """Publishes what the wrist camera sees from where the arm stands, in a ROS context of its own."""

    def __init__(self, image):
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node("camera", context=self.context)
        prefix = "/camera/camera/color"
        info = self.node.create_publisher(CameraInfo, f"{prefix}/camera_info", SENSOR_DATA)
        color = self.node.create_publisher(Image, f"{prefix}/image_raw", SENSOR_DATA)

        def publish():
            header = Header(stamp=self.node.get_clock().now().to_msg(), frame_id="camera_color_optical_frame")
            info.publish(intrinsics_to_camera_info(VGA, header))
            color.publish(image_to_msg(image, "rgb8", header))

        self.node.create_timer(0.2, publish)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.thread = threading.Thread(target=self.executor.spin)
        self.thread.start()

    def close(self):
        self.executor.shutdown()
        self.thread.join(30.0)
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


def test_command_takes_the_first_view_from_the_topics_and_asks_before_it_moves(
    cell, tmp_path, monkeypatch, capsys
):
    image, q = cell.see()[0], cell.arm.joint_positions()
    cell.arm.close()  # one driver at a time
    questions = []
    monkeypatch.setattr("builtins.input", lambda text: questions.append(text) or "y")  # not a clear yes
    camera = CameraOnTopics(image)
    try:
        words = ["--setup", "eye-in-hand", "--move", "--robot-ip", HOST, "--max-tilt", "50"]
        code = cli.main(["capture", str(tmp_path / "data"), *words])
    finally:
        camera.close()
    out = capsys.readouterr().out
    assert code == 1
    assert "01.png: " in out
    assert out.rstrip().endswith("not moved")
    (question,) = questions
    assert "move there? (yes moves, anything else ends)" in question
    cell.arm.connect()
    np.testing.assert_allclose(cell.arm.joint_positions(), q, atol=1e-4)
