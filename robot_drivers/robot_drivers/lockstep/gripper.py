# SPDX-License-Identifier: Apache-2.0
"""The Robotiq driver on the registers of an emulated gripper in the same process."""

from __future__ import annotations

from robot_drivers.grippers.gripper import GripperLost
from robot_drivers.grippers.robotiq import RobotiqGripper
from robot_drivers.grippers.robotiq_config import RobotiqConfig
from robot_drivers.lockstep.robot import LockstepRobot

__all__ = ["LockstepRobotiqLink", "lockstep_gripper"]


def lockstep_gripper(robot: LockstepRobot, config: RobotiqConfig | None = None) -> RobotiqGripper:
    """The Robotiq driver on a robot in lock-step; its moves advance the simulation."""
    return RobotiqGripper(config or RobotiqConfig(), LockstepRobotiqLink(robot), robot)


class LockstepRobotiqLink:
    """A `RobotiqLink` without anything in between."""

    def __init__(self, lockstep: LockstepRobot) -> None:
        self._robot = lockstep.robot
        self._open = False

    @property
    def is_open(self) -> bool:
        """See RobotiqLink."""
        return self._open

    def open(self) -> None:
        """See RobotiqLink."""
        self._open = True

    def close(self) -> None:
        """See RobotiqLink."""
        self._open = False

    def read(self, *names: str) -> tuple[int, ...]:
        """See RobotiqLink."""
        with self._robot.lock:
            return tuple(self._read(name) for name in names)

    def write(self, registers: dict[str, int], changed: dict[str, int]) -> None:
        """See RobotiqLink."""
        with self._robot.lock:
            taken = self._robot.gripper.write(changed)
        if not taken:
            self.close()
            raise GripperLost(f"the emulated gripper refused {changed}: values are 0 to 255")

    def _read(self, name: str) -> int:
        value = self._robot.gripper.read(name)
        if value is None:
            self.close()
            raise GripperLost(f"the emulated gripper has no register {name}: is it a Robotiq?")
        return value
