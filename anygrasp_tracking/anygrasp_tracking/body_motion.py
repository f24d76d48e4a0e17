# SPDX-License-Identifier: Apache-2.0
"""How the body that a followed grasp is on moves: grasps slide and turn on it, its outline does not."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_tracking.seen_body import BodyConfig, SeenBody, find_body

__all__ = ["BodyMotion"]


class BodyMotion:
    """The latest looks at one body; tells where it will be in the horizontal plane of the fixed frame."""

    def __init__(self, config: BodyConfig | None = None) -> None:
        self.config = config or BodyConfig()
        self._looks: deque[tuple[float, SeenBody, float]] = deque(maxlen=self.config.buffer)

    def __len__(self) -> int:
        return len(self._looks)

    def clear(self) -> None:
        """Another body."""
        self._looks.clear()

    def look(self, time_s: float, points: Float64Array, T_fixed_grasp: Float64Array) -> SeenBody | None:
        """Find the body that a grasp (4, 4) is on among points (N, 3) without the support; None: not seen.

        A body that is not where it was expected is another one: what was known is forgotten.
        """
        if self._looks and time_s - self._looks[-1][0] > self.config.max_gap_s:
            self.clear()
        expected = None
        if self._looks:
            last = self._looks[-1][1]
            middle, angle = self.predict(time_s)
            expected = replace(last, middle=middle, axis=np.array([np.cos(angle), np.sin(angle)]))
        body = find_body(points, T_fixed_grasp, self.config, expected)
        if body is None:
            return None
        angle = float(np.arctan2(body.axis[1], body.axis[0]))
        if expected is not None:
            if not expected.box_mask(body.middle[None], self.config.growth_m)[0]:
                self.clear()
            else:
                before = self._looks[-1][2]
                angle = before + float((angle - before + np.pi / 2) % np.pi - np.pi / 2)  # no half turns
                body = _completed(body, expected)
        self._looks.append((time_s, body, angle))
        return body

    def knows(self, time_s: float, min_looks: int) -> bool:
        """Whether it has been seen so often, and lately."""
        return len(self._looks) >= min_looks and time_s - self._looks[-1][0] <= self.config.max_gap_s

    def predict(self, time_s: float) -> tuple[Float64Array, float]:
        """Middle (2,) and angle of the axis, rad, at a time; on an arc where it turns.

        Raises:
            ValueError: never seen.
        """
        if not self._looks:
            raise ValueError("no body yet: look first")
        times, bodies, angles = (np.array(column) for column in zip(*self._looks, strict=True))
        middles = np.array([body.middle for body in bodies])
        config = self.config
        ahead_s = time_s - times[-1]
        velocity = self._slope(times, middles, config.middle_error_m, config.speed_m_s)
        rate = float(self._slope(times, angles[:, None], config.axis_error_rad, config.turn_rate_rad_s)[0])
        turn = rate * ahead_s
        half = turn / 2  # the chord of the arc
        chord = np.array([[np.cos(half), -np.sin(half)], [np.sin(half), np.cos(half)]])
        return middles[-1] + chord @ velocity * ahead_s, float(angles[-1]) + turn

    def _slope(self, times: Float64Array, values: Float64Array, error: float, prior: float) -> Float64Array:
        """Change a second (D,) of values (N, D): least squares, drawn to none by as much as they may err."""
        if len(times) < 2:
            return np.zeros(values.shape[1])
        weights = np.exp((times - times[-1]) / self.config.memory_s)
        offset = times - np.average(times, weights=weights)
        evidence = weights * offset
        return np.asarray(evidence @ values / (evidence @ offset + (error / prior) ** 2))


def _completed(seen: SeenBody, expected: SeenBody) -> SeenBody:
    """A body as long as it is known to be: which end is hidden, or another body's, the motion tells."""
    off_m = abs(expected.half_length_m - seen.half_length_m)
    if seen.half_length_m > expected.half_length_m and not seen.cut_off:
        return seen  # more of it than ever is in sight
    ahead_m = float((expected.middle - seen.middle) @ seen.axis)
    middle = seen.middle + np.clip(ahead_m, -off_m, off_m) * seen.axis
    half_width_m = min(seen.half_width_m, expected.half_width_m) if seen.cut_off else seen.half_width_m
    return replace(seen, middle=middle, half_length_m=expected.half_length_m, half_width_m=half_width_m)
