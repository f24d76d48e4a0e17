# SPDX-License-Identifier: Apache-2.0
"""Camera node: publishes an RGB-D camera under the names of realsense-ros.

Use it with a RealSense, with a recording, or with a folder of images; a user's own realsense-ros
node is a drop-in replacement.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from anygrasp_bringup.nodes.parameters import declare_parameters
from anygrasp_bringup.nodes.qos import SENSOR_DATA
from anygrasp_bringup.nodes.spinning import run_node
from anygrasp_bringup.nodes.tf import StaticTransformBroadcaster
from anygrasp_bringup.nodes.transform_conversions import transform_to_stamped_msg
from anygrasp_perception.cameras.image_folder import ImageFolderCamera, ImageFolderConfig
from anygrasp_perception.cameras.realsense import RealSenseCamera, RealSenseConfig
from anygrasp_perception.cameras.rgbd_camera import CameraError, CameraSample, EndOfRecording, RgbdCamera
from anygrasp_perception.ros_conversions import image_to_msg, intrinsics_to_camera_info
from anygrasp_perception.se3 import pose_to_transform

__all__ = ["CameraNode", "CameraNodeConfig", "main"]

# camera_link has x forward and z up, its optical frame z forward and y down (REP 103).
T_LINK_OPTICAL = pose_to_transform((0.0, 0.0, 0.0), (-0.5, 0.5, -0.5, 0.5))


@dataclass(frozen=True)
class CameraNodeConfig:
    """Defaults of the camera node; raises ValueError on a rate or time that is not positive."""

    folder: str = ""  # a folder of images to publish instead of a camera
    name: str = ""  # only this image of the folder
    camera_name: str = "camera"  # prefix of topics and frames, as in realsense-ros
    rate_hz: float = 10.0  # at most so many images a second
    retry_s: float = 2.0  # pause before a lost camera is started again
    timeout_s: float = 2.0  # without an image for so long the camera counts as lost
    mount_frame: str = ""  # where the camera is fixed; empty: somebody else publishes that transform
    mount_xyz_m: tuple[float, float, float] = (
        0.0,
        0.0,
        0.0,
    )  # camera_link in mount_frame, hand-eye calibration
    mount_quat_xyzw: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)
    realsense: RealSenseConfig = field(default_factory=RealSenseConfig)

    def __post_init__(self) -> None:
        if min(self.rate_hz, self.retry_s, self.timeout_s) <= 0:
            raise ValueError("rate_hz, retry_s and timeout_s must be positive")

    def camera(self) -> RgbdCamera:
        """The source these values describe."""
        if self.folder:
            return ImageFolderCamera(ImageFolderConfig(self.folder, self.name))
        return RealSenseCamera(self.realsense)


class CameraNode(Node):
    """Streams from its own thread; a lost camera is reported and started again."""

    def __init__(self) -> None:
        super().__init__("camera")
        self._config = declare_parameters(self, CameraNodeConfig)
        prefix = f"/{self._config.camera_name}/{self._config.camera_name}"
        self._frame_id = f"{self._config.camera_name}_color_optical_frame"
        self._color = self.create_publisher(Image, f"{prefix}/color/image_raw", SENSOR_DATA)
        self._info = self.create_publisher(CameraInfo, f"{prefix}/color/camera_info", SENSOR_DATA)
        self._depth = self.create_publisher(Image, f"{prefix}/aligned_depth_to_color/image_raw", SENSOR_DATA)
        self._static_tf = StaticTransformBroadcaster(self)
        self._static_tf.sendTransform(self._static_transforms())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._stream, name="camera", daemon=True)
        self._thread.start()

    def destroy_node(self) -> None:
        """Stop the camera, then the node."""
        self._stop.set()
        self._thread.join(timeout=self._config.timeout_s + 1.0)
        super().destroy_node()

    def _stream(self) -> None:
        while not self._stop.is_set():
            try:
                with self._config.camera() as camera:
                    self.get_logger().info("camera started")
                    while not self._stop.wait(1.0 / self._config.rate_hz):
                        self._publish(camera.read(self._config.timeout_s))
            except EndOfRecording as end:
                self.get_logger().info(f"{end}; nothing more to publish")
                return
            except CameraError as error:
                self.get_logger().error(f"{error}; trying again in {self._config.retry_s:.1f} s")
                self._stop.wait(self._config.retry_s)

    def _publish(self, sample: CameraSample) -> None:
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._frame_id)
        self._info.publish(intrinsics_to_camera_info(sample.intrinsics, header))
        self._color.publish(image_to_msg(sample.color, "rgb8", header))
        self._depth.publish(image_to_msg(sample.depth_mm, "16UC1", header))

    def _static_transforms(self) -> list[TransformStamped]:
        config, link = self._config, f"{self._config.camera_name}_link"
        stamp = self.get_clock().now().to_msg()
        transforms = [transform_to_stamped_msg(link, self._frame_id, T_LINK_OPTICAL, stamp)]
        if config.mount_frame:
            T_mount_link = pose_to_transform(config.mount_xyz_m, config.mount_quat_xyzw)
            transforms.append(transform_to_stamped_msg(config.mount_frame, link, T_mount_link, stamp))
        return transforms


def main() -> int:
    """Entry point `camera`."""
    return run_node(CameraNode)
