# SPDX-License-Identifier: Apache-2.0
"""Where the tracking node's grasps come from: its own detector on images, or a detection node's topic."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Protocol

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from anygrasp_bringup.nodes.qos import RESULTS, SENSOR_DATA
from anygrasp_msgs.msg import GraspArray
from anygrasp_perception.camera import CameraIntrinsics, FrameError, RgbdFrame, depth_to_metres
from anygrasp_perception.cloud import PointCloud
from anygrasp_perception.detector import DetectionRequest, DetectionResult, Detector
from anygrasp_perception.frame_pairing import FramePairing
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.nodes.grasp_detection_config import GraspDetectionConfig
from anygrasp_perception.ros_conversions import (
    camera_info_to_intrinsics,
    color_from_msg,
    depth_from_msg,
    grasps_from_msg,
    stamp_to_ns,
)

__all__ = ["DroppedFrame", "FrameSource", "GraspTopicSource", "ImageSource", "SeenGrasps"]


_COLOR_TOPIC = "/camera/camera/color"
_DEPTH_TOPIC = "/camera/camera/aligned_depth_to_color/image_raw"


class DroppedFrame(Exception):
    """A frame that is of no use; `reason` is the name it is counted under."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, eq=False)
class SeenGrasps:
    """The grasps of one image."""

    header: Header  # stamp and optical frame of the image
    grasps: GraspGroup  # that frame
    cloud: PointCloud | None = None  # that frame
    detection: DetectionResult | None = None
    durations_s: dict[str, float] = field(default_factory=dict)  # what this process spent on it, by stage


class FrameSource(Protocol):
    """Keeps the newest frame; the others it has dropped are counted."""

    def wait(self, timeout_s: float) -> SeenGrasps | None:
        """The newest frame that was not returned yet, or None when there is none in time.

        Raises:
            DroppedFrame: there was one, but it is of no use.
        """
        ...

    @property
    def intrinsics(self) -> CameraIntrinsics | None:
        """Of the camera that took the frames; None before a valid camera_info."""
        ...

    def drops(self) -> dict[str, int]:
        """Frames dropped before anybody asked for them, by reason."""
        ...

    def close(self) -> None:
        """Wake whoever waits."""
        ...


class CameraModel:
    """The newest camera_info of a topic; one that is not valid counts as none."""

    def __init__(self, node: Node, topic: str) -> None:
        self.intrinsics: CameraIntrinsics | None = None
        node.create_subscription(CameraInfo, topic, self._on_info, SENSOR_DATA)

    def _on_info(self, message: CameraInfo) -> None:
        try:
            self.intrinsics = camera_info_to_intrinsics(message)
        except ValueError:
            self.intrinsics = None  # who needs it says so


class GraspTopicSource:
    """Follows `grasps` as a detection node publishes them: without cloud and features."""

    def __init__(self, node: Node) -> None:
        self._changed = threading.Condition()
        self._newest: GraspArray | None = None
        self._superseded = 0
        self._closed = False
        self._camera = CameraModel(node, f"{_COLOR_TOPIC}/camera_info")
        node.create_subscription(GraspArray, "grasps", self._on_grasps, RESULTS)

    def wait(self, timeout_s: float) -> SeenGrasps | None:
        """See FrameSource."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._closed, timeout_s)
            message, self._newest = self._newest, None
        if message is None:
            return None
        try:
            return SeenGrasps(message.header, grasps_from_msg(message.grasps))
        except ValueError as error:
            raise DroppedFrame("bad_grasps", str(error)) from error

    @property
    def intrinsics(self) -> CameraIntrinsics | None:
        """See FrameSource."""
        return self._camera.intrinsics

    def drops(self) -> dict[str, int]:
        """See FrameSource."""
        with self._changed:
            return {"superseded": self._superseded}

    def close(self) -> None:
        """See FrameSource."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _on_grasps(self, message: GraspArray) -> None:
        with self._changed:
            self._superseded += self._newest is not None
            self._newest = message
            self._changed.notify_all()


class ImageSource:
    """Detects in the camera's images; cloud and a network's features come along with the grasps."""

    def __init__(self, node: Node, config: GraspDetectionConfig, detector: Detector, max_grasps: int) -> None:
        self._config, self._detector, self._max_grasps = config, detector, max_grasps
        self._pairing: FramePairing[Image] = FramePairing(config.pairing_tolerance_s)
        self._camera = CameraModel(node, f"{_COLOR_TOPIC}/camera_info")
        node.create_subscription(Image, f"{_COLOR_TOPIC}/image_raw", self._on_color, SENSOR_DATA)
        node.create_subscription(Image, _DEPTH_TOPIC, self._on_depth, SENSOR_DATA)

    def wait(self, timeout_s: float) -> SeenGrasps | None:
        """See FrameSource."""
        pair = self._pairing.wait_unread(timeout_s)
        if pair is None:
            return None
        intrinsics = self._camera.intrinsics
        if intrinsics is None:
            raise DroppedFrame(
                "bad_camera_info", "no valid camera_info yet; does the camera publish color/camera_info?"
            )
        started_s = time.perf_counter()
        try:
            depth_m = depth_to_metres(depth_from_msg(pair.depth))
            cloud = RgbdFrame(color_from_msg(pair.color), depth_m, intrinsics).cloud()
        except FrameError as error:
            raise DroppedFrame("bad_image", str(error)) from error
        cloud_s = time.perf_counter() - started_s
        config = self._config
        request = DetectionRequest(gripper=config.gripper, max_grasps=self._max_grasps, seed=config.seed)
        try:
            result = self._detector.detect(cloud, request)
        except (ValueError, RuntimeError) as error:  # torch's too, such as out of memory
            raise DroppedFrame("detector_failed", str(error)) from error
        detection_s = time.perf_counter() - started_s - cloud_s
        durations_s = {"cloud": cloud_s, "detection": detection_s}
        return SeenGrasps(pair.depth.header, result.grasps, cloud, result, durations_s)

    @property
    def intrinsics(self) -> CameraIntrinsics | None:
        """See FrameSource."""
        return self._camera.intrinsics

    def drops(self) -> dict[str, int]:
        """See FrameSource."""
        return self._pairing.drops()

    def close(self) -> None:
        """See FrameSource."""
        self._pairing.close()

    def _on_color(self, message: Image) -> None:
        self._pairing.add_color(stamp_to_ns(message.header.stamp), message)

    def _on_depth(self, message: Image) -> None:
        self._pairing.add_depth(stamp_to_ns(message.header.stamp), message)
