# SPDX-License-Identifier: Apache-2.0
"""The fish cell on topics: clock, wrist camera, ground truth; its robot is an object of this process."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from rclpy._rclpy_pybind11 import RCLError
from rclpy.node import Node
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from anygrasp_bringup.nodes.qos import RESULTS, SENSOR_DATA
from anygrasp_bringup.nodes.tf import StaticTransformBroadcaster
from anygrasp_bringup.nodes.transform_conversions import transform_to_stamped_msg
from anygrasp_msgs.msg import CellObjects
from anygrasp_perception.camera import FrameError, RgbdFrame
from anygrasp_perception.camera_frames import T_LINK_OPTICAL
from anygrasp_perception.ros_conversions import image_to_msg, intrinsics_to_camera_info
from anygrasp_perception.se3 import inverse
from anygrasp_sim.fish.fish_cell import FishCell
from anygrasp_sim.fish.fish_cell_config import FishCellConfig
from anygrasp_sim.fish.flexiv_robot import SimulatedRizon
from anygrasp_sim.ros_conversions import fish_to_msg

__all__ = ["CAMERA_FRAME", "CellClock", "FishCellConfigOnTopics", "FishCellOnTopics"]

CAMERA_FRAME = "camera_color_optical_frame"
_STEP_S = 0.016  # simulated at a time
_LOOK_S = 0.1  # how often who waits for simulated time looks whether he is to stop, wall time


@dataclass(frozen=True)
class FishCellConfigOnTopics:
    """The cell and how it is shown; raises ValueError on rates that are not positive."""

    speed: float = 1.0  # simulated seconds a wall second, at most
    camera_rate_hz: float = 10.0  # images a simulated second
    objects_rate_hz: float = 20.0  # ground truth a simulated second
    clock_rate_hz: float = 20.0  # /clock a simulated second, which every node has to take
    cell: FishCellConfig = field(default_factory=FishCellConfig)

    def __post_init__(self) -> None:
        for name in ("speed", "camera_rate_hz", "objects_rate_hz", "clock_rate_hz"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")


class CellClock:
    """Simulated time for those who drive the cell from other threads: a slow machine hurries nobody."""

    def __init__(self, cell: FishCell) -> None:
        self._cell = cell
        self._changed = threading.Condition()
        self._ended = False

    def now_s(self) -> float:
        """Simulated time."""
        return self._cell.time_s

    def wait(self, stop: threading.Event, timeout_s: float) -> bool:
        """Until so much simulated time has passed, `stop` is set or the cell has ended; whether it is set."""
        end_s = self.now_s() + timeout_s
        with self._changed:
            while self.now_s() < end_s and not stop.is_set() and not self._ended:
                self._changed.wait(_LOOK_S)
        return stop.is_set()

    def tick(self, ended: bool = False) -> None:
        """Wake whoever waits: time has passed, or will no more."""
        with self._changed:
            self._ended = self._ended or ended
            self._changed.notify_all()


class FishCellOnTopics:
    """Runs the cell in a thread of its own, which also draws and publishes on `node`.

    A Flexiv robot has no protocol of ours to speak over a network, so whoever drives the simulated one
    lives in the same process and takes `rdk` for the module flexivrdk.
    """

    def __init__(self, node: Node, config: FishCellConfigOnTopics) -> None:
        self._node, self._config = node, config
        self._cell = FishCell(config.cell)
        self._rizon = SimulatedRizon(self._cell)
        self.clock = CellClock(self._cell)
        self._clock = node.create_publisher(Clock, "/clock", SENSOR_DATA)
        self._objects = node.create_publisher(CellObjects, "cell/objects", RESULTS)
        prefix = "/camera/camera"
        self._color = node.create_publisher(Image, f"{prefix}/color/image_raw", SENSOR_DATA)
        self._info = node.create_publisher(CameraInfo, f"{prefix}/color/camera_info", SENSOR_DATA)
        depth_topic = f"{prefix}/aligned_depth_to_color/image_raw"
        self._depth = node.create_publisher(Image, depth_topic, SENSOR_DATA)
        self._static_tf = StaticTransformBroadcaster(node)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._simulate, name="simulation")
        self._thread.start()

    @property
    def rdk(self) -> object:
        """Stands in for the module flexivrdk."""
        return self._rizon.module

    def close(self) -> None:
        """End the simulation; safe to call twice."""
        self._stop.set()
        self._thread.join()

    def _simulate(self) -> None:
        try:
            self._publish_mount()
            self._run()
        except RCLError:
            if self._node.context.ok():  # else: Ctrl-C between two messages
                raise
        finally:
            self.clock.tick(ended=True)
            self._cell.close()

    def _run(self) -> None:
        next_image_s = next_objects_s = next_clock_s = 0.0
        wall_start, sim_start_s = time.monotonic(), self._cell.time_s
        while not self._stop.is_set():
            self._rizon.advance(_STEP_S)
            self.clock.tick()
            now_s = self._cell.time_s
            stamp = Time(seconds=now_s).to_msg()
            if now_s >= next_clock_s:
                self._clock.publish(Clock(clock=stamp))
                next_clock_s = now_s + 1.0 / self._config.clock_rate_hz
            if now_s >= next_objects_s:
                header = Header(stamp=stamp, frame_id="base")
                self._objects.publish(fish_to_msg(self._cell.fish_states(), header))
                next_objects_s = now_s + 1.0 / self._config.objects_rate_hz
            if now_s >= next_image_s:
                self._publish_frame(Header(stamp=stamp, frame_id=CAMERA_FRAME))
                next_image_s = now_s + 1.0 / self._config.camera_rate_hz
            ahead_s = (now_s - sim_start_s) / self._config.speed - (time.monotonic() - wall_start)
            if ahead_s > 0:
                self._stop.wait(ahead_s)
            elif ahead_s < -0.2:  # fell behind: go on from here instead of racing to catch up
                wall_start, sim_start_s = time.monotonic(), now_s

    def _publish_frame(self, header: Header) -> None:
        try:
            frame: RgbdFrame = self._cell.render()
        except FrameError:  # the camera looks at nothing
            return
        self._info.publish(intrinsics_to_camera_info(frame.intrinsics, header))
        if frame.color is not None:
            self._color.publish(image_to_msg(frame.color, "rgb8", header))
        depth_mm = (frame.depth_m * 1000.0).round().astype("uint16")
        self._depth.publish(image_to_msg(depth_mm, "16UC1", header))

    def _publish_mount(self) -> None:
        """Where the camera sits on the wrist."""
        stamp = Time().to_msg()
        T_tool0_link = self._cell.config.T_flange_camera @ inverse(T_LINK_OPTICAL)
        self._static_tf.sendTransform(
            [
                transform_to_stamped_msg("tool0", "camera_link", T_tool0_link, stamp),
                transform_to_stamped_msg("camera_link", CAMERA_FRAME, T_LINK_OPTICAL, stamp),
            ]
        )
