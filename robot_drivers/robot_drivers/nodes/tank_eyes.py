# SPDX-License-Identifier: Apache-2.0
"""Grasps in the water from the newest image of a camera on the wrist."""

from __future__ import annotations

import threading
from contextlib import suppress

import numpy as np
import rclpy
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException, ShutdownException
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from anygrasp_bringup.nodes.executors import SingleThreadedExecutor
from anygrasp_bringup.nodes.qos import SENSOR_DATA
from anygrasp_bringup.nodes.tf import TransformBuffer, TransformException, TransformListener
from anygrasp_perception.camera import CameraIntrinsics, FrameError, RgbdFrame, depth_to_metres
from anygrasp_perception.frame_pairing import FramePairing
from anygrasp_perception.ros_conversions import (
    camera_info_to_intrinsics,
    color_from_msg,
    depth_from_msg,
    stamp_to_ns,
)
from anygrasp_tracking.tracking_frame import TrackingFrame
from robot_drivers.dynamic_grasping.water_perception import PerceiveWater
from robot_drivers.executors.perception import PerceptionError
from robot_drivers.executors.pick_errors import PickError

__all__ = ["TankEyes"]

_PAIRING_S = 0.02


class TankEyes:
    """Called from the thread that runs a goal.

    Images and transforms come through a small node of its own, in a thread of its own: for each of these many
    messages an executor collects all that its nodes wait for, and `node` has much.

    Args:
        node: whose context, namespace and clock it shares.
        T_tool0_tcp: (4, 4) fingertips in the flange's frame.
        image_timeout_s: how long to wait for a newer image, wall time.
        tf_timeout_s: how long to wait for the transform at its stamp.
        stopped: set when waiting is to end.
    """

    def __init__(
        self,
        node: Node,
        perception: PerceiveWater,
        T_tool0_tcp: np.ndarray,
        base_frame: str,
        image_timeout_s: float,
        tf_timeout_s: float,
        stopped: threading.Event,
    ) -> None:
        self._perception = perception
        self._T_tool0_tcp = T_tool0_tcp
        self._base_frame = base_frame
        self._image_timeout_s = image_timeout_s
        self._tf_timeout = Duration(seconds=tf_timeout_s)
        self._stopped = stopped
        self._pairing: FramePairing[Image] = FramePairing(_PAIRING_S)
        self._intrinsics: CameraIntrinsics | None = None
        self._node = eyes = rclpy.create_node(
            f"{node.get_name()}_eyes",
            context=node.context,
            namespace=node.get_namespace(),
            enable_rosout=False,
            start_parameter_services=False,
            parameter_overrides=[
                Parameter("start_type_description_service", value=False),
                Parameter("use_sim_time", value=node.get_parameter("use_sim_time").value),
            ],
        )
        self._buffer = TransformBuffer(node=eyes)
        self._listener = TransformListener(self._buffer, eyes)
        prefix = "/camera/camera"
        eyes.create_subscription(CameraInfo, f"{prefix}/color/camera_info", self._on_info, SENSOR_DATA)
        eyes.create_subscription(
            Image,
            f"{prefix}/color/image_raw",
            lambda message: self._pairing.add_color(stamp_to_ns(message.header.stamp), message),
            SENSOR_DATA,
        )
        eyes.create_subscription(
            Image,
            f"{prefix}/aligned_depth_to_color/image_raw",
            lambda message: self._pairing.add_depth(stamp_to_ns(message.header.stamp), message),
            SENSOR_DATA,
        )

        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(eyes)
        self._thread = threading.Thread(target=self._spin, name="eyes", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wake whoever waits for an image, and look no more."""
        self._pairing.close()
        self._executor.shutdown()
        self._thread.join()
        self._node.destroy_node()

    def _spin(self) -> None:
        with suppress(ExternalShutdownException, ShutdownException):
            self._executor.spin()

    def drops(self) -> dict[str, int]:
        """Images dropped so far, by reason: the newest frame wins."""
        return self._pairing.drops()

    def __call__(self, newer_than_s: float, about: np.ndarray | None) -> TrackingFrame:
        """See PerceiveFrame."""
        waited_s = 0.0
        pair = None
        while pair is None and waited_s < self._image_timeout_s:
            if self._stopped.is_set():
                raise PerceptionError("stopped")
            pair = self._pairing.wait(max(0, round(newer_than_s * 1e9)), 0.1)
            waited_s += 0.1
        if pair is None:
            raise PerceptionError(
                f"no colour and depth pair newer than {newer_than_s:.2f} s within "
                f"{self._image_timeout_s:.1f} s: does the camera run?"
            )
        if self._intrinsics is None:
            raise PerceptionError("no valid camera_info yet; does the camera publish color/camera_info?")
        header = pair.depth.header
        T_base_camera = self._lookup(header.frame_id, header)
        T_base_tcp = self._lookup("tool0", header) @ self._T_tool0_tcp
        try:
            depth_m = depth_to_metres(depth_from_msg(pair.depth))
            image = RgbdFrame(color_from_msg(pair.color), depth_m, self._intrinsics)
        except FrameError as error:
            raise PerceptionError(str(error)) from error
        return self._perception(image, pair.stamp_ns * 1e-9, T_base_camera, T_base_tcp, about)

    def _lookup(self, frame: str, header: Header) -> np.ndarray:
        try:
            return self._buffer.lookup_matrix(self._base_frame, frame, header.stamp, self._tf_timeout)
        except TransformException as error:
            raise PerceptionError(
                f"no transform from {frame} to {self._base_frame}: {error}", PickError.TF_UNAVAILABLE
            ) from error

    def _on_info(self, message: CameraInfo) -> None:
        try:
            self._intrinsics = camera_info_to_intrinsics(message)
        except ValueError:
            self._intrinsics = None
