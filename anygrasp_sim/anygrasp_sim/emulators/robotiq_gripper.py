# SPDX-License-Identifier: Apache-2.0
"""Registers of a Robotiq 2F-85: activation, motion requests, object detection, faults."""

from __future__ import annotations

from collections.abc import Mapping

from anygrasp_sim.emulators.robot_backend import GripperContact, RobotBackend

__all__ = ["CLOSED_COUNT", "OPEN_COUNT", "RobotiqGripper"]

# Position counts at the mechanical stops of a 2F-85.
OPEN_COUNT, CLOSED_COUNT = 3, 230

# Ticks for which a new request reports motion before the fingers' own status counts.
_REACTION_TICKS = 5

_WRITABLE = ("ACT", "GTO", "ATR", "ARD", "FOR", "SPE", "POS")

# Register STA.
_RESET, _ACTIVATING, _ACTIVE = 0, 1, 3

# Register FLT; codes from 8 on are major faults, which only a new activation clears.
_NO_FAULT, _ACTIVATION_RUNNING, _ACTIVATE_FIRST, _MAJOR = 0, 5, 7, 8


class RobotiqGripper:
    """The gripper's own controller between the URCap's variables and the backend's fingers."""

    def __init__(self, backend: RobotBackend) -> None:
        self._backend = backend
        self._registers = dict.fromkeys((*_WRITABLE, "PRE", "STA", "OBJ", "FLT"), 0)
        self._registers.update(SPE=255, OBJ=int(GripperContact.AT_POSITION))
        self._position = 0.0
        self._activation_strokes: list[float] = []
        self._requested = False
        self._reaction_ticks = 0

    def read(self, name: str) -> int | None:
        """Value of a register, None for an unknown name."""
        if name == "POS":
            return round(OPEN_COUNT + self._position * (CLOSED_COUNT - OPEN_COUNT))
        return self._registers.get(name)

    def write(self, values: Mapping[str, int]) -> bool:
        """Set registers; False, and nothing set, when a name or value is wrong."""
        if not values or any(k not in _WRITABLE or not 0 <= v <= 255 for k, v in values.items()):
            return False
        registers = self._registers
        if "ACT" in values:
            registers["FLT"] = _NO_FAULT
        registers.update(values)
        self._requested = self._requested or "POS" in values or "GTO" in values
        return True

    def inject_fault(self, code: int) -> None:
        """Raise a fault: 8 overheated, 10 low voltage, 14 overcurrent."""
        self._registers["FLT"] = code
        self._halt()

    def tick(self) -> None:
        """Advance by one controller period."""
        registers = self._registers
        self._position = self._backend.gripper_position()
        self._reaction_ticks = max(0, self._reaction_ticks - 1)
        if not registers["ACT"]:
            registers["STA"] = _RESET
            self._activation_strokes = [1.0, 0.0]  # finds both mechanical stops
        elif registers["STA"] != _ACTIVE and self._contact() is not GripperContact.MOVING:
            if self._activation_strokes:
                registers["STA"] = _ACTIVATING
                self._move(self._activation_strokes.pop(0), speed=1.0, force=0.0)
            else:
                registers["STA"] = _ACTIVE
        if self._requested:
            self._answer_request()
        registers["OBJ"] = int(self._contact())

    def _answer_request(self) -> None:
        registers = self._registers
        self._requested = False
        registers["PRE"] = registers["POS"]
        if registers["FLT"] >= _MAJOR:
            return
        if not registers["GTO"]:
            if registers["STA"] == _ACTIVE:
                self._halt()
        elif registers["STA"] == _RESET:
            registers["FLT"] = _ACTIVATE_FIRST
        elif registers["STA"] == _ACTIVATING:
            registers["FLT"] = _ACTIVATION_RUNNING
            self._requested = True  # carried out once activation is done
        else:
            registers["FLT"] = _NO_FAULT
            position = (registers["PRE"] - OPEN_COUNT) / (CLOSED_COUNT - OPEN_COUNT)
            self._move(min(1.0, max(0.0, position)), registers["SPE"] / 255.0, registers["FOR"] / 255.0)

    def _move(self, position: float, speed: float, force: float) -> None:
        self._backend.command_gripper(position, speed, force)
        self._reaction_ticks = _REACTION_TICKS

    def _halt(self) -> None:
        self._backend.command_gripper(self._position, speed=0.0, force=0.0)

    def _contact(self) -> GripperContact:
        if self._reaction_ticks:
            return GripperContact.MOVING
        return self._backend.gripper_object_detected()
