# SPDX-License-Identifier: Apache-2.0
"""Straight lines from pose to pose, and the time to go along them from rest to rest."""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial.transform import Rotation

from anygrasp_perception.arrays import Float64Array

__all__ = ["SpeedProfile", "StraightLine", "lifted"]


def lifted(T_base_tcp: Float64Array, height_m: float) -> Float64Array:
    """The pose (4, 4) straight above at a height, base frame; the same pose where it is no higher."""
    T = T_base_tcp.copy()
    T[2, 3] = max(T[2, 3], height_m)
    return T


class StraightLine:
    """Position along a line, orientation about one fixed axis, as every controller's linear move goes.

    Args:
        T_base_start: (4, 4).
        T_base_goal: (4, 4).
    """

    def __init__(self, T_base_start: Float64Array, T_base_goal: Float64Array) -> None:
        self._T_start = T_base_start
        self.way_m: Float64Array = T_base_goal[:3, 3] - T_base_start[:3, 3]  # (3,)
        turn = Rotation.from_matrix(T_base_goal[:3, :3] @ T_base_start[:3, :3].T)
        self.turn_rad: Float64Array = turn.as_rotvec()  # (3,) rotation vector in base
        self.length_m = float(np.linalg.norm(self.way_m))
        self.angle_rad = float(np.linalg.norm(self.turn_rad))

    def at(self, done: float) -> Float64Array:
        """Pose (4, 4) at a share of the way, 0 to 1."""
        T: Float64Array = self.poses(np.array([done]))[0]
        return T

    def poses(self, done: Float64Array) -> Float64Array:
        """Poses (N, 4, 4) at shares (N,) of the way."""
        T = np.zeros((len(done), 4, 4))
        T[:, :3, :3] = Rotation.from_rotvec(done[:, None] * self.turn_rad).as_matrix() @ self._T_start[:3, :3]
        T[:, :3, 3] = self._T_start[:3, 3] + done[:, None] * self.way_m
        T[:, 3, 3] = 1.0
        return T

    def highest_tilt_rad(self) -> float:
        """Largest angle between the tool's z axis and straight down anywhere on the way.

        Turning about a fixed axis n takes the z axis a along a circle, on which its downward part is
        `k + (d - k) cos + s sin` of the angle turned: smallest at an end or opposite the circle's top.
        """
        down = np.array([0.0, 0.0, -1.0])
        approach = self._T_start[:3, 2]
        if self.angle_rad < 1e-12:
            return math.acos(min(1.0, max(-1.0, float(down @ approach))))
        axis = self.turn_rad / self.angle_rad
        constant = float(down @ axis) * float(axis @ approach)
        cosine = float(down @ approach) - constant
        sine = float(down @ np.cross(axis, approach))
        angles = [0.0, self.angle_rad]
        lowest = math.atan2(sine, cosine) + math.pi
        angles += [turn for turn in (lowest, lowest - 2.0 * math.pi) if 0.0 < turn < self.angle_rad]
        downward = min(constant + cosine * math.cos(turn) + sine * math.sin(turn) for turn in angles)
        return math.acos(min(1.0, max(-1.0, downward)))


class SpeedProfile:
    """Share of a way over time, from rest to rest, within limits on several quantities at once.

    Args:
        limits: (way, speed, acceleration) of each quantity, e.g. metres and radians; the slowest rules.
    """

    def __init__(self, *limits: tuple[float, float, float]) -> None:
        # In shares of the way: the quantity that takes the lowest share a second rules.
        speed = min((v / way for way, v, _ in limits if way > 0.0), default=math.inf)
        acceleration = min((a / way for way, _, a in limits if way > 0.0), default=math.inf)
        if math.isinf(speed):
            self.duration_s, self._ramp_s, self._acceleration = 0.0, 0.0, 0.0
            return
        peak = min(speed, math.sqrt(acceleration))  # short ways never reach the speed
        self._acceleration = acceleration
        self._ramp_s = peak / acceleration
        self.duration_s = 1.0 / peak + self._ramp_s

    def at(self, time_s: float) -> float:
        """Share of the way after `time_s`, 0 to 1."""
        if time_s >= self.duration_s:
            return 1.0
        left_s = self.duration_s - time_s
        if time_s < self._ramp_s:
            return 0.5 * self._acceleration * time_s**2
        if left_s < self._ramp_s:
            return 1.0 - 0.5 * self._acceleration * left_s**2
        return self._acceleration * self._ramp_s * (time_s - 0.5 * self._ramp_s)
