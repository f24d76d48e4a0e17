# SPDX-License-Identifier: Apache-2.0
"""Moves from rest to rest with a trapezoidal speed, in joint space (movej) and in tool space (movel)."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import Float64Array
from anygrasp_sim.emulators.rotation_vector import rotation_to_vector, vector_to_rotation
from anygrasp_sim.emulators.ur_kinematics import JOINT_SPEED_LIMIT_RAD_S, UrKinematics

__all__ = [
    "JointMove",
    "LinearMove",
    "MotionFault",
    "ToolPath",
    "Trajectory",
    "TrapezoidProfile",
    "displaced",
    "path_length",
]


class MotionFault(Exception):
    """The motion cannot go on as commanded: a real controller makes a protective stop."""


class Trajectory(Protocol):
    """Successive joint targets; `finished` is true once the last one has been handed out."""

    finished: bool

    def step(self, dt_s: float) -> Float64Array:
        """Joint angles (6,) rad `dt_s` later.

        Raises:
            MotionFault: no joint angles continue the motion.
        """
        ...


class TrapezoidProfile:
    """Distance over time from rest to rest with limited speed and acceleration (units of the caller)."""

    def __init__(self, distance: float, speed: float, acceleration: float) -> None:
        peak = min(speed, math.sqrt(distance * acceleration))  # short moves never reach the speed
        self.distance = distance
        self.duration_s = distance / peak + peak / acceleration if distance > 0 else 0.0
        self._acceleration = acceleration
        self._peak = peak
        self._ramp_s = peak / acceleration

    def at(self, time_s: float) -> float:
        """Distance covered after `time_s`."""
        if time_s >= self.duration_s:
            return self.distance
        if time_s < self._ramp_s:
            return 0.5 * self._acceleration * time_s**2
        left_s = self.duration_s - time_s
        if left_s < self._ramp_s:
            return self.distance - 0.5 * self._acceleration * left_s**2
        return self._peak * (time_s - 0.5 * self._ramp_s)


class JointMove:
    """movej: straight in joint space, the joint with the longest way leads (rad/s, rad/s^2)."""

    def __init__(self, q_start: Float64Array, q_goal: ArrayLike, speed: float, acceleration: float) -> None:
        self._start = q_start
        self._way = np.asarray(q_goal, dtype=float) - q_start
        self._profile = TrapezoidProfile(float(np.abs(self._way).max()), speed, acceleration)
        self._time_s = 0.0
        self.finished = False

    def step(self, dt_s: float) -> Float64Array:
        self._time_s += dt_s
        self.finished = self._time_s >= self._profile.duration_s
        if self.finished:
            return self._start + self._way
        done = self._profile.at(self._time_s) / self._profile.distance
        return self._start + done * self._way


class ToolPath:
    """Joint angles that follow the TCP from pose to pose without a jump.

    `T_base_tcp` is the pose (4,4) of the start; `kinematics` and `T_flange_tcp` are the arm's and the tool's.
    """

    def __init__(self, kinematics: UrKinematics, T_flange_tcp: Float64Array, q_start: Float64Array) -> None:
        self.T_base_tcp = kinematics.forward(q_start) @ T_flange_tcp
        self._kinematics = kinematics
        self._T_tcp_flange = np.linalg.inv(T_flange_tcp)
        self._q = q_start

    def follow(self, T_base_tcp: Float64Array, dt_s: float) -> Float64Array:
        """Joint angles (6,) rad of the pose `dt_s` after the one before.

        Raises:
            MotionFault: the pose is out of reach, or a joint would have to be too fast.
        """
        q = self._kinematics.inverse(T_base_tcp @ self._T_tcp_flange, self._q)
        if q is None:
            raise MotionFault(f"the tool leaves the reach of the arm at {np.round(T_base_tcp[:3, 3], 3)} m")
        if float(np.abs(q - self._q).max()) > JOINT_SPEED_LIMIT_RAD_S * dt_s + 1e-9:
            raise MotionFault("the tool moves faster than the joints can: too close to a singularity")
        self._q = q
        return q


class LinearMove:
    """movel: TCP straight in position and turning about one fixed axis (m/s, m/s^2)."""

    def __init__(self, path: ToolPath, T_base_goal: Float64Array, speed: float, acceleration: float) -> None:
        self._path = path
        self._T_start = path.T_base_tcp
        self._way = T_base_goal[:3, 3] - self._T_start[:3, 3]
        self._turn = rotation_to_vector(T_base_goal[:3, :3] @ self._T_start[:3, :3].T)
        self._profile = TrapezoidProfile(path_length(self._way, self._turn), speed, acceleration)
        self._time_s = 0.0
        self.finished = False

    def step(self, dt_s: float) -> Float64Array:
        self._time_s += dt_s
        self.finished = self._time_s >= self._profile.duration_s
        done = 1.0 if self.finished else self._profile.at(self._time_s) / self._profile.distance
        return self._path.follow(displaced(self._T_start, done * self._way, done * self._turn), dt_s)


def displaced(T: Float64Array, way: Float64Array, turn: Float64Array) -> Float64Array:
    """Pose (4,4) moved by `way` (3,) m and turned by the rotation vector `turn` (3,) rad, both in `base`."""
    moved = np.eye(4)
    moved[:3, :3] = vector_to_rotation(turn) @ T[:3, :3]
    moved[:3, 3] = T[:3, 3] + way
    return moved


def path_length(way: Float64Array, turn: Float64Array) -> float:
    """Metres that a displacement counts for: a turn of one radian for as much as a quarter of a metre."""
    return max(float(np.linalg.norm(way)), 0.25 * float(np.linalg.norm(turn)))
