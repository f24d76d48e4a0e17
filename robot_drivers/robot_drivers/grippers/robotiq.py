# SPDX-License-Identifier: Apache-2.0
"""Robotiq 2F-85 and 2F-140, whatever carries their registers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Protocol

from robot_drivers.clock import Clock, WallClock
from robot_drivers.grippers.gripper import GripperError, GripperLost, GripperState, GripperTimeout
from robot_drivers.grippers.robotiq_config import RobotiqConfig

__all__ = ["ACTIVE", "RobotiqGripper", "RobotiqLink", "fault_text"]

_POLL_S = 0.01

# By then the gripper has begun to move.
_REACTION_S = 0.1

# Registers STA, OBJ and FLT (Robotiq 2F-85 instruction manual, gripper status).
ACTIVE = 3
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


class RobotiqLink(Protocol):
    """Registers of one gripper by their names in the manual: ACT GTO POS SPE FOR; STA OBJ FLT PRE POS.

    After GripperLost or GripperTimeout the link is closed: an answer to come could be a late one.
    """

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        ...

    def open(self) -> None:
        """Connect. Raises GripperLost."""
        ...

    def close(self) -> None:
        """Disconnect."""
        ...

    def read(self, *names: str) -> tuple[int, ...]:
        """Registers, each 0 to 255. Raises GripperLost, GripperTimeout."""
        ...

    def write(self, registers: dict[str, int], changed: dict[str, int]) -> None:
        """Set the requests: all of them, and those among them that change. Raises as `read`."""
        ...


class RobotiqGripper:
    """A `Gripper`; its width is taken as linear in the position count, which is good to about 1 mm.

    Args:
        link: to its registers.
        clock: what motions are watched by.
    """

    def __init__(self, config: RobotiqConfig, link: RobotiqLink, clock: Clock | None = None) -> None:
        self.config = config
        self._link = link
        self._clock = clock or WallClock()
        self._registers = {"ACT": 1, "GTO": 0, "POS": 0, "SPE": 255, "FOR": 0}
        self._exchange_lock = threading.Lock()
        self._stop_requested = threading.Event()

    @property
    def force_range_n(self) -> tuple[float, float]:
        """See Gripper."""
        return (self.config.min_force_n, self.config.max_force_n)

    def connect(self) -> None:
        """See Gripper."""
        with self._exchange_lock:
            if not self._link.is_open:
                self._link.open()

    def close(self) -> None:
        """See Gripper."""
        self._link.close()

    def activate(self) -> None:
        """See Gripper; an activation opens and closes the fingers once."""
        if self._read("STA", "FLT") == (ACTIVE, 0):
            return
        limit_s = self.config.activation_timeout_s
        self._write(ACT=0, GTO=0)  # else the fingers would go to the last request when they are active again
        self._wait(lambda: self._read("STA") == (0,), limit_s, "reset")
        self._write(ACT=1)
        self._wait(lambda: self._read("STA") == (ACTIVE,), limit_s, "activate")
        self._check_fault(*self._read("FLT"))

    def move(self, width_m: float, *, speed: float, force: float) -> GripperState:
        """See Gripper."""
        config = self.config
        if not 0.0 <= width_m <= config.open_width_m:
            raise ValueError(f"width is {width_m} m; this gripper takes 0 to {config.open_width_m} m")
        if not (0.0 <= speed <= 1.0 and 0.0 <= force <= 1.0):
            raise ValueError(f"speed {speed} and force {force} must be 0 to 1")
        closing = 1.0 - width_m / config.open_width_m
        count = round(config.open_count + closing * (config.closed_count - config.open_count))
        self._go(count, round(255 * speed), round(255 * force), f"move to {width_m:.3f} m")
        state = self.state()
        if self._stop_requested.is_set():  # without a request to go anywhere OBJ means nothing
            return replace(state, object_detected=False, moving=False)
        return state

    def measure_stroke(self) -> tuple[int, int]:
        """Close and open the empty gripper slowly; the counts at both ends, for open_count and closed_count.

        Fingers other than the delivered ones meet earlier or later: measure once, write both into the config.
        """
        ends: list[int] = []
        for count in (255, 0):
            self._go(count, 0, 0, f"go to count {count}")
            ends.extend(self._read("POS"))
        closed_count, open_count = ends
        return open_count, closed_count

    def state(self) -> GripperState:
        """See Gripper."""
        config = self.config
        position, contact = self._read("POS", "OBJ")
        closed = (position - config.open_count) / (config.closed_count - config.open_count)
        return GripperState(
            width_m=config.open_width_m * min(1.0, max(0.0, 1.0 - closed)),
            object_detected=contact in (_OBJECT_OPENING, _OBJECT_CLOSING),
            moving=contact == _MOVING,
        )

    def stop(self) -> None:
        """See Gripper."""
        self._write(GTO=0)
        self._stop_requested.set()

    def __enter__(self) -> RobotiqGripper:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _go(self, count: int, speed: int, force: int, what: str) -> None:
        """Send the fingers to a position count; returns when they rest."""
        self._stop_requested.clear()
        # PRE echoes the request; until it does, OBJ speaks of the last motion. A repetition has no echo.
        repeated = self._read("PRE") == (count,)
        self._write(POS=count, SPE=speed, FOR=force, GTO=1)
        trusted_s = self._clock.now_s() + (_REACTION_S if repeated else 0.0)

        def rests() -> bool:
            fault, echo, contact = self._read("FLT", "PRE", "OBJ")
            self._check_fault(fault)
            if self._stop_requested.is_set():
                return True
            return self._clock.now_s() >= trusted_s and echo == count and contact != _MOVING

        self._wait(rests, self.config.move_timeout_s, what)

    def _check_fault(self, fault: int) -> None:
        if fault:
            cause = fault_text(fault)
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

    def _read(self, *names: str) -> tuple[int, ...]:
        with self._exchange_lock:
            self._check_open()
            values = self._link.read(*names)
            if len(values) != len(names) or not all(0 <= value <= 255 for value in values):
                self._link.close()
                raise GripperLost(f"the gripper answered {values} for {names}: is it a Robotiq gripper?")
            return values

    def _write(self, **changed: int) -> None:
        with self._exchange_lock:
            self._check_open()
            self._registers.update(changed)
            self._link.write(dict(self._registers), changed)

    def _check_open(self) -> None:
        if not self._link.is_open:
            raise GripperLost("not connected to the gripper: call connect first")


def fault_text(fault: int) -> str:
    """What the register FLT means, and what to do."""
    return _FAULTS.get(fault, "see its manual")
