# SPDX-License-Identifier: Apache-2.0
"""What `UrArm` needs of a connected UR controller, whichever way it is reached."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from robot_drivers.arms.ur_snapshot import UrSnapshot

__all__ = ["UrLink"]


class UrLink(Protocol):
    """One connection, from connecting to its loss; every method raises ArmLost when it is gone."""

    @abstractmethod
    def close(self) -> None:
        """Bring the arm to rest and disconnect."""

    @abstractmethod
    def abandon(self) -> None:
        """Give up a broken connection; the arm is stopped by any way that is left."""

    @abstractmethod
    def snapshot(self) -> UrSnapshot:
        """Latest state of the controller."""

    @abstractmethod
    def prepare(self) -> UrSnapshot:
        """State of an arm that takes commands; its control program is started anew where it has ended.

        Raises:
            ArmStopped: the robot's safety holds it.
            ArmError: no power, brakes on, or the program does not start.
        """

    @abstractmethod
    def check_control(self) -> None:
        """Refuse to move an arm that somebody has taken over at its pendant.

        Raises:
            ArmError: it is in Local Control.
        """

    @abstractmethod
    def forward(self, q_rad: Sequence[float]) -> Sequence[float]:
        """UR pose of the TCP at joint angles (6,) rad."""

    @abstractmethod
    def inverse(self, pose: Sequence[float]) -> list[float]:
        """Joint angles (6,) rad near the present ones for a UR pose.

        Raises:
            UnreachablePose: out of reach, beyond a joint's limit, or too far for a joint to turn.
        """

    @abstractmethod
    def begin(self, method: str, target: Sequence[float], speed: float, acceleration: float) -> bool:
        """Begin a moveL or moveJ; whether the controller took it."""

    @abstractmethod
    def servo(self, poses: list[list[float]]) -> UrSnapshot:
        """Servo through UR poses, one a controller period, and hold the last."""

    @abstractmethod
    def end_servo(self) -> None:
        """Bring a servoing arm to rest."""

    @abstractmethod
    def brake(self) -> None:
        """Bring the joints to rest; returns when they are."""

    @abstractmethod
    def end_program(self) -> None:
        """End the control program, so that nothing goes on when the robot's safety releases it."""
