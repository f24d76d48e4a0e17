# SPDX-License-Identifier: Apache-2.0
"""Limits on where and how fast an arm moves, enforced at the last step before the arm."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.se3 import check_transform
from robot_drivers.arms.arm import Arm, ArmError, ArmState

__all__ = ["LimitViolation", "SafeArm", "SafetyLimits"]

_LOG = logging.getLogger(__name__)

# What rounding may add to a tilt or a position that is exactly on its limit.
_ROUNDING = 1e-9

_Corner = tuple[float, float, float]


class LimitViolation(ArmError):
    """A move was refused before the arm heard of it; `code` is OUTSIDE_WORKSPACE or TILT_TOO_LARGE."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class SafetyLimits:
    """What a move may do. Boxes hold the TCP, between the fingertips, in the arm's `base` frame, metres.

    Keep both boxes on one side of the base: then no line from one into the other passes through it.

    Raises:
        ValueError: an empty box, or a limit that is not positive.
    """

    workspace_min: _Corner = (-0.40, -0.80, 0.0)  # linear moves end above this corner, base frame, m
    workspace_max: _Corner = (0.70, -0.10, 0.80)  # and below this one
    transit_min: _Corner = (-0.60, -0.90, 0.05)  # joint moves end above this corner, base frame, m
    transit_max: _Corner = (0.85, -0.10, 1.10)  # and below this one
    min_height_m: float = 0.0  # the TCP never goes lower, whatever the boxes allow
    max_tilt_rad: float = math.radians(25.0)  # of the approach from straight down in linear moves (paper V-B)
    max_speed_m_s: float = 1.0  # faster linear moves are slowed down to it
    max_acceleration_m_s2: float = 3.0  # of linear moves, likewise
    max_joint_speed_rad_s: float = 2.0  # of joint moves, likewise
    max_joint_acceleration_rad_s2: float = 6.0  # of joint moves, likewise
    max_width_m: float = 0.085  # opening of the gripper; wider grasps are refused

    def __post_init__(self) -> None:
        for box in ("workspace", "transit"):
            low, high = getattr(self, f"{box}_min"), getattr(self, f"{box}_max")
            if len(low) != 3 or len(high) != 3 or not all(a < b for a, b in zip(low, high, strict=True)):
                raise ValueError(f"{box} box {low} to {high} m is empty: give three numbers each, min < max")
        for name in (
            "max_tilt_rad",
            "max_speed_m_s",
            "max_acceleration_m_s2",
            "max_joint_speed_rad_s",
            "max_joint_acceleration_rad_s2",
            "max_width_m",
        ):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")
        if not math.isfinite(self.min_height_m):
            raise ValueError(f"min_height_m is {self.min_height_m}; it must be a number of metres")


