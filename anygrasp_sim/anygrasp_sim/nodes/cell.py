# SPDX-License-Identifier: Apache-2.0
"""Cell node: simulated time, camera and ground truth on topics, the robot behind emulated controllers."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import mujoco.viewer
from rclpy._rclpy_pybind11 import RCLError
from rclpy.node import Node
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from anygrasp_bringup.nodes.parameters import declare_parameters
from anygrasp_bringup.nodes.qos import RESULTS, SENSOR_DATA
from anygrasp_bringup.nodes.spinning import run_node
from anygrasp_bringup.nodes.tf import StaticTransformBroadcaster
from anygrasp_bringup.nodes.transform_conversions import transform_to_stamped_msg
from anygrasp_msgs.msg import CellObjects
from anygrasp_perception.camera import RgbdFrame, depth_to_points
from anygrasp_perception.camera_frames import T_LINK_OPTICAL
from anygrasp_perception.ros_conversions import cloud_to_msg, image_to_msg, intrinsics_to_camera_info
from anygrasp_perception.se3 import inverse
from anygrasp_sim.cell import BinPickingCell
from anygrasp_sim.cell_config import CellConfig
from anygrasp_sim.emulators.ur_controller import UrController
from anygrasp_sim.ros_conversions import objects_to_msg

__all__ = ["CellNode", "CellNodeConfig", "main"]

CAMERA_FRAME = "camera_color_optical_frame"


@dataclass(frozen=True)
class CellNodeConfig:
    """The cell and how it is shown; raises ValueError on rates that are not positive."""

    viewer: bool = False  # show the cell in a window
    speed: float = 2.0  # simulated seconds a wall second, at most
    camera_rate_hz: float = 4.0  # images a simulated second
    objects_rate_hz: float = 10.0  # ground truth a simulated second
    controller_host: str = "127.0.0.1"  # where the emulated controllers listen
    cell: CellConfig = field(default_factory=CellConfig)

    def __post_init__(self) -> None:
        for name in ("speed", "camera_rate_hz", "objects_rate_hz"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")


class CellNode(Node):
    """The simulation runs in one thread of its own, which also draws and publishes."""

    def __init__(self) -> None:
        super().__init__("cell")
        self._config = declare_parameters(self, CellNodeConfig)
        self._clock_publisher = self.create_publisher(Clock, "/clock", SENSOR_DATA)
        self._objects = self.create_publisher(CellObjects, "cell/objects", RESULTS)
        prefix = "/camera/camera"
        self._color = self.create_publisher(Image, f"{prefix}/color/image_raw", SENSOR_DATA)
        self._info = self.create_publisher(CameraInfo, f"{prefix}/color/camera_info", SENSOR_DATA)
        self._depth = self.create_publisher(Image, f"{prefix}/aligned_depth_to_color/image_raw", SENSOR_DATA)
        self._points = self.create_publisher(PointCloud2, f"{prefix}/depth/color/points", SENSOR_DATA)
        self._static_tf = StaticTransformBroadcaster(self)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._simulate, name="simulation")
        self._thread.start()

    def halt(self) -> None:
        """End the simulation."""
        self._stop.set()
        self._thread.join()

    def destroy_node(self) -> None:
        """End the simulation, then the node."""
        self.halt()
        super().destroy_node()

    def _simulate(self) -> None:
        try:
            self._bring_up()
        except RCLError:
            if self.context.ok():  # else: Ctrl-C between two messages
                raise

    def _bring_up(self) -> None:
        config = self._config.cell
        self.get_logger().info(f"dropping {config.object_count} objects, seed {config.seed}")
        host = self._config.controller_host
        with BinPickingCell(config) as cell, UrController("ur5e", cell, host) as controller:
            self.get_logger().info(f"objects at rest; robot controller listening on {host}")
            self._publish_static_transforms(cell)
            viewer = mujoco.viewer.launch_passive(cell.model, cell.data) if self._config.viewer else None
            try:
                self._run(cell, controller, viewer)
            finally:
                if viewer is not None:
                    viewer.close()

    def _run(self, cell: BinPickingCell, controller: UrController, viewer) -> None:  # type: ignore[no-untyped-def]
        period_s = cell.config.control_period_s
        next_image_s = next_objects_s = 0.0
        wall_start, sim_start_s = time.monotonic(), cell.time_s
        while not self._stop.is_set():
            controller.tick(period_s)
            cell.step()
            now_s = cell.time_s
            stamp = Time(seconds=now_s).to_msg()
            self._clock_publisher.publish(Clock(clock=stamp))
            if now_s >= next_objects_s:
                base = Header(stamp=stamp, frame_id="base")
                self._objects.publish(objects_to_msg(cell.object_states(), base))
                next_objects_s = now_s + 1.0 / self._config.objects_rate_hz
            if now_s >= next_image_s:
                self._publish_frame(cell.render(), Header(stamp=stamp, frame_id=CAMERA_FRAME))
                next_image_s = now_s + 1.0 / self._config.camera_rate_hz
                if viewer is not None:
                    viewer.sync()
            # The simulated clock may run at most `speed` times as fast as the wall's.
            ahead_s = (now_s - sim_start_s) / self._config.speed - (time.monotonic() - wall_start)
            if ahead_s > 0:
                self._stop.wait(ahead_s)
            elif ahead_s < -0.2:  # fell behind: go on from here instead of racing to catch up
                wall_start, sim_start_s = time.monotonic(), now_s

    def _publish_frame(self, frame: RgbdFrame, header: Header) -> None:
        self._info.publish(intrinsics_to_camera_info(frame.intrinsics, header))
        if frame.color is not None:
            self._color.publish(image_to_msg(frame.color, "rgb8", header))
        depth_mm = (frame.depth_m * 1000.0).round().astype("uint16")
        self._depth.publish(image_to_msg(depth_mm, "16UC1", header))
        if self._points.get_subscription_count():
            points = depth_to_points(frame.depth_m, frame.intrinsics)
            self._points.publish(cloud_to_msg(points, frame.color, header))

    def _publish_static_transforms(self, cell: BinPickingCell) -> None:
        stamp = Time().to_msg()
        T_base_link = cell.T_base_camera @ inverse(T_LINK_OPTICAL)
        self._static_tf.sendTransform(
            [
                transform_to_stamped_msg("base", "camera_link", T_base_link, stamp),
                transform_to_stamped_msg("camera_link", CAMERA_FRAME, T_LINK_OPTICAL, stamp),
            ]
        )


def main() -> int:
    """Entry point `cell`."""
    return run_node(CellNode)
