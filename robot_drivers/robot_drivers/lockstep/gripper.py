# SPDX-License-Identifier: Apache-2.0
"""The Robotiq driver on the registers of an emulated gripper in the same process."""

from __future__ import annotations

from types import TracebackType

from robot_drivers.grippers.gripper import GripperLost
from robot_drivers.grippers.robotiq import RobotiqConfig, RobotiqRegisters
from robot_drivers.lockstep.robot import LockstepRobot

__all__ = ["LockstepGripper"]


class LockstepGripper(RobotiqRegisters):
    """A `Gripper`; its moves advance the simulation."""

    def __init__(self, lockstep: LockstepRobot, config: RobotiqConfig | None = None) -> None:
        super().__init__(config, lockstep)
        self._robot = lockstep.robot
        self._connected = False

    def connect(self) -> None:
        """See Gripper."""
        self._connected = True

    def close(self) -> None:
        """See Gripper."""
        self._connected = False

    def __enter__(self) -> LockstepGripper:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _get(self, name: str) -> int:
        self._check_connected()
        with self._robot.lock:
            value = self._robot.gripper.read(name)
        if value is None:
            raise GripperLost(f"the emulated gripper has no register {name}: is it a Robotiq?")
        return value

    def _set(self, **registers: int) -> None:
        self._check_connected()
        with self._robot.lock:
            taken = self._robot.gripper.write(registers)
        if not taken:
            raise GripperLost(f"the emulated gripper refused {registers}: values are 0 to 255")

    def _check_connected(self) -> None:
        if not self._connected:
            raise GripperLost("not connected to the gripper: call connect first")
