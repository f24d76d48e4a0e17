# SPDX-License-Identifier: Apache-2.0
"""Robotiq 2F-85 and 2F-140 by the registers of their controller, whichever way these are reached."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace

from robot_drivers.clock import Clock, WallClock
from robot_drivers.grippers.gripper import GripperError, GripperState, GripperTimeout

__all__ = ["RobotiqConfig", "RobotiqRegisters"]

_POLL_S = 0.01

# By then the gripper has begun to move.
_REACTION_S = 0.1

# Registers STA, OBJ and FLT (Robotiq 2F-85 instruction manual, gripper status).
_ACTIVE = 3
_MOVING, _OBJECT_OPENING, _OBJECT_CLOSING = 0, 1, 2
_FAULTS = {
    5: "its activation is not complete",
    7: "it was not activated",
    8: "it is too hot: let it cool down below 85 C",
    9: "it lost its communication for over a second: check its cable",
    10: "its supply voltage is too low: check 24 V and the cable",
    11: "its automatic release is under way",
    12: "an internal fault: switch it off and on",
    13: "its activation failed: look for something between the fingers",
    14: "an overcurrent: look for something that blocks the fingers",
    15: "its automatic release was used",
}


@dataclass(frozen=True)
class RobotiqConfig:
    """Address, calibration and time limits.

    Raises:
        ValueError: a value outside its range.
    """

    robot_ip: str = "127.0.0.1"  # address of the UR controller that runs the URCap
    port: int = 63352  # of the URCap
    open_width_m: float = 0.085  # between the fingertips of the open gripper; 0.140 for a 2F-140
    open_count: int = 3  # register POS of the open gripper
    closed_count: int = 230  # register POS where the fingertips meet
    answer_timeout_s: float = 2.0  # longest wait for an answer
    move_timeout_s: float = 8.0  # longest motion of the fingers; a slow full stroke takes 4.3 s
    activation_timeout_s: float = 12.0  # longest activation, which opens and closes the fingers once

    def __post_init__(self) -> None:
        if not 0 <= self.open_count < self.closed_count <= 255:
            raise ValueError(
                f"open_count {self.open_count} must be below closed_count {self.closed_count}, both 0 to 255"
            )
        for name in ("open_width_m", "answer_timeout_s", "move_timeout_s", "activation_timeout_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")


class RobotiqRegisters(ABC):
    """The part of a `Gripper` that reads and writes registers: POS, SPE, FOR, GTO, PRE, STA, OBJ and FLT.

    Width is taken as linear in the position count, which for a 2F-85 is good to about 1 mm.
    """

    def __init__(self, config: RobotiqConfig | None = None, clock: Clock | None = None) -> None:
        self.config = config or RobotiqConfig()
        self._clock = clock or WallClock()
        self._stop_requested = threading.Event()

    @abstractmethod
    def close(self) -> None:
        """See Gripper."""

    @abstractmethod
    def _get(self, name: str) -> int:
        """Value of a register; GripperLost when not connected."""

    @abstractmethod
    def _set(self, **registers: int) -> None:
        """Write registers; GripperLost when not connected."""

    def activate(self) -> None:
        """See Gripper; an activation opens and closes the fingers once."""
        if self._get("STA") == _ACTIVE and self._get("FLT") == 0:
            return
        limit_s = self.config.activation_timeout_s
        self._set(ACT=0, GTO=0)  # else the fingers would go to the last request when they are active again
        self._wait(lambda: self._get("STA") == 0, limit_s, "reset")
        self._set(ACT=1)
        self._wait(lambda: self._get("STA") == _ACTIVE, limit_s, "activate")
        self._check_fault()

    def move(self, width_m: float, *, speed: float, force: float) -> GripperState:
        """See Gripper."""
        config = self.config
        if not 0.0 <= width_m <= config.open_width_m:
            raise ValueError(f"width is {width_m} m; this gripper takes 0 to {config.open_width_m} m")
        if not (0.0 <= speed <= 1.0 and 0.0 <= force <= 1.0):
            raise ValueError(f"speed {speed} and force {force} must be 0 to 1")
        closing = 1.0 - width_m / config.open_width_m
        count = round(config.open_count + closing * (config.closed_count - config.open_count))
        self._stop_requested.clear()
        # PRE echoes the request; until it does, OBJ speaks of the last motion. A repetition has no echo.
        repeated = self._get("PRE") == count
        self._set(POS=count, SPE=round(255 * speed), FOR=round(255 * force), GTO=1)
        trusted_s = self._clock.now_s() + (_REACTION_S if repeated else 0.0)

        def rests() -> bool:
            self._check_fault()
            if self._stop_requested.is_set():
                return True
            return (
                self._clock.now_s() >= trusted_s and self._get("PRE") == count and self._get("OBJ") != _MOVING
            )

        self._wait(rests, config.move_timeout_s, f"move to {width_m:.3f} m")
        state = self.state()
        if self._stop_requested.is_set():  # without a request to go anywhere OBJ means nothing
            return replace(state, object_detected=False, moving=False)
        return state

    def state(self) -> GripperState:
        """See Gripper."""
        config = self.config
        closed = (self._get("POS") - config.open_count) / (config.closed_count - config.open_count)
        contact = self._get("OBJ")
        return GripperState(
            width_m=config.open_width_m * min(1.0, max(0.0, 1.0 - closed)),
            object_detected=contact in (_OBJECT_OPENING, _OBJECT_CLOSING),
            moving=contact == _MOVING,
        )

    def stop(self) -> None:
        """See Gripper."""
        self._set(GTO=0)
        self._stop_requested.set()

    def _check_fault(self) -> None:
        fault = self._get("FLT")
        if fault:
            cause = _FAULTS.get(fault, "see its manual")
            raise GripperError(f"the gripper reports fault {fault}: {cause}; then activate it again")

    def _wait(self, condition: Callable[[], bool], limit_s: float, what: str) -> None:
        deadline_s = self._clock.now_s() + limit_s
        while not condition():
            if self._clock.now_s() > deadline_s:
                self.close()
                raise GripperTimeout(
                    f"the gripper did not {what} within {limit_s:.0f} s: is it powered and free to move?"
                )
            self._clock.wait(self._stop_requested, _POLL_S)
