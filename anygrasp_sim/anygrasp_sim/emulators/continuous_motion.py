# SPDX-License-Identifier: Apache-2.0
"""Motions without a goal pose: decelerating to rest, constant speeds, servoing to a moving target."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import Float64Array
from anygrasp_sim.emulators.trajectory import ToolPath, displaced, path_length
from anygrasp_sim.emulators.ur_kinematics import JOINT_SPEED_LIMIT_RAD_S

__all__ = ["JointServo", "JointSpeed", "JointStop", "LinearSpeed", "LinearStop"]


class JointStop:
    """stopj: slow all joints down together until they rest; the fastest decelerates as asked (rad/s^2)."""

    def __init__(self, q_start: Float64Array, qd_start: Float64Array, deceleration: float) -> None:
        self._start = q_start
        self._speed = qd_start
        self._duration_s = float(np.abs(qd_start).max()) / deceleration
        self._time_s = 0.0
        self.finished = False

    def step(self, dt_s: float) -> Float64Array:
        self._time_s += dt_s
        self.finished = self._time_s >= self._duration_s
        return self._start + _decelerated(self._time_s, self._duration_s) * self._speed


class LinearStop:
    """stopl: slow the TCP down along its present twist (6,), m/s and rad/s, until it rests (m/s^2)."""

    def __init__(self, path: ToolPath, twist: Float64Array, deceleration: float) -> None:
        self._path = path
        self._T_start = path.T_base_tcp
        self._twist = twist
        self._duration_s = path_length(twist[:3], twist[3:]) / deceleration
        self._time_s = 0.0
        self.finished = False

    def step(self, dt_s: float) -> Float64Array:
        self._time_s += dt_s
        self.finished = self._time_s >= self._duration_s
        way = _decelerated(self._time_s, self._duration_s) * self._twist
        return self._path.follow(displaced(self._T_start, way[:3], way[3:]), dt_s)


class JointSpeed:
    """speedj: ramp to constant joint speeds (6,) rad/s and hold them until replaced."""

    def __init__(
        self, q_start: Float64Array, qd_start: Float64Array, qd_goal: ArrayLike, acceleration: float
    ) -> None:
        self._q, self._speed = q_start, qd_start
        self._acceleration = acceleration
        self._goal = np.asarray(qd_goal, dtype=float)
        self.finished = False

    def step(self, dt_s: float) -> Float64Array:
        change = self._acceleration * dt_s
        self._speed = self._speed + np.clip(self._goal - self._speed, -change, change)
        self._q = self._q + self._speed * dt_s
        return self._q


class LinearSpeed:
    """speedl: ramp from one TCP twist (6,), m/s and rad/s in `base`, to another and hold that."""

    def __init__(
        self, path: ToolPath, twist: Float64Array, twist_goal: ArrayLike, acceleration: float
    ) -> None:
        self._path = path
        self._T = path.T_base_tcp
        self._twist = twist
        self._goal = np.asarray(twist_goal, dtype=float)
        self._acceleration = acceleration
        self.finished = False

    def step(self, dt_s: float) -> Float64Array:
        change = self._acceleration * dt_s
        self._twist = self._twist + np.clip(self._goal - self._twist, -change, change)
        self._T = displaced(self._T, self._twist[:3] * dt_s, self._twist[3:] * dt_s)
        return self._path.follow(self._T, dt_s)


class JointServo:
    """servoj: close the gap to a target that the client keeps moving, with a first-order lag."""

    def __init__(self, q_start: Float64Array, q_goal: ArrayLike, lookahead_s: float) -> None:
        self._q = q_start
        self._goal = np.asarray(q_goal, dtype=float)
        self._lookahead_s = lookahead_s
        self.finished = False

    def step(self, dt_s: float) -> Float64Array:
        gain = min(1.0, 2.0 * dt_s / max(self._lookahead_s, dt_s))
        limit = JOINT_SPEED_LIMIT_RAD_S * dt_s
        self._q = self._q + np.clip(gain * (self._goal - self._q), -limit, limit)
        return self._q


def _decelerated(time_s: float, duration_s: float) -> float:
    """Time at full speed that covers the way of `time_s` of an even deceleration to rest in `duration_s`."""
    time_s = min(time_s, duration_s)
    return time_s - 0.5 * time_s**2 / duration_s if duration_s > 0 else 0.0
