# SPDX-License-Identifier: Apache-2.0
"""Notices what has gone quiet while the arm moves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Watchdog", "WatchdogConfig"]

_ADVICE = {
    "perception": "check the camera and its cable",
    "heartbeat": "check the program that sends the heartbeat",
    "controller": "check the robot's network and that it is switched on",
}


@dataclass(frozen=True)
class WatchdogConfig:
    """How long each may be quiet while a goal is under way, in wall-clock seconds; 0 is as long as it likes.

    Raises:
        ValueError: a negative time.
    """

    perception_s: float = 10.0  # images; once there has been one
    heartbeat_s: float = 0.0  # the topic `heartbeat`, e.g. of a supervising program; from the start of a goal
    controller_s: float = 5.0  # states of the robot; once there has been one

    def __post_init__(self) -> None:
        for name in ("perception_s", "heartbeat_s", "controller_s"):
            if not getattr(self, name) >= 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}; use 0 or more seconds")


class Watchdog:
    """Told by `beat` that a source lives; `quiet` names the first that does not. Usable from any thread."""

    def __init__(self, config: WatchdogConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits_s = {
            "perception": config.perception_s,
            "heartbeat": config.heartbeat_s,
            "controller": config.controller_s,
        }
        self._clock = clock
        self._lock = threading.Lock()
        self._heard_s: dict[str, float] = {}
        self._watched_since_s: float | None = None

    def beat(self, source: str) -> None:
        """Note a sign of life of `perception`, `heartbeat` or `controller`.

        Raises:
            KeyError: another source.
        """
        if source not in self._limits_s:
            raise KeyError(f"unknown source {source!r}; choose from {sorted(self._limits_s)}")
        with self._lock:
            self._heard_s[source] = self._clock()

    def watch(self, moving: bool) -> None:
        """Begin (True) or end watching; silence before the beginning does not count."""
        with self._lock:
            self._watched_since_s = self._clock() if moving else None

    def quiet(self) -> str | None:
        """What has been quiet for too long, for how long, and what to do; None when all is well."""
        with self._lock:
            if self._watched_since_s is None:
                return None
            now_s = self._clock()
            for source, limit_s in self._limits_s.items():
                heard_s = self._heard_s.get(source)
                if limit_s == 0.0 or (heard_s is None and source != "heartbeat"):
                    continue
                silence_s = now_s - max(self._watched_since_s, heard_s or 0.0)
                if silence_s > limit_s:
                    return (
                        f"the {source} has been quiet for {silence_s:.1f} s (limit {limit_s:.1f} s): "
                        f"{_ADVICE[source]}"
                    )
        return None
