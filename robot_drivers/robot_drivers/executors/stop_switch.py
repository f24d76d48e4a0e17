# SPDX-License-Identifier: Apache-2.0
"""Latch that ends a run from any thread: cancel or emergency stop."""

from __future__ import annotations

import threading

from robot_drivers.executors.pick_errors import PickError, PickFailed

__all__ = ["StopSwitch"]


class StopSwitch:
    """Remembers why everything must stand still, until it is reset.

    `event` is set while the switch is tripped, for code that waits on something else meanwhile.
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self._lock = threading.Lock()
        self._reason: PickError | None = None
        self._message = ""

    @property
    def reason(self) -> PickError | None:
        """CANCELED or EMERGENCY_STOP while tripped, else None."""
        return self._reason

    @property
    def message(self) -> str:
        """Why everything must stand still, for people; empty while nothing is tripped."""
        with self._lock:
            return "" if self._reason is None else self._message or f"stopped: {self._reason.value}"

    def trip(self, reason: PickError, message: str = "") -> None:
        """Latch `reason`; an emergency stop outranks a cancel, and the first message stays.

        Raises:
            ValueError: `reason` is neither CANCELED nor EMERGENCY_STOP.
        """
        if reason not in (PickError.CANCELED, PickError.EMERGENCY_STOP):
            raise ValueError(f"stop reason {reason.value}: use CANCELED or EMERGENCY_STOP")
        with self._lock:
            if self._reason in (None, PickError.CANCELED) and self._reason is not reason:
                self._reason, self._message = reason, message
            self.event.set()

    def yields_to(self, reason: PickError) -> bool:
        """Whether releasing a stop of this reason releases what is latched: a cancel, or nothing, always."""
        return self._reason is not PickError.EMERGENCY_STOP or reason is PickError.EMERGENCY_STOP

    def reset(self) -> None:
        """Release whatever is latched."""
        with self._lock:
            self._reason, self._message = None, ""
            self.event.clear()

    def check(self) -> None:
        """Raise PickFailed with the latched reason, if there is one."""
        with self._lock:
            if self._reason is not None:
                raise PickFailed(self._reason, self._message or f"stopped: {self._reason.value}")
