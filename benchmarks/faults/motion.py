# SPDX-License-Identifier: Apache-2.0
"""What the arm truly did, written down tick by tick by the emulated controller."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import Float64Array

__all__ = ["Motion", "MotionRecord"]

STILL_RAD_S = 0.02  # physics trembles below it


@dataclass(frozen=True)
class Motion:
    """What the arm has done since a moment; times are the controller's."""

    now_s: float
    moving: bool
    still_for_s: float  # how long it has stood still
    stopped_after_s: float  # from the moment until it stood still for good; 0: it stood already
    travelled_m: float  # way of the TCP while it moved
    tcp_m: tuple[float, float, float]


class MotionRecord:
    """Ticks of a controller: time, and how far the TCP has moved by then; asking costs next to nothing."""

    def __init__(self) -> None:
        self._times_s: list[float] = []
        self._ways_m: list[float] = []  # so far, while the arm moved
        self._tcp_m = np.zeros(3)
        self._moving = False
        self._moved_s = 0.0  # last tick at which it moved

    def note(self, time_s: float, qd_rad_s: Float64Array, tcp_m: Float64Array) -> None:
        """Add a tick."""
        self._moving = float(np.abs(qd_rad_s).max()) > STILL_RAD_S
        step_m = 0.0
        if self._moving and self._times_s:
            self._moved_s, step_m = time_s, float(np.linalg.norm(tcp_m - self._tcp_m))
        self._tcp_m = tcp_m.copy()
        self._times_s.append(time_s)
        self._ways_m.append((self._ways_m[-1] if self._ways_m else 0.0) + step_m)

    def since(self, moment_s: float) -> Motion:
        """The motion since a moment."""
        begin = min(bisect_left(self._times_s, moment_s), len(self._times_s) - 1)
        now_s = self._times_s[-1]
        return Motion(
            now_s=now_s,
            moving=self._moving,
            still_for_s=now_s - self._moved_s,
            stopped_after_s=max(0.0, self._moved_s - moment_s),
            travelled_m=self._ways_m[-1] - self._ways_m[begin],
            tcp_m=(float(self._tcp_m[0]), float(self._tcp_m[1]), float(self._tcp_m[2])),
        )
