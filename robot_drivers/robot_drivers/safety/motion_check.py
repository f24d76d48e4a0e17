# SPDX-License-Identifier: Apache-2.0
"""Whether a way lies within the limits, all of it and not only its end."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.se3 import check_transform
from robot_drivers.arms.straight_line import StraightLine
from robot_drivers.safety.limits import LimitViolation, SafetyLimits

__all__ = ["MotionCheck"]

# What rounding may add to a tilt or a position that is exactly on its limit.
_ROUNDING = 1e-9

# How far beyond its tilt an arm may come to rest: controllers end a move within hundredths of a degree.
_AT_REST_RAD = math.radians(0.1)

# Keep-out boxes are looked for at points this near to each other.
_STEP_M, _STEP_RAD = 0.01, math.radians(3.0)
_JOINT_STEP_RAD = 0.05

# Poses of nominal kinematics are off by a few millimetres from those of a calibrated arm.
_NOMINAL_ERROR_M = 0.005

_Corner = tuple[float, float, float]


class MotionCheck:
    """Refuses what the limits do not allow; each method raises LimitViolation with value, limit and fix.

    A way that begins beyond a limit, because a person or a fault has put the arm there, may only lead back:
    it ends within all limits and is nowhere further out than at its start. An arm sent to the very limit of
    the tilt may have come to rest a hundredth of a degree beyond it; it may go on as it stands.
    """

    def __init__(self, limits: SafetyLimits) -> None:
        self.limits = limits

    def pose(self, T_base_tcp: ArrayLike) -> Float64Array:
        """The pose (4, 4), if it is one."""
        try:
            return check_transform(T_base_tcp, "T_base_tcp")
        except (ValueError, TypeError) as error:
            raise LimitViolation("OUTSIDE_WORKSPACE", f"not a pose: {error}") from error

    def line(self, T_base_start: Float64Array, T_base_goal: Float64Array) -> StraightLine:
        """The straight line between two poses (4, 4): workspace, height, tilt and keep-out boxes."""
        limits = self.limits
        line = StraightLine(T_base_start, T_base_goal)
        # Boxes and heights are convex: where both ends are inside, or the goal is, no point between is
        # further out than the start.
        self.inside(T_base_goal[:3, 3], "workspace", limits.workspace_min, limits.workspace_max)
        self._check_tilt(line)
        if limits.keep_out_boxes:
            steps = max(1, math.ceil(line.length_m / _STEP_M), math.ceil(line.angle_rad / _STEP_RAD))
            self.keep_out(line.poses(np.linspace(0.0, 1.0, steps + 1)))
        return line

    def allows(self, T_base_start: Float64Array, T_base_goal: Float64Array) -> bool:
        """Whether `line` would pass."""
        try:
            self.line(T_base_start, T_base_goal)
        except LimitViolation:
            return False
        return True

    def joint_path(self, poses: Float64Array, T_base_goal: Float64Array) -> None:
        """Poses (N, 4, 4) along a joint move, start first, and its exact end (4, 4)."""
        limits = self.limits
        self.inside(T_base_goal[:3, 3], "transit box", limits.transit_min, limits.transit_max)
        low = np.maximum(limits.transit_min, (-math.inf, -math.inf, limits.min_height_m))
        # How far each pose is outside; a way that begins there leads back in.
        outside_m = np.maximum(low - poses[:, :3, 3], poses[:, :3, 3] - limits.transit_max)
        beyond_m = outside_m - np.maximum(outside_m[0], _NOMINAL_ERROR_M)
        step, axis = np.unravel_index(int(np.argmax(beyond_m)), beyond_m.shape)
        if beyond_m[step, axis] > 0.0:
            where = "(" + ", ".join(f"{value:.3f}" for value in poses[step, :3, 3]) + ")"
            raise LimitViolation(
                "OUTSIDE_WORKSPACE",
                f"on the way the TCP would pass {where} m, outside the transit box {low.tolist()} to "
                f"{limits.transit_max} m (base frame): go by a point between",
            )
        if limits.keep_out_boxes:
            self.keep_out(np.concatenate((poses, T_base_goal[None])))

    def joints(
        self,
        nominal_poses: Callable[[Float64Array], Float64Array],
        q_now: Float64Array,
        q_goal: Float64Array,
        T_base_goal: Float64Array,
    ) -> None:
        """A joint move from and to angles (joints,) rad; `nominal_poses` is the arm's, see `joint_path`."""
        way_rad, limit_rad = float(np.abs(q_goal - q_now).max()), self.limits.max_joint_change_rad
        if way_rad > limit_rad:
            raise LimitViolation(
                "UNREACHABLE",
                f"a joint would turn by {way_rad:.2f} rad (limit {limit_rad:.2f}): is this the pose that was "
                "meant? Go there in two moves",
            )
        steps = max(1, math.ceil(way_rad / _JOINT_STEP_RAD))
        samples = q_now + np.linspace(0.0, 1.0, steps + 1)[:, None] * (q_goal - q_now)
        self.joint_path(nominal_poses(samples), T_base_goal)

    def inside(self, position: Float64Array, name: str, low: _Corner, high: _Corner) -> None:
        """A position (3,) in a box and above the minimum height."""
        where = "(" + ", ".join(f"{value:.3f}" for value in position) + ")"
        if np.any(position < np.array(low) - _ROUNDING) or np.any(position > np.array(high) + _ROUNDING):
            raise LimitViolation(
                "OUTSIDE_WORKSPACE", f"TCP at {where} m leaves the {name} {low} to {high} m (base frame)"
            )
        if position[2] < self.limits.min_height_m - _ROUNDING:
            raise LimitViolation(
                "OUTSIDE_WORKSPACE",
                f"TCP at {where} m is below the minimum height {self.limits.min_height_m} m",
            )

    def keep_out(self, poses: Float64Array) -> None:
        """Poses (N, 4, 4) along a way: out of every box at the end, and in none after being out of it."""
        entered = self.limits.enters_keep_out(poses)
        back_in = entered & np.logical_or.accumulate(~entered, axis=0)
        forbidden = np.flatnonzero(back_in.any(axis=0) | entered[-1])
        if len(forbidden):
            box = self.limits.keep_out_boxes[6 * forbidden[0] : 6 * forbidden[0] + 6]
            raise LimitViolation(
                "OUTSIDE_WORKSPACE",
                f"the tool would enter the keep-out box {box[:3]} to {box[3:]} m (base frame): go around it",
            )

    def _check_tilt(self, line: StraightLine) -> None:
        limit_rad = self.limits.max_tilt_rad
        goal_rad, start_rad = (
            math.acos(min(1.0, max(-1.0, -float(line.at(end)[2, 2])))) for end in (1.0, 0.0)
        )
        at_rest_rad = min(start_rad, limit_rad + _AT_REST_RAD)
        if goal_rad > max(limit_rad, at_rest_rad) + _ROUNDING:
            raise LimitViolation(
                "TILT_TOO_LARGE",
                f"tool tilted {math.degrees(goal_rad):.1f} deg from straight down, limit "
                f"{math.degrees(limit_rad):.1f} deg: approach more steeply",
            )
        highest_rad = line.highest_tilt_rad()
        if highest_rad > max(limit_rad, start_rad) + 1e-6:
            raise LimitViolation(
                "TILT_TOO_LARGE",
                f"on the way the tool would tilt {math.degrees(highest_rad):.1f} deg from straight down, "
                f"limit {math.degrees(limit_rad):.1f} deg: turn less at a time",
            )
