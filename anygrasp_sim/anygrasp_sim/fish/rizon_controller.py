# SPDX-License-Identifier: Apache-2.0
"""The controller of the simulated Rizon: smooth motion to Cartesian or joint targets, one tick at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.se3 import inverse, make_transform
from anygrasp_sim.fish.fish_cell import FishCell
from anygrasp_sim.fish.rizon_kinematics import RizonKinematics

__all__ = ["CartesianLimits", "RizonController"]

_STOP_RAD_S2 = 12.0
_IK_STEPS = 1


@dataclass(frozen=True)
class CartesianLimits:
    """Of the motion to a Cartesian target; metres, radians, seconds."""

    linear_speed: float = 0.5
    angular_speed: float = 1.0
    linear_acceleration: float = 2.0
    angular_acceleration: float = 5.0


class RizonController:
    """Moves the cell's arm; call `tick` before every step of the cell. Belongs to the cell's thread."""

    def __init__(self, cell: FishCell) -> None:
        self._cell = cell
        self._period_s = cell.config.control_period_s
        self._kinematics = RizonKinematics(np.eye(4), cell.config.home_joints_rad)
        self.T_flange_tcp = np.eye(4)
        self._q = cell.joint_positions()
        self._dq = np.zeros(7)
        self._cartesian: _CartesianMotion | None = None
        self._joint_goal: tuple[Float64Array, Float64Array, Float64Array] | None = None

    @property
    def tcp_pose(self) -> Float64Array:
        """Measured T_base_tcp (4, 4)."""
        return self._cell.flange_pose() @ self.T_flange_tcp

    def move_to_pose(self, T_base_tcp: Float64Array, limits: CartesianLimits) -> None:
        """Head for a pose of the tool, from the motion under way."""
        self._joint_goal = None
        if self._cartesian is None:
            self._cartesian = _CartesianMotion(self._kinematics.forward(self._q) @ self.T_flange_tcp)
        self._cartesian.goal, self._cartesian.limits = T_base_tcp, limits

    def move_to_joints(self, q_rad: ArrayLike, speeds: ArrayLike, accelerations: ArrayLike) -> None:
        """Head for joint angles (7,) at speeds and accelerations (7,)."""
        self._cartesian = None
        self._joint_goal = (np.array(q_rad), np.array(speeds), np.array(accelerations))

    def halt(self) -> None:
        """Slow down and stand."""
        self._cartesian = self._joint_goal = None

    def solve(self, T_base_tcp: Float64Array, q_near: ArrayLike) -> Float64Array | None:
        """Joint angles (7,) for a pose of the tool; None where there are none."""
        return self._kinematics.inverse(T_base_tcp @ inverse(self.T_flange_tcp), q_near)

    def tick(self) -> None:
        """Command the joints of the next control period."""
        before = self._q
        if self._cartesian is not None:
            self._q = self._follow_pose(self._cartesian)
        elif self._joint_goal is not None:
            self._q = self._follow_joints(*self._joint_goal)
        else:
            slower = np.clip(self._dq, -_STOP_RAD_S2 * self._period_s, _STOP_RAD_S2 * self._period_s)
            self._q = self._q + (self._dq - slower) * self._period_s
        self._dq = (self._q - before) / self._period_s
        self._cell.command_joints(self._q)

    def _follow_pose(self, motion: _CartesianMotion) -> Float64Array:
        T_base_flange = motion.advance(self._period_s) @ inverse(self.T_flange_tcp)
        q = self._q
        for _ in range(_IK_STEPS):
            q = self._kinematics.step_towards(q, T_base_flange)
        return q

    def _follow_joints(
        self, goal: Float64Array, speeds: Float64Array, accelerations: Float64Array
    ) -> Float64Array:
        rest = goal - self._q
        wanted = np.sign(rest) * np.minimum(speeds, np.sqrt(2 * accelerations * np.abs(rest)))
        change = accelerations * self._period_s
        dq = self._dq + np.clip(wanted - self._dq, -change, change)
        # The last bit without overshoot.
        close = np.abs(rest) <= np.abs(dq) * self._period_s + 1e-6
        return np.where(close, goal, self._q + dq * self._period_s)


class _CartesianMotion:
    """A pose that runs to its goal within limits of speed and acceleration."""

    def __init__(self, T_start: Float64Array) -> None:
        self.goal, self.limits = T_start, CartesianLimits()
        self._T = T_start
        self._velocity = np.zeros(3)
        self._spin = np.zeros(3)

    def advance(self, dt_s: float) -> Float64Array:
        """The pose (4, 4) after `dt_s`."""
        limits = self.limits
        way = self.goal[:3, 3] - self._T[:3, 3]
        self._velocity = _towards(way, self._velocity, limits.linear_speed, limits.linear_acceleration, dt_s)
        turn = Rotation.from_matrix(self.goal[:3, :3] @ self._T[:3, :3].T).as_rotvec()
        self._spin = _towards(turn, self._spin, limits.angular_speed, limits.angular_acceleration, dt_s)
        R = Rotation.from_rotvec(self._spin * dt_s).as_matrix() @ self._T[:3, :3]
        self._T = make_transform(R, self._T[:3, 3] + self._velocity * dt_s)
        return self._T


def _towards(
    rest: Float64Array, velocity: Float64Array, speed: float, acceleration: float, dt_s: float
) -> Float64Array:
    """Velocity (3,) of the next period of a motion with `rest` (3,) before it."""
    distance = float(np.linalg.norm(rest))
    if distance < 1e-9:
        wanted = np.zeros(3)
    else:
        # What a period's motion leaves is what can still be braked; never past the goal.
        fastest = min(speed, np.sqrt(2 * acceleration * distance), distance / dt_s)
        wanted = rest / distance * fastest
    change = wanted - velocity
    limit = acceleration * dt_s
    size = float(np.linalg.norm(change))
    if size > limit and not distance < speed * dt_s / 4:
        change *= limit / size
    return np.asarray(velocity + change)
