# SPDX-License-Identifier: Apache-2.0
"""Camera node: publishes an RGB-D camera under the names of realsense-ros.

Use it with a RealSense, with a recording, or with a folder of images; a user's own realsense-ros
node is a drop-in replacement.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TransformStamped
from rclpy._rclpy_pybind11 import RCLError
from rclpy.node import Node
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from anygrasp_bringup.nodes.diagnostics import status_message
from anygrasp_bringup.nodes.parameters import declare_parameters
from anygrasp_bringup.nodes.qos import RESULTS, SENSOR_DATA
from anygrasp_bringup.nodes.spinning import run_node
from anygrasp_bringup.nodes.tf import StaticTransformBroadcaster
from anygrasp_bringup.nodes.transform_conversions import transform_to_stamped_msg
from anygrasp_perception.camera import depth_to_metres, depth_to_points
from anygrasp_perception.camera_frames import T_LINK_OPTICAL
from anygrasp_perception.cameras.image_folder import ImageFolderCamera, ImageFolderConfig
from anygrasp_perception.cameras.realsense import RealSenseCamera
from anygrasp_perception.cameras.realsense_config import RealSenseConfig
from anygrasp_perception.cameras.rgbd_camera import (
    BadFrame,
    CameraError,
    CameraSample,
    EndOfRecording,
    RgbdCamera,
)
from anygrasp_perception.ros_conversions import cloud_to_msg, image_to_msg, intrinsics_to_camera_info
from anygrasp_perception.se3 import inverse, pose_to_transform

__all__ = ["CameraNode", "CameraNodeConfig", "main"]

_TRUSTED_AGE_S = 5.0  # a capture time farther from now is another clock's
_SHUTDOWN_S = 1.0  # beside the time-out of the image under way


@dataclass(frozen=True)
class CameraNodeConfig:
    """Defaults of the camera node; raises ValueError on a rate or time that is not positive."""

    folder: str = ""  # a folder of images to publish instead of a camera
    name: str = ""  # only this image of the folder
    camera_name: str = "camera"  # prefix of topics and frames, as in realsense-ros
    rate_hz: float = 10.0  # at most so many images a second
    cloud: bool = True  # publish depth/color/points while somebody subscribes
    retry_s: float = 2.0  # pause before a lost camera is started again
    timeout_s: float = 2.0  # without an image for so long the camera counts as lost
    mount_frame: str = ""  # where the camera is fixed; empty: somebody else publishes that transform
    # position of the colour camera's optical frame in mount_frame, written by `./run calibrate`
    optical_xyz_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    # its orientation: z along the view, x right and y down in the image
    optical_quat_xyzw: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)
    realsense: RealSenseConfig = field(default_factory=RealSenseConfig)

    def __post_init__(self) -> None:
        if min(self.rate_hz, self.retry_s, self.timeout_s) <= 0:
            raise ValueError("rate_hz, retry_s and timeout_s must be positive")
        pose_to_transform(self.optical_xyz_m, self.optical_quat_xyzw)

    def camera(self) -> RgbdCamera:
        """The source these values describe."""
        if self.folder:
            return ImageFolderCamera(ImageFolderConfig(self.folder, self.name))
        return RealSenseCamera(self.realsense)


class CameraNode(Node):
    """Streams from its own thread; a lost camera is reported and started again."""

    def __init__(
        self, open_camera: Callable[[CameraNodeConfig], RgbdCamera] = CameraNodeConfig.camera
    ) -> None:
        """`open_camera`: another way to the camera than by its config."""
        super().__init__("camera")
        self._open_camera = open_camera
        self._config = declare_parameters(self, CameraNodeConfig)
        prefix = f"/{self._config.camera_name}/{self._config.camera_name}"
        self._frame_id = f"{self._config.camera_name}_color_optical_frame"
        self._color = self.create_publisher(Image, f"{prefix}/color/image_raw", SENSOR_DATA)
        self._info = self.create_publisher(CameraInfo, f"{prefix}/color/camera_info", SENSOR_DATA)
        self._depth = self.create_publisher(Image, f"{prefix}/aligned_depth_to_color/image_raw", SENSOR_DATA)
        self._points = self.create_publisher(PointCloud2, f"{prefix}/depth/color/points", SENSOR_DATA)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", RESULTS)
        self._static_tf = StaticTransformBroadcaster(self)
        self._static_tf.sendTransform(self._static_transforms())
        self._counts: Counter[str] = Counter(images=0, lost=0, reconnects=0)
        self._state = "starting"
        self._last_image_s = -float("inf")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._stream, name="camera", daemon=True)
        self._thread.start()
        self.create_timer(1.0, self._publish_diagnostics)

    def destroy_node(self) -> None:
        """Stop the camera, then the node."""
        self._stop.set()
        self._thread.join(timeout=self._config.timeout_s + _SHUTDOWN_S)
        super().destroy_node()

    def _stream(self) -> None:
        while not self._stop.is_set():
            try:
                with self._open_camera(self._config) as camera:
                    self._started(camera.describe())
                    self._read(camera)
            except EndOfRecording as end:
                self._state = str(end)
                self.get_logger().info(f"{end}; nothing more to publish")
                return
            except CameraError as error:
                self._lost(str(error))
            except RCLError:
                if self.context.ok():  # else: Ctrl-C between two messages
                    raise
            except Exception as error:  # a thread that dies unseen would leave a node that only looks alive
                self._lost(f"unexpected {type(error).__name__}: {error}")

    def _read(self, camera: RgbdCamera) -> None:
        period_s, due_s = 1.0 / self._config.rate_hz, time.monotonic()
        while not self._stop.wait(max(0.0, due_s - time.monotonic())):
            due_s = time.monotonic() + period_s
            try:
                sample = camera.read(self._config.timeout_s)
            except BadFrame as error:
                self._counts[f"dropped.{error.reason}"] += 1
                self._state = f"frame dropped: {error}"
                self.get_logger().warning(self._state, throttle_duration_sec=5.0)
                continue
            self._publish(sample)
            self._counts["images"] += 1
            self._last_image_s = time.monotonic()
            self._state = camera.describe()

    def _started(self, description: str) -> None:
        if self._counts["lost"] and self._counts["images"]:
            self._counts["reconnects"] += 1
        self._state = description
        self.get_logger().info(f"camera started: {description}")

    def _lost(self, why: str) -> None:
        self._counts["lost"] += 1
        self._state = why
        self.get_logger().error(f"{why}; trying again in {self._config.retry_s:.1f} s")
        self._stop.wait(self._config.retry_s)

    def _publish(self, sample: CameraSample) -> None:
        header = Header(stamp=self._stamp(sample), frame_id=self._frame_id)
        self._info.publish(intrinsics_to_camera_info(sample.intrinsics, header))
        self._color.publish(image_to_msg(sample.color, "rgb8", header))
        self._depth.publish(image_to_msg(sample.depth_mm, "16UC1", header))
        if self._config.cloud and self._points.get_subscription_count():
            points = depth_to_points(depth_to_metres(sample.depth_mm), sample.intrinsics)
            self._points.publish(cloud_to_msg(points, sample.color, header))

    def _stamp(self, sample: CameraSample):  # type: ignore[no-untyped-def]  # builtin_interfaces/Time
        now = self.get_clock().now()
        taken_s = sample.capture_time_s
        if taken_s is not None and abs(now.nanoseconds * 1e-9 - taken_s) < _TRUSTED_AGE_S:
            return Time(nanoseconds=round(taken_s * 1e9)).to_msg()
        return now.to_msg()

    def _publish_diagnostics(self) -> None:
        fresh = time.monotonic() - self._last_image_s < self._config.timeout_s
        values = {name: str(count) for name, count in sorted(self._counts.items())}
        self._diagnostics.publish(status_message(self, "camera", fresh, self._state, values))

    def _static_transforms(self) -> list[TransformStamped]:
        config = self._config
        link, color = f"{config.camera_name}_link", f"{config.camera_name}_color_frame"
        stamp = self.get_clock().now().to_msg()
        no_offset = pose_to_transform((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))
        transforms = [
            transform_to_stamped_msg(link, color, no_offset, stamp),
            transform_to_stamped_msg(color, self._frame_id, T_LINK_OPTICAL, stamp),
        ]
        if config.mount_frame:
            T_mount_optical = pose_to_transform(config.optical_xyz_m, config.optical_quat_xyzw)
            T_mount_link = T_mount_optical @ inverse(T_LINK_OPTICAL)
            transforms.append(transform_to_stamped_msg(config.mount_frame, link, T_mount_link, stamp))
        return transforms


def main() -> int:
    """Entry point `camera`."""
    return run_node(CameraNode)