class SafeArm:
    """An `Arm` that passes on only what the limits allow, with speeds and accelerations cut down to them.

    A move is never bent to fit: it goes where it was sent or, as LimitViolation says, nowhere. Linear moves
    are checked at their end: a line between two points of a box stays in it, and one from outside leads back
    in. Joint moves are checked at their end, by the arm's own kinematics.
    """

    def __init__(self, arm: Arm, limits: SafetyLimits) -> None:
        self.limits = limits
        self._arm = arm

    def move_linear(self, T_base_tcp: Float64Array, *, speed_m_s: float, acceleration_m_s2: float) -> None:
        """See Arm.

        Raises:
            LimitViolation: not a pose, outside the workspace, below the minimum height, or tilted.
            ValueError: speed or acceleration is not positive.
        """
        limits = self.limits
        T = self._check_pose(T_base_tcp)
        self._check_inside(T[:3, 3], "workspace", limits.workspace_min, limits.workspace_max)
        tilt_rad = math.acos(min(1.0, max(-1.0, -float(T[2, 2]))))
        if tilt_rad > limits.max_tilt_rad + _ROUNDING:
            raise _refusal(
                "TILT_TOO_LARGE",
                f"tool tilted {math.degrees(tilt_rad):.1f} deg from straight down, limit "
                f"{math.degrees(limits.max_tilt_rad):.1f} deg: approach more steeply",
            )
        self._arm.move_linear(
            T,
            speed_m_s=_at_most(speed_m_s, limits.max_speed_m_s, "speed_m_s"),
            acceleration_m_s2=_at_most(acceleration_m_s2, limits.max_acceleration_m_s2, "acceleration_m_s2"),
        )

    def move_joints(self, q_rad: Float64Array, *, speed_rad_s: float, acceleration_rad_s2: float) -> None:
        """See Arm.

        Raises:
            LimitViolation: not six finite angles, or they put the TCP outside the transit box or too low.
            ValueError: speed or acceleration is not positive.
        """
        limits = self.limits
        q = np.asarray(q_rad, dtype=float)
        if q.shape != (6,) or not np.isfinite(q).all():
            raise _refusal("OUTSIDE_WORKSPACE", f"joint angles {q_rad} are not six finite numbers in rad")
        T = self._check_pose(self._arm.forward_kinematics(q))
        self._check_inside(T[:3, 3], "transit box", limits.transit_min, limits.transit_max)
        self._arm.move_joints(
            q,
            speed_rad_s=_at_most(speed_rad_s, limits.max_joint_speed_rad_s, "speed_rad_s"),
            acceleration_rad_s2=_at_most(
                acceleration_rad_s2, limits.max_joint_acceleration_rad_s2, "acceleration_rad_s2"
            ),
        )

    def connect(self) -> None:
        """See Arm."""
        self._arm.connect()

    def close(self) -> None:
        """See Arm."""
        self._arm.close()

    def state(self) -> ArmState:
        """See Arm."""
        return self._arm.state()

    def joint_positions(self) -> Float64Array:
        """See Arm."""
        return self._arm.joint_positions()

    def tcp_pose(self) -> Float64Array:
        """See Arm."""
        return self._arm.tcp_pose()

    def forward_kinematics(self, q_rad: Float64Array) -> Float64Array:
        """See Arm."""
        return self._arm.forward_kinematics(q_rad)

    def inverse_kinematics(self, T_base_tcp: Float64Array) -> Float64Array:
        """See Arm; says nothing about the limits."""
        return self._arm.inverse_kinematics(T_base_tcp)

    def is_reachable(self, T_base_tcp: Float64Array) -> bool:
        """See Arm; says nothing about the limits."""
        return self._arm.is_reachable(T_base_tcp)

    def stop(self) -> None:
        """See Arm."""
        self._arm.stop()

    def clear_stop(self) -> None:
        """See Arm."""
        self._arm.clear_stop()

    def __enter__(self) -> SafeArm:
        self._arm.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._arm.__exit__(kind, error, trace)

    @staticmethod
    def _check_pose(T_base_tcp: Float64Array) -> Float64Array:
        try:
            return check_transform(T_base_tcp, "T_base_tcp")
        except ValueError as error:
            raise _refusal("OUTSIDE_WORKSPACE", f"not a pose: {error}") from error

    def _check_inside(self, position: Float64Array, name: str, low: _Corner, high: _Corner) -> None:
        where = "(" + ", ".join(f"{value:.3f}" for value in position) + ")"
        if np.any(position < np.array(low) - _ROUNDING) or np.any(position > np.array(high) + _ROUNDING):
            raise _refusal(
                "OUTSIDE_WORKSPACE", f"TCP at {where} m leaves the {name} {low} to {high} m (base frame)"
            )
        if position[2] < self.limits.min_height_m - _ROUNDING:
            raise _refusal(
                "OUTSIDE_WORKSPACE",
                f"TCP at {where} m is below the minimum height {self.limits.min_height_m} m",
            )


def _refusal(code: str, message: str) -> LimitViolation:
    _LOG.warning("move refused: %s", message)
    return LimitViolation(code, message)


def _at_most(value: float, limit: float, name: str) -> float:
    if not value > 0.0:
        raise ValueError(f"{name} is {value}; it must be positive")
    if value > limit:
        _LOG.info("%s cut down from %.2f to its limit %.2f", name, value, limit)
    return min(value, limit)
