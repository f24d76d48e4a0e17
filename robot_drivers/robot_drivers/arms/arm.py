# SPDX-License-Identifier: Apache-2.0
"""What every robot arm can do, and how it fails."""

from __future__ import annotations

from enum import Enum
from types import TracebackType
from typing import Protocol

from anygrasp_perception.arrays import Float64Array

__all__ = ["Arm", "ArmError", "ArmLost", "ArmState", "ArmStopped", "UnreachablePose"]


class ArmState(Enum):
    """Whether an arm moves on command, and if not, why."""

    RUNNING = "running"
    PROTECTIVE_STOP = "protective stop"
    EMERGENCY_STOP = "emergency stop"
    SAFEGUARD_STOP = "safeguard stop"
    NOT_READY = "not ready"  # no power, brakes on, booting, not in remote control
    DISCONNECTED = "disconnected"


class ArmError(RuntimeError):
    """The arm did not do what was asked; the message says what happened and what to do."""


class ArmLost(ArmError):
    """The connection to the arm is gone: call `connect` again."""


class ArmStopped(ArmError):
    """The arm was stopped, by request, by the user or by its safety system."""


class UnreachablePose(ArmError):
    """No joint angles within the limits reach the pose."""


class Arm(Protocol):
    """An arm of six or seven joints. Poses are (4, 4) transforms of the TCP in its `base` frame, z up.

    The TCP lies between the fingertips; its z axis points along the approach, its y along the closing
    direction. As a context manager the arm is connected on entry, stopped and disconnected on exit.
    Everything but `stop` raises ArmLost when the connection is gone.
    """

    def connect(self) -> None:
        """Connect to an arm that is ready to move; does nothing while connected.

        Raises:
            ArmError: the arm cannot be reached or is not ready.
        """
        ...

    def close(self) -> None:
        """Bring the arm to rest and disconnect; does nothing while disconnected."""
        ...

    def state(self) -> ArmState:
        """Present state; DISCONNECTED instead of an error."""
        ...

    def joint_positions(self) -> Float64Array:
        """Measured joint angles, (6,) or (7,) rad: as many as the arm has joints."""
        ...

    def tcp_pose(self) -> Float64Array:
        """Measured T_base_tcp, (4, 4)."""
        ...

    def forward_kinematics(self, q_rad: Float64Array) -> Float64Array:
        """T_base_tcp (4, 4) at the joint angles rad."""
        ...

    def nominal_poses(self, q_rad: Float64Array) -> Float64Array:
        """T_base_tcp (N, 4, 4) at angles (N, joints) rad by published figures: quick, off by millimetres."""
        ...

    def inverse_kinematics(self, T_base_tcp: Float64Array) -> Float64Array:
        """Joint angles rad that put the TCP at the pose, those nearest to the present ones.

        Raises:
            UnreachablePose: there are none that the arm can move to without folding itself over.
        """
        ...

    def is_reachable(self, T_base_tcp: Float64Array) -> bool:
        """Whether the arm can move to the pose from where it is without folding itself over."""
        ...

    def move_linear(self, T_base_tcp: Float64Array, *, speed_m_s: float, acceleration_m_s2: float) -> None:
        """Move the TCP on a straight line to the pose; returns when it is there.

        Raises:
            UnreachablePose: refused, the arm has not moved.
            ArmStopped: `stop` was called, or the arm's safety stopped it; it rests.
        """
        ...

    def move_joints(self, q_rad: Float64Array, *, speed_rad_s: float, acceleration_rad_s2: float) -> None:
        """Move all joints together to the angles rad; returns when they are there.

        Raises:
            ArmStopped: `stop` was called, or the arm's safety stopped it; it rests.
        """
        ...

    def servo(self, T_base_tcp: Float64Array, *, duration_s: float) -> None:
        """Be at the pose `duration_s` from now, on a straight line from the last one; returns at once.

        The arm follows with the lag of its controller and holds the last pose until the next call, a move
        or `end_servo`. Steps are small: whoever calls limits speed and acceleration (`Steering` does).

        Raises:
            UnreachablePose: no joint angles for the pose; the arm holds the one before.
            ArmStopped: `stop` was called, or the arm's safety stopped it; it rests.
        """
        ...

    def end_servo(self) -> None:
        """Bring a servoing arm to rest, and return then; does nothing otherwise."""
        ...

    def recover(self) -> str:
        """Release what may be released from here, once a person has looked; says what was done.

        A stop that somebody has to release at the robot stays, and nothing moves.

        Raises:
            ArmStopped: the arm's own safety still holds it; the message says what to do.
            ArmError: it does not get ready.
        """
        ...

    def stop(self) -> None:
        """Halt within 100 ms; callable from any thread, returns at once. Moves are refused from then on."""
        ...

    def clear_stop(self) -> None:
        """Allow moves again after `stop`.

        Raises:
            ArmStopped: the arm's own safety still holds it.
        """
        ...

    def __enter__(self) -> Arm: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
