# SPDX-License-Identifier: Apache-2.0
"""Speed and turn rate of a series of poses, by medians over all pairs: one wrong pose moves them little."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from anygrasp_perception.arrays import Float64Array

__all__ = ["Momentum", "fit_momentum"]

_CURVE_EVIDENCE = 0.8  # a curve must leave so much less spread than a straight line to be believed


@dataclass(frozen=True, eq=False)
class Momentum:
    """Motion at the newest pose, in the frame of the poses."""

    velocity_m_s: Float64Array  # (3,)
    turn_rate_rad_s: Float64Array  # (3,) rotation vector a second
    on_curve: bool  # whether the velocity turns with the body, as that of a swimming fish does

    def travel(self, duration_s: float) -> Float64Array:
        """Way (3,) in metres made in `duration_s`."""
        rate = float(np.linalg.norm(self.turn_rate_rad_s))
        if not self.on_curve or rate * duration_s < 1e-6:
            return np.asarray(self.velocity_m_s * duration_s)
        axis = self.turn_rate_rad_s / rate
        along = axis * (axis @ self.velocity_m_s)
        across = self.velocity_m_s - along
        angle = rate * duration_s
        arc = np.sin(angle) / rate * across + (1 - np.cos(angle)) / rate * np.cross(axis, across)
        return np.asarray(along * duration_s + arc)

    def limited(self, max_speed_m_s: float, max_turn_rate_rad_s: float) -> Momentum:
        """The same direction, no faster than both limits."""
        return replace(
            self,
            velocity_m_s=_limited(self.velocity_m_s, max_speed_m_s),
            turn_rate_rad_s=_limited(self.turn_rate_rad_s, max_turn_rate_rad_s),
        )


def fit_momentum(times_s: Float64Array, poses: Float64Array, memory_s: float) -> Momentum:
    """Momentum of poses (N, 4, 4) at rising times (N,); zero for fewer than two.

    Weighted medians of the slopes of all pairs (Theil and Sen): long pairs count more, as noise tilts them
    less, and by 1/e less for each `memory_s` that a pair lies back.
    """
    count = len(times_s)
    if count < 2:
        return Momentum(np.zeros(3), np.zeros(3), on_curve=False)
    first, second = np.triu_indices(count, k=1)
    step_s = times_s[second] - times_s[first]
    age_s = times_s[-1] - (times_s[first] + times_s[second]) / 2
    weights = step_s * np.exp(-age_s / memory_s)

    # Turns added up from pose to pose: a pair of poses alone cannot tell a turn above half a revolution.
    turns = Rotation.from_matrix(poses[1:, :3, :3] @ poses[:-1, :3, :3].transpose(0, 2, 1)).as_rotvec()
    angles = np.concatenate([np.zeros((1, 3)), np.cumsum(turns, axis=0)])
    turn_rate = _weighted_median((angles[second] - angles[first]) / step_s[:, None], weights)

    straight = (poses[second, :3, 3] - poses[first, :3, 3]) / step_s[:, None]
    curved = _brought_forward(straight, turn_rate, age_s, step_s)
    velocities = [_weighted_median(slopes, weights) for slopes in (straight, curved)]
    spreads = [
        _weighted_median(np.linalg.norm(slopes - velocity, axis=1)[:, None], weights)[0]
        for slopes, velocity in zip((straight, curved), velocities, strict=True)
    ]
    on_curve = bool(spreads[1] < _CURVE_EVIDENCE * spreads[0])
    return Momentum(velocities[int(on_curve)], turn_rate, on_curve)


def _brought_forward(
    slopes: Float64Array, turn_rate: Float64Array, age_s: Float64Array, step_s: Float64Array
) -> Float64Array:
    """Slopes (P, 3) as they would be at the newest pose had the velocity turned since at `turn_rate`."""
    half_angle = np.linalg.norm(turn_rate) * step_s / 2
    # A chord is shorter than its arc; past a half turn it says nothing.
    stretch = 1 / np.sinc(np.minimum(half_angle, 2.0) / np.pi)
    turned = Rotation.from_rotvec(turn_rate * age_s[:, None]).apply(slopes)
    return np.asarray(turned * stretch[:, None])


def _weighted_median(values: Float64Array, weights: Float64Array) -> Float64Array:
    """Median (D,) of each column of `values` (P, D)."""
    order = np.argsort(values, axis=0)
    reached = np.cumsum(weights[order], axis=0)
    middle = np.argmax(reached >= weights.sum() / 2, axis=0)
    picked = np.take_along_axis(order, middle[None], axis=0)
    return np.asarray(np.take_along_axis(values, picked, axis=0)[0])


def _limited(vector: Float64Array, limit: float) -> Float64Array:
    length = float(np.linalg.norm(vector))
    return vector if length <= limit else vector * (limit / length)
