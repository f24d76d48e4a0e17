# SPDX-License-Identifier: Apache-2.0
"""Views for the hand-eye calibration from the camera's topics and the robot's TF; it moves nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import rclpy
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image

from anygrasp_bringup.nodes.executors import SingleThreadedExecutor
from anygrasp_bringup.nodes.qos import SENSOR_DATA
from anygrasp_bringup.nodes.tf import TransformBuffer, TransformException, TransformListener
from anygrasp_bringup.ros_environment import apply_ros_environment
from anygrasp_perception.arrays import Uint8Array
from anygrasp_perception.calibration.board import Board
from anygrasp_perception.calibration.diversity import DiversityLimits
from anygrasp_perception.calibration.session import CaptureSession
from anygrasp_perception.calibration.views import CalibrationError, Setup
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.ros_conversions import camera_info_to_intrinsics, color_from_msg
from anygrasp_perception.se3 import rotation_angle

__all__ = ["CaptureNode", "capture", "spinning_capture_node"]

_REST_S = 0.3  # the arm has to have been still for so long before the image
_REST_M, _REST_RAD = 0.0005, np.deg2rad(0.1)


class CaptureNode(Node):
    """Keeps the newest image and camera_info, and takes a view when told to."""

    def __init__(
        self,
        session: CaptureSession,
        base_frame: str = "base",
        tool_frame: str = "tool0",
        camera: str = "camera",
    ) -> None:
        super().__init__("calibration_capture")
        self._session, self._base, self._tool = session, base_frame, tool_frame
        self._changed = threading.Condition()
        self._image: Image | None = None
        self._info: CameraInfo | None = None
        self._buffer = TransformBuffer(node=self)
        self._listener = TransformListener(self._buffer, self)
        prefix = f"/{camera}/{camera}/color"
        self.create_subscription(Image, f"{prefix}/image_raw", self._on_image, SENSOR_DATA)
        self.create_subscription(CameraInfo, f"{prefix}/camera_info", self._on_info, SENSOR_DATA)

    def take(self, timeout_s: float = 5.0) -> str:
        """Take a view of the next image to come; return what is there now.

        Raises:
            CalibrationError: no image or camera_info, no transform, the arm moves, or no board in the image.
        """
        image, info = self._next_messages(timeout_s)
        stamp, timeout = Time.from_msg(image.header.stamp), Duration(seconds=timeout_s)
        try:
            T_base_tool = self._buffer.lookup_matrix(self._base, self._tool, stamp, timeout)
            earlier = stamp - Duration(seconds=_REST_S)
            T_base_before = self._buffer.lookup_matrix(self._base, self._tool, earlier, timeout)
        except TransformException as error:
            raise CalibrationError(
                f"no transform from {self._tool} to {self._base} at the image's time ({error}); does the "
                "robot's "
                "driver run, and do both computers have one clock?"
            ) from error
        moved_m = float(np.linalg.norm(T_base_tool[:3, 3] - T_base_before[:3, 3]))
        moved_rad = float(rotation_angle(T_base_tool[:3, :3], T_base_before[:3, :3]))
        if moved_m > _REST_M or moved_rad > _REST_RAD:
            raise CalibrationError(
                f"the arm moved by {moved_m * 1e3:.1f} mm and {np.rad2deg(moved_rad):.1f} deg just "
                "before the "
                "image; wait until it is at rest"
            )
        color, intrinsics = _decoded(image, info)
        return self._session.take(color, intrinsics, T_base_tool)

    def next_image(self, timeout_s: float = 5.0) -> tuple[Uint8Array, CameraIntrinsics]:
        """The next image to come, (H, W, 3) RGB. Raises CalibrationError where none does."""
        return _decoded(*self._next_messages(timeout_s))

    def _next_messages(self, timeout_s: float) -> tuple[Image, CameraInfo]:
        asked = self.get_clock().now()  # what was taken before may show the arm on its way

        def ready() -> bool:
            image = self._image
            return image is not None and self._info is not None and Time.from_msg(image.header.stamp) >= asked

        with self._changed:
            if not self._changed.wait_for(ready, timeout_s):
                missing = "camera_info" if self._image is not None and self._info is None else "new image"
                raise CalibrationError(
                    f"no {missing} within {timeout_s:.1f} s; does the camera node run, and do both "
                    "computers have "
                    "one clock?"
                )
            assert self._image is not None
            assert self._info is not None
            return self._image, self._info

    def _on_image(self, message: Image) -> None:
        with self._changed:
            self._image = message
            self._changed.notify_all()

    def _on_info(self, message: CameraInfo) -> None:
        with self._changed:
            self._info = message
            self._changed.notify_all()


def _decoded(image: Image, info: CameraInfo) -> tuple[Uint8Array, CameraIntrinsics]:
    try:
        return color_from_msg(image), camera_info_to_intrinsics(info)
    except ValueError as error:
        raise CalibrationError(f"camera_info or image is of no use: {error}") from error


def capture(
    folder: Path,
    board: Board,
    setup: Setup,
    limits: DiversityLimits,
    base_frame: str,
    tool_frame: str,
    camera: str,
) -> int:
    """Ask for one view after the other on the terminal until there are enough; return the exit code."""
    session = CaptureSession(folder, board, setup, limits)
    with spinning_capture_node(session, base_frame, tool_frame, camera) as node, suppress(EOFError):
        print(f"board: {board.config.describe()}\nEnter takes a view, q ends. Keep clear of the arm.")
        while True:
            try:
                target = session.next_pose()
                if target is None:
                    print(f"enough: ./run calibrate solve {folder} --setup {setup.value}")
                    return 0
                print(f"next: {target.text}")
            except CalibrationError as error:
                print(f"next: {error}")
            if input("> ").strip().lower().startswith("q"):
                return 0
            try:
                print(node.take())
            except CalibrationError as error:
                print(f"not taken: {error}")
    return 0


@contextmanager
def spinning_capture_node(
    session: CaptureSession, base_frame: str, tool_frame: str, camera: str
) -> Iterator[CaptureNode]:
    """The node, spun by a thread, with ROS around it."""
    apply_ros_environment()
    rclpy.init()
    node = CaptureNode(session, base_frame, tool_frame, camera)
    spinning = threading.Thread(target=_spin, args=(node,), daemon=True)
    spinning.start()
    try:
        yield node
    finally:
        rclpy.try_shutdown()
        spinning.join(5.0)


def _spin(node: Node) -> None:
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    with suppress(ExternalShutdownException):
        executor.spin()
