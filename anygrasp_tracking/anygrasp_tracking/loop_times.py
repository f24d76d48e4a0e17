# SPDX-License-Identifier: Apache-2.0
"""How long the tracking loop takes, for people who watch it run."""

from __future__ import annotations

import threading

__all__ = ["LoopTimes"]


class LoopTimes:
    """Mean and worst wall time of each stage since the last report; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stages: dict[str, list[float]] = {}

    def add(self, **seconds: float) -> None:
        """Note the seconds that each stage of one frame took."""
        with self._lock:
            for stage, duration_s in seconds.items():
                self._stages.setdefault(stage, []).append(duration_s)

    def report(self) -> dict[str, str]:
        """`STAGE_ms` and `STAGE_worst_ms` of the frames since the last report; empty without any."""
        with self._lock:
            stages, self._stages = self._stages, {}
        lines: dict[str, str] = {}
        for stage, durations_s in stages.items():
            lines[f"{stage}_ms"] = f"{1e3 * sum(durations_s) / len(durations_s):.1f}"
            lines[f"{stage}_worst_ms"] = f"{1e3 * max(durations_s):.1f}"
        return lines
