# SPDX-License-Identifier: Apache-2.0
"""The time that drivers wait by: the wall's, or that of a simulation which moves on while they wait."""

from __future__ import annotations

import threading
import time
from typing import Protocol

__all__ = ["Clock", "WallClock"]


class Clock(Protocol):
    """Time in seconds from an arbitrary start, and waiting."""

    def now_s(self) -> float:
        """Present time."""
        ...

    def wait(self, stop: threading.Event, timeout_s: float) -> bool:
        """Let `timeout_s` pass, or less when `stop` is set; whether it is."""
        ...


class WallClock:
    """The computer's monotonic clock."""

    def now_s(self) -> float:
        """See Clock."""
        return time.monotonic()

    def wait(self, stop: threading.Event, timeout_s: float) -> bool:
        """See Clock."""
        return stop.wait(timeout_s)
