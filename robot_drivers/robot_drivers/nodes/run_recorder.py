# SPDX-License-Identifier: Apache-2.0
"""Watches a run from outside: the images it decided on, and where the cell's objects truly went."""

from __future__ import annotations

import threading
from collections import OrderedDict

from rclpy.node import Node
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image

from anygrasp_bringup.nodes.qos import RESULTS, SENSOR_DATA
from anygrasp_bringup.nodes.tf import TransformBuffer, TransformException, TransformListener
from anygrasp_msgs.msg import CellObjects
from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.camera import CameraIntrinsics, FrameError
from anygrasp_perception.ros_conversions import camera_info_to_intrinsics, color_from_msg, stamp_to_ns
from robot_drivers.report.attribution import AttemptOutcome
from robot_drivers.report.contact_sheet import PickPicture
from robot_drivers.report.ground_truth import CellSnapshot
from robot_drivers.ros_conversions import snapshot_from_msg

__all__ = ["RunRecorder"]

# Images older than these are no longer asked for: a decision takes less than a second.
IMAGES_KEPT = 40


class RunRecorder:
    """Subscribes on `node`; everything it has seen can be asked for from any thread."""

    def __init__(self, node: Node, world_frame: str = "base") -> None:
        self._node = node
        self._world_frame = world_frame
        self._lock = threading.Lock()
        self._recent: OrderedDict[int, Image] = OrderedDict()
        self._kept: dict[int, Image] = {}
        self._intrinsics: CameraIntrinsics | None = None
        self._history: list[CellSnapshot] = []
        self._buffer = TransformBuffer(node=node)
        self._listener = TransformListener(self._buffer, node)
        prefix = "/camera/camera/color"
        node.create_subscription(Image, f"{prefix}/image_raw", self._on_image, SENSOR_DATA)
        node.create_subscription(CameraInfo, f"{prefix}/camera_info", self._on_info, SENSOR_DATA)
        node.create_subscription(CellObjects, "cell/objects", self._on_objects, RESULTS)

    @property
    def history(self) -> list[CellSnapshot]:
        """The cell's objects over time; empty without a simulated cell."""
        with self._lock:
            return list(self._history)

    def keep_image(self, stamp_ns: int) -> None:
        """Keep the image of this stamp for `pictures`."""
        with self._lock:
            if stamp_ns in self._recent:
                self._kept[stamp_ns] = self._recent[stamp_ns]

    def camera_pose(self, frame_id: str) -> Float64Array | None:
        """T_world_camera (4, 4), the latest; None when nobody has published it."""
        try:
            return self._buffer.lookup_matrix(self._world_frame, frame_id, Time())
        except TransformException as error:
            self._node.get_logger().warning(f"no pose of {frame_id}: {error}")
            return None

    def pictures(self, outcomes: list[AttemptOutcome]) -> list[PickPicture]:
        """One picture for each outcome whose image was kept."""
        found = []
        for outcome in outcomes:
            message = self._kept.get(round(outcome.record.stamp_s * 1e9))
            if message is None or self._intrinsics is None:
                continue
            try:
                found.append(PickPicture(outcome, color_from_msg(message), self._intrinsics))
            except FrameError as error:
                self._node.get_logger().warning(
                    f"picture of attempt {outcome.record.attempt} left out: {error}"
                )
        return found

    def _on_image(self, message: Image) -> None:
        with self._lock:
            self._recent[stamp_to_ns(message.header.stamp)] = message
            if len(self._recent) > IMAGES_KEPT:
                self._recent.popitem(last=False)

    def _on_info(self, message: CameraInfo) -> None:
        try:
            self._intrinsics = camera_info_to_intrinsics(message)
        except ValueError as error:
            self._node.get_logger().warning(f"camera_info ignored: {error}", throttle_duration_sec=5.0)

    def _on_objects(self, message: CellObjects) -> None:
        with self._lock:
            self._history.append(snapshot_from_msg(message))
