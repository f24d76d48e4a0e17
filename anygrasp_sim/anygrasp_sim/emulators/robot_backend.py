# SPDX-License-Identifier: Apache-2.0
"""What an emulated controller moves: the protocol, and a backend of perfect joints without physics."""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import Float64Array

__all__ = ["HOME_JOINTS_RAD", "GripperContact", "KinematicBackend", "RobotBackend"]

# Elbow up over the plate side of the base, tool straight down.
HOME_JOINTS_RAD = (-np.pi / 2, -np.pi / 2, -np.pi / 2, -np.pi / 2, np.pi / 2, 0.0)


class GripperContact(IntEnum):
    """The Robotiq object status (register gOBJ)."""

    MOVING = 0
    OBJECT_WHILE_OPENING = 1
    OBJECT_WHILE_CLOSING = 2
    AT_POSITION = 3


class RobotBackend(Protocol):
    """Six joints and a gripper, called only from the thread that ticks the controller."""

    def joint_positions(self) -> Float64Array:
        """Measured joint angles, (6,) rad."""
        ...

    def joint_velocities(self) -> Float64Array:
        """Measured joint speeds, (6,) rad/s."""
        ...

    def command_joints(self, q_rad: Float64Array) -> None:
        """Set the joint angles (6,) rad to be at by the end of this controller period; called once a tick."""
        ...

    def gripper_position(self) -> float:
        """Measured opening, 0 (fully open) to 1 (fully closed)."""
        ...

    def command_gripper(self, position: float, speed: float, force: float) -> None:
        """Move to an opening (0 open, 1 closed) with a speed and force (0 to 1 of the gripper's range).

        Called once a request, not every tick; the fingers go on until they arrive or meet an object.
        """
        ...

    def gripper_object_detected(self) -> GripperContact:
        """Say whether the fingers move, rest at the commanded opening, or were stopped by an object."""
        ...


class KinematicBackend:
    """Joints that are where they are told to be, and a gripper that takes its time.

    Args:
        joints_rad: (6,) joint angles at the start, rad.
        period_s: controller period; a tick moves the gripper on by this long.
        gripper_stroke_s: time of a full stroke at full speed (2F-85: 85 mm at 150 mm/s); the slowest is
            7.5 times longer (20 mm/s).

    `object_at` (0 to 1, or None) is where an object between the fingers stops them from closing.
    """

    def __init__(
        self,
        joints_rad: ArrayLike = HOME_JOINTS_RAD,
        period_s: float = 0.008,
        gripper_stroke_s: float = 0.57,
    ) -> None:
        self.object_at: float | None = None
        self._q = np.array(joints_rad, dtype=float)
        self._qd = np.zeros(6)
        self._period_s = period_s
        self._full_speed = 1.0 / gripper_stroke_s
        self._opening = 0.0
        self._target = 0.0
        self._speed = 1.0
        self._contact = GripperContact.AT_POSITION

    def joint_positions(self) -> Float64Array:
        return self._q.copy()

    def joint_velocities(self) -> Float64Array:
        return self._qd.copy()

    def command_joints(self, q_rad: Float64Array) -> None:
        self._qd = (q_rad - self._q) / self._period_s
        self._q = np.array(q_rad, dtype=float)
        self._step_gripper()

    def gripper_position(self) -> float:
        return self._opening

    def command_gripper(self, position: float, speed: float, force: float) -> None:
        if position != self._target:
            self._contact = GripperContact.MOVING
        self._target, self._speed = position, speed

    def gripper_object_detected(self) -> GripperContact:
        return self._contact

    def _step_gripper(self) -> None:
        step = self._full_speed * (2.0 / 15.0 + 13.0 / 15.0 * self._speed) * self._period_s
        wanted = self._target
        blocked = self.object_at is not None and self._opening <= self.object_at < wanted
        goal = self.object_at if blocked and self.object_at is not None else wanted
        self._opening += float(np.clip(goal - self._opening, -step, step))
        if self._opening != goal:
            self._contact = GripperContact.MOVING
        else:
            self._contact = GripperContact.OBJECT_WHILE_CLOSING if blocked else GripperContact.AT_POSITION
