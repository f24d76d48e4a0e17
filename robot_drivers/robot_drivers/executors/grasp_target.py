# SPDX-License-Identifier: Apache-2.0
"""Where a grasp sends the tool: TCP pose, waypoint and finger opening, in the base frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.grasp import HALF_TURN_X
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.se3 import make_transform
from robot_drivers.arms.arm import Arm, UnreachablePose
from robot_drivers.arms.joint_path import joint_change_per_m
from robot_drivers.arms.straight_line import lifted
from robot_drivers.executors.finger_reach import FingerReach
from robot_drivers.executors.pick_errors import PickError, PickFailed
from robot_drivers.safety import LimitViolation, SafetyLimits
from robot_drivers.safety.motion_check import MotionCheck

__all__ = ["R_GRASP_TCP", "GraspTarget", "TargetConfig", "aim_grasp", "backed_off"]

# The TCP's z is the approach (grasp x), its y the closing direction (grasp y).
R_GRASP_TCP: Float64Array = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])

_ROUNDING = 1e-10  # a grasp at the very limit is inside, as the arm sees it


@dataclass(frozen=True)
class TargetConfig:
    """How a grasp becomes a tool pose.

    Raises:
        ValueError: a value outside its range, or an empty region.
    """

    # Fingertips stay above this corner, base frame; its z is the floor that keeps them off the plate.
    region_min_m: tuple[float, float, float] = (-0.17, -0.65, 0.008)
    region_max_m: tuple[float, float, float] = (0.17, -0.31, 0.25)  # and below this corner, base frame
    retreat_m: float = 0.10  # waypoint at least this far back along the approach (paper V-B)
    transit_height_m: float = 0.20  # fingertips travel at this height or above, base frame
    opening_margin_m: float = 0.005  # opened so much wider than the grasp asks, both sides together
    max_draw_back_m: float = 0.02  # a grasp too near the floor is drawn back at most so far
    # Joints may turn so far for each metre of the lines to the grasp and up from it. At 0.5 m/s these are
    # 2.75 rad/s; a UR's joints do 3.1, and it makes a protective stop where a singularity asks for more.
    max_joint_change_rad_m: float = 5.5
    fingers: FingerReach = field(default_factory=FingerReach)

    def __post_init__(self) -> None:
        if not all(low < high for low, high in zip(self.region_min_m, self.region_max_m, strict=True)):
            raise ValueError(f"region {self.region_min_m} to {self.region_max_m} m is empty: give min < max")
        if not self.retreat_m > 0.0:
            raise ValueError(f"retreat_m is {self.retreat_m}; use more than 0, e.g. 0.10")
        if not self.transit_height_m > self.region_min_m[2]:
            raise ValueError(
                f"transit_height_m {self.transit_height_m} is not above the region's floor "
                f"{self.region_min_m[2]}: raise it above the plate's walls and the tallest object"
            )
        for name in ("opening_margin_m", "max_draw_back_m"):
            if not getattr(self, name) >= 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}; use 0 or more")
        if not self.max_joint_change_rad_m > 0.0:
            raise ValueError(f"max_joint_change_rad_m is {self.max_joint_change_rad_m}; use more than 0")


@dataclass(frozen=True, eq=False)
class GraspTarget:
    """One grasp that the arm can execute."""

    grasp: GraspGroup  # group of one, base frame
    T_base_tcp: Float64Array  # (4, 4) tool pose at which the fingers close
    T_base_waypoint: Float64Array  # (4, 4) back along the approach, at travel height or above
    opening_m: float  # finger opening on the way in


def backed_off(T_base_tcp: Float64Array, distance_m: float) -> Float64Array:
    """The tool pose (4, 4) moved back along its own approach by `distance_m`."""
    return T_base_tcp @ make_transform(np.eye(3), np.array([0.0, 0.0, -distance_m]))


def aim_grasp(grasp: GraspGroup, arm: Arm, limits: SafetyLimits, config: TargetConfig) -> GraspTarget:
    """Tool poses for a group of one in the base frame, with the turn that is nearer to the arm as it stands.

    A grasp and its half turn about the approach are the same: the one that takes less joint motion is
    chosen, the other where only that can be reached.

    Raises:
        PickFailed: TOO_WIDE, TILT_TOO_LARGE, OUTSIDE_WORKSPACE or UNREACHABLE, with the value and the limit.
        ArmError: the arm does not answer.
    """
    approach, width_m = grasp.approaches[0], float(grasp.widths[0])
    if width_m > limits.max_width_m:
        raise PickFailed(
            PickError.TOO_WIDE,
            f"grasp width {width_m:.3f} m exceeds the gripper's {limits.max_width_m:.3f} m: "
            "choose a narrower one",
        )
    tilt_rad = float(np.arccos(np.clip(-approach[2], -1.0, 1.0)))
    if tilt_rad > limits.max_tilt_rad + _ROUNDING:
        raise PickFailed(
            PickError.TILT_TOO_LARGE,
            f"approach is {np.rad2deg(tilt_rad):.1f} deg from straight down, limit "
            f"{np.rad2deg(limits.max_tilt_rad):.1f} deg: choose a steeper grasp",
        )
    opening_m = min(width_m + config.opening_margin_m, limits.max_width_m)
    tip = _tip_inside_region(grasp, opening_m, config)
    # The tips are to be there once the fingers have closed to the object, which swings them forward.
    origin = tip - config.fingers.beyond_tcp_m(width_m) * approach
    turns = []
    for turn in (np.eye(3), HALF_TURN_X):
        T_base_tcp = make_transform(grasp.rotation_matrices[0] @ turn @ R_GRASP_TCP, origin)
        T_base_waypoint = _waypoint(T_base_tcp, config)
        _check_workspace([T_base_tcp[:3, 3], T_base_waypoint[:3, 3]], limits)
        turns.append(GraspTarget(grasp, T_base_tcp, T_base_waypoint, opening_m))
    reached = [(q, turn) for turn in turns if (q := _joints_at_waypoint(arm, turn)) is not None]
    if not reached:
        raise PickFailed(
            PickError.UNREACHABLE,
            f"the arm reaches neither turn of the grasp at {_metres(origin)} m (base) and its waypoint at "
            f"height {turns[0].T_base_waypoint[2, 3]:.3f} m: choose a grasp nearer to the arm or more "
            "upright",
        )
    q_now = arm.joint_positions()
    reached.sort(key=lambda found: float(np.abs(found[0] - q_now).max()))
    refusal: PickFailed | None = None
    for q_waypoint, target in reached:
        try:
            _check_way(arm, q_now, q_waypoint, target, limits, config)
        except PickFailed as failure:
            refusal = refusal or failure
        else:
            return target
    assert refusal is not None
    raise refusal


def _check_way(
    arm: Arm,
    q_now: Float64Array,
    q_waypoint: Float64Array,
    target: GraspTarget,
    limits: SafetyLimits,
    config: TargetConfig,
) -> None:
    """The joint move to the waypoint and the lines from there; raises PickFailed on what cannot be gone."""
    try:
        MotionCheck(limits).joints(arm.nominal_poses, q_now, q_waypoint, target.T_base_waypoint)
    except LimitViolation as violation:
        raise PickFailed(PickError(violation.code), str(violation)) from violation
    if _joint_change_on_lines(arm, q_waypoint, target, config) > config.max_joint_change_rad_m:
        raise PickFailed(
            PickError.UNREACHABLE,
            f"on the lines to the grasp at {_metres(target.T_base_tcp[:3, 3])} m (base) and up from it a "
            f"joint would turn more than {config.max_joint_change_rad_m:.1f} rad for each metre of the tool, "
            "as near a singularity: choose another grasp",
        )


def _joints_at_waypoint(arm: Arm, target: GraspTarget) -> Float64Array | None:
    """Joint angles at the waypoint, rad; None when it or the grasp is out of reach."""
    try:
        q_waypoint = arm.inverse_kinematics(target.T_base_waypoint)
    except UnreachablePose:
        return None
    return q_waypoint if arm.is_reachable(target.T_base_tcp) else None


def _joint_change_on_lines(
    arm: Arm, q_waypoint: Float64Array, target: GraspTarget, config: TargetConfig
) -> float:
    """Largest change of a joint, rad a metre, down to the grasp and straight up; infinite where it ends."""
    T_base_up = lifted(target.T_base_tcp, config.transit_height_m)
    try:
        down, q_grasp = joint_change_per_m(
            arm.nominal_poses, q_waypoint, target.T_base_waypoint, target.T_base_tcp
        )
        up, _ = joint_change_per_m(arm.nominal_poses, q_grasp, target.T_base_tcp, T_base_up)
    except UnreachablePose:
        return np.inf
    return max(down, up)


def _tip_inside_region(grasp: GraspGroup, opening_m: float, config: TargetConfig) -> Float64Array:
    """Point between the fingertips (3,), drawn back where the fingers would press on the plate."""
    approach, tip = grasp.approaches[0], grasp.fingertips[0]
    # Open fingers reach lower on one side where the closing direction is tilted; fingers that close on
    # nothing swing on past the object's width.
    lower_open_m = abs(grasp.closing_directions[0, 2]) * opening_m / 2.0
    lower_closed_m = config.fingers.short_m(float(grasp.widths[0])) * -approach[2]
    missing_m = config.region_min_m[2] - (tip[2] - max(lower_open_m, lower_closed_m))
    draw_back_m = max(0.0, missing_m / -approach[2])
    if draw_back_m > config.max_draw_back_m:
        raise PickFailed(
            PickError.OUTSIDE_WORKSPACE,
            f"fingertips at height {tip[2]:.3f} m would be drawn back by {draw_back_m:.3f} m, at most "
            f"{config.max_draw_back_m:.3f} m, to clear the floor at {config.region_min_m[2]:.3f} m: "
            "choose a higher grasp",
        )
    tip = tip - draw_back_m * approach
    if np.any(tip[:2] < config.region_min_m[:2]) or np.any(tip > config.region_max_m):
        raise PickFailed(
            PickError.OUTSIDE_WORKSPACE,
            f"fingertips at {_metres(tip)} m (base) leave the region {config.region_min_m} to "
            f"{config.region_max_m} m: choose another grasp or widen the region",
        )
    return np.asarray(tip)


def _waypoint(T_base_tcp: Float64Array, config: TargetConfig) -> Float64Array:
    """Back by `retreat_m`, or further where that leaves the fingers below travel height."""
    rise_m = config.transit_height_m - T_base_tcp[2, 3]
    return backed_off(T_base_tcp, max(config.retreat_m, rise_m / -T_base_tcp[2, 2]))


def _check_workspace(positions: Sequence[Float64Array], limits: SafetyLimits) -> None:
    lower = np.maximum(limits.workspace_min, (-np.inf, -np.inf, limits.min_height_m))
    upper = np.array(limits.workspace_max)
    for position in positions:
        if np.any(position < lower - _ROUNDING) or np.any(position > upper + _ROUNDING):
            raise PickFailed(
                PickError.OUTSIDE_WORKSPACE,
                f"TCP at {_metres(position)} m (base) leaves the workspace {_metres(lower)} to "
                f"{_metres(upper)} m: choose another grasp",
            )


def _metres(point: ArrayLike) -> str:
    return "(" + ", ".join(f"{value:.3f}" for value in np.asarray(point)) + ")"
