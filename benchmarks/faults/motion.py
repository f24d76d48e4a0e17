# SPDX-License-Identifier: Apache-2.0
"""What the arm truly did, written down tick by tick by the emulated controller."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import Float64Array

__all__ = ["Motion", "MotionRecord"]

STILL_RAD_S = 0.02  # physics trembles below it
_KEPT_TICKS = 10_000


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
    """Ticks of a controller: time, speed of the fastest joint, place of the TCP."""

    def __init__(self) -> None:
        self._ticks: deque[tuple[float, float, Float64Array]] = deque(maxlen=_KEPT_TICKS)

    def note(self, time_s: float, qd_rad_s: Float64Array, tcp_m: Float64Array) -> None:
        """Add a tick."""
        self._ticks.append((time_s, float(np.abs(qd_rad_s).max()), tcp_m.copy()))

    def since(self, moment_s: float) -> Motion:
        """The motion since a moment."""
        times, speeds, places = zip(*self._ticks, strict=True)
        t, speed, tcp = np.array(times), np.array(speeds), np.array(places)
        moving = np.flatnonzero(speed > STILL_RAD_S)
        last_s = float(t[moving[-1]]) if moving.size else float(t[0])
        way_m = np.linalg.norm(np.diff(tcp, axis=0, prepend=tcp[:1]), axis=1)
        return Motion(
            now_s=float(t[-1]),
            moving=bool(speed[-1] > STILL_RAD_S),
            still_for_s=float(t[-1]) - last_s,
            stopped_after_s=max(0.0, last_s - moment_s),
            travelled_m=float(way_m[(t >= moment_s) & (speed > STILL_RAD_S)].sum()),
            tcp_m=(float(tcp[-1, 0]), float(tcp[-1, 1]), float(tcp[-1, 2])),
        )
