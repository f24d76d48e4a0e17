# SPDX-License-Identifier: Apache-2.0
"""Limits on where and how fast an arm moves and how hard its gripper presses."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anygrasp_perception.arrays import Float64Array
from robot_drivers.arms.arm import ArmError

__all__ = ["LimitViolation", "SafetyLimits"]

_Corner = tuple[float, float, float]


class LimitViolation(ArmError):
    """A command was refused before the arm heard of it.

    `code` is OUTSIDE_WORKSPACE, TILT_TOO_LARGE, UNREACHABLE or TOO_FAST.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class SafetyLimits:
    """What a command may do. Boxes hold the TCP, between the fingertips, in the arm's `base` frame, metres.

    Keep both boxes on one side of the base: then no line from one into the other passes through it.

    Raises:
        ValueError: an empty box, or a limit that is not positive.
    """

    workspace_min: _Corner = (-0.40, -0.80, 0.0)  # linear moves and servoing stay above this corner, base, m
    workspace_max: _Corner = (0.70, -0.10, 0.80)  # and below this one
    transit_min: _Corner = (-0.60, -0.90, 0.05)  # joint moves end above this corner, base frame, m
    transit_max: _Corner = (0.85, -0.10, 1.10)  # and below this one
    # Boxes that the tool stays out of, six numbers each: lower corner, then upper corner, base frame, m.
    keep_out_boxes: tuple[float, ...] = ()
    tool_length_m: float = 0.25  # from the TCP back along its z axis: what stays out of the keep-out boxes
    tool_radius_m: float = 0.06  # around that line
    min_height_m: float = 0.0  # the TCP never goes lower, whatever the boxes allow
    max_tilt_rad: float = math.radians(25.0)  # of the approach from straight down in linear moves (paper V-B)
    max_speed_m_s: float = 1.0  # faster linear moves are slowed down to it
    max_acceleration_m_s2: float = 3.0  # of linear moves, likewise
    max_turn_speed_rad_s: float = 3.0  # of the tool while servoing
    max_turn_acceleration_rad_s2: float = 15.0  # likewise
    max_joint_speed_rad_s: float = 2.0  # of joint moves, likewise
    max_joint_acceleration_rad_s2: float = 6.0  # of joint moves, likewise
    max_joint_change_rad: float = 4.7  # a joint move that turns any joint further is a mistake, and refused
    max_servo_period_s: float = 0.2  # a servo step that takes longer is refused: the arm could not be halted
    max_width_m: float = 0.085  # opening of the gripper; wider grasps are refused
    max_grip_force_n: float = 235.0  # the gripper never presses harder

    def __post_init__(self) -> None:
        for box in ("workspace", "transit"):
            low, high = getattr(self, f"{box}_min"), getattr(self, f"{box}_max")
            if len(low) != 3 or len(high) != 3 or not all(a < b for a, b in zip(low, high, strict=True)):
                raise ValueError(f"{box} box {low} to {high} m is empty: give three numbers each, min < max")
        boxes = self.keep_out_boxes
        if len(boxes) % 6 or not np.all(self._corners[:, 0] < self._corners[:, 1]):
            raise ValueError(
                f"keep_out_boxes {boxes} are no boxes: give six numbers each, lower corner, then upper corner"
            )
        for name in (
            "max_tilt_rad",
            "max_speed_m_s",
            "max_acceleration_m_s2",
            "max_turn_speed_rad_s",
            "max_turn_acceleration_rad_s2",
            "max_joint_speed_rad_s",
            "max_joint_acceleration_rad_s2",
            "max_joint_change_rad",
            "max_servo_period_s",
            "max_width_m",
            "max_grip_force_n",
        ):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")
        for name in ("tool_length_m", "tool_radius_m"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or more")
        if not math.isfinite(self.min_height_m):
            raise ValueError(f"min_height_m is {self.min_height_m}; it must be a number of metres")

    @property
    def _corners(self) -> Float64Array:
        """Keep-out boxes (N, 2, 3): lower and upper corners."""
        return np.array(self.keep_out_boxes, dtype=float).reshape(-1, 2, 3)

    def enters_keep_out(self, T_base_tcp: Float64Array) -> NDArray[np.bool_]:
        """Which boxes (B,) the tool reaches into at each of many poses (N, 4, 4); (N, B)."""
        tips, ways = T_base_tcp[:, None, :3, 3], -self.tool_length_m * T_base_tcp[:, None, :3, 2]
        corners = self._corners
        # The segment from the tip to the tool's end enters and leaves each slab of each box at these shares.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            low = (corners[:, 0] - self.tool_radius_m - tips) / ways
            high = (corners[:, 1] + self.tool_radius_m - tips) / ways
        within = (tips >= corners[:, 0] - self.tool_radius_m) & (tips <= corners[:, 1] + self.tool_radius_m)
        level = np.abs(ways) < 1e-12  # parallel to a slab: inside it all the way, or nowhere
        entry = np.where(level, np.where(within, -np.inf, np.inf), np.minimum(low, high))
        leave = np.where(level, np.where(within, np.inf, -np.inf), np.maximum(low, high))
        entered: NDArray[np.bool_] = np.maximum(entry.max(axis=2), 0.0) <= np.minimum(leave.min(axis=2), 1.0)
        return entered
