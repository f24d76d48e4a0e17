# SPDX-License-Identifier: Apache-2.0
"""The checks by name, with their time limits."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `./run doctor --help` works before anything is installed
    from anygrasp_bringup.doctor.finding import Finding
    from anygrasp_bringup.doctor.settings import DoctorSettings

__all__ = ["CHECKS", "Check"]


@dataclass(frozen=True)
class Check:
    """Where a check is, how long it may take, and what it looks at."""

    module: str  # of this package, with a function check(settings)
    limit_s: float
    about: str

    def load(self) -> Callable[[DoctorSettings], Iterable[Finding]]:
        """Its function."""
        module = importlib.import_module(f"anygrasp_bringup.doctor.{self.module}")
        function: Callable[[DoctorSettings], Iterable[Finding]] = module.check
        return function


CHECKS = {
    "libraries": Check("libraries", 180.0, "Python, pinned versions, and whether they can be imported"),
    "machine": Check("machine", 60.0, "processor, cores, memory, load, disk"),
    "permissions": Check("permissions", 60.0, "udev rules of the RealSense, serial ports"),
    "network": Check("network", 60.0, "interfaces, loopback, multicast, the way to the robot"),
    "shared_memory": Check("shared_memory", 60.0, "room in /dev/shm for images between processes"),
    "dds": Check("dds", 60.0, "two ROS 2 processes find each other and exchange images"),
    "weights": Check("weights", 180.0, "the network's weights load"),
    "camera": Check("camera", 60.0, "RealSense cameras, their USB speed, an image with depth"),
    "calibration": Check("calibration", 60.0, "pose of the camera: measured, plausible, how old, how good"),
    "robot": Check("robot", 60.0, "UR: ports, remote control, state; Flexiv: reachable, state"),
    "gripper": Check("gripper", 60.0, "Robotiq by its socket, bridge or serial port; its fault"),
}
