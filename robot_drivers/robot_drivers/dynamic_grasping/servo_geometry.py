# SPDX-License-Identifier: Apache-2.0
"""Tool poses of a moving grasp, and how near the tool is to one (paper, Algorithm 1, lines 17 and 24)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import BoolArray, Float64Array
from anygrasp_perception.grasp import HALF_TURN_X
from anygrasp_perception.se3 import make_transform, rotation_angle
from robot_drivers.executors.grasp_target import R_GRASP_TCP, backed_off

__all__ = [
    "Closeness",
    "across_body",
    "closeness",
    "fingers_inside",
    "pregrasp_pose",
    "tool_pose",
    "upright",
]


class Closeness(NamedTuple):
    """Between a predicted grasp and the tool."""

    rotation_rad: float  # Delta R
    distance_m: float  # Delta t
    distance_xy_m: float  # Delta t_xOy, in the horizontal plane


def tool_pose(
    T_base_grasp: Float64Array,
    beyond_m: float,
    T_base_now: Float64Array,
    T_base_ready: Float64Array,
    max_turn_rad: float,
) -> Float64Array:
    """T_base_tcp (4, 4) for a grasp whose fingertips are to be `beyond_m` past its origin.

    Of the grasp and its half turn about the approach, the one nearer to the tool as it stands, unless that
    is turned about the vertical by more than `max_turn_rad` from the ready pose: following what swims in
    circles would wind up the last joint, until the arm can neither lift nor get back.
    """
    tip = T_base_grasp[:3, 3] + beyond_m * T_base_grasp[:3, 0]
    turns = [T_base_grasp[:3, :3] @ turn @ R_GRASP_TCP for turn in (np.eye(3), HALF_TURN_X)]
    angles = [float(rotation_angle(R, T_base_now[:3, :3])) for R in turns]
    chosen = int(np.argmin(angles))
    if _turned(turns[chosen], T_base_ready) > max_turn_rad:
        chosen = 1 - chosen
    return make_transform(turns[chosen], tip)


def _turned(R_base_tcp: Float64Array, T_base_ready: Float64Array) -> float:
    """Angle, 0 to pi, between the headings of two closing directions about the vertical."""
    y, y_ready = R_base_tcp[:2, 1], T_base_ready[:2, 1]
    return float(abs(np.arctan2(y_ready[0] * y[1] - y_ready[1] * y[0], y_ready @ y)))


def across_body(T_base_grasp: Float64Array, middle: Float64Array, axis_rad: float) -> Float64Array:
    """The grasp (4, 4), moved to a point (3,) and turned about the vertical until it closes across an axis.

    The axis lies in the horizontal plane; of the two ways to turn, the shorter.
    """
    y = T_base_grasp[:2, 1]
    turn = float((axis_rad + np.pi / 2 - np.arctan2(y[1], y[0]) + np.pi / 2) % np.pi - np.pi / 2)
    c, s = np.cos(turn), np.sin(turn)
    R = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return make_transform(R @ T_base_grasp[:3, :3], middle)


def upright(T_base_grasp: Float64Array) -> Float64Array:
    """The grasp (4, 4) with its approach straight down and its closing direction level."""
    x = np.array([0.0, 0.0, -1.0])
    y = _level(T_base_grasp[:3, 1])
    return make_transform(np.stack([x, y, np.cross(x, y)], axis=1), T_base_grasp[:3, 3])


def _level(direction: Float64Array) -> Float64Array:
    """Of unit length in the horizontal plane; that of y where there is none."""
    flat = np.array([direction[0], direction[1], 0.0])
    length = float(np.linalg.norm(flat))
    return flat / length if length > 1e-6 else np.array([0.0, 1.0, 0.0])


def closeness(T_base_target: Float64Array, T_base_tcp: Float64Array) -> Closeness:
    """How far the tool is from a target, both (4, 4)."""
    way = T_base_target[:3, 3] - T_base_tcp[:3, 3]
    return Closeness(
        float(rotation_angle(T_base_target[:3, :3], T_base_tcp[:3, :3])),
        float(np.linalg.norm(way)),
        float(np.linalg.norm(way[:2])),
    )


def fingers_inside(
    tips: Float64Array,
    rotations: Float64Array,
    half_span_m: float,
    rim_m: float,
    lower: ArrayLike,
    upper: ArrayLike,
) -> BoolArray:
    """Whether (N,) both open fingers are between the walls of a box, at their tips and `rim_m` up.

    `tips` (N, 3) midway between the fingertips, `rotations` (N, 3, 3) of grasps: x approach, y closing.
    Heights count at the tips alone.
    """
    aside = half_span_m * rotations[:, :, 1]
    back = rim_m * rotations[:, :, 0]
    corners = np.stack([tips + aside, tips - aside, tips + aside - back, tips - aside - back], axis=1)
    low, high = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
    between = np.all((corners[..., :2] >= low[:2]) & (corners[..., :2] <= high[:2]), axis=(1, 2))
    return np.asarray(between & (tips[:, 2] >= low[2]) & (tips[:, 2] <= high[2]))


def pregrasp_pose(T_base_target: Float64Array, distance_m: float) -> Float64Array:
    """Where the tool waits (4, 4): back along its z, straight down, turned about z as the target is."""
    R = T_base_target[:3, :3]
    # Of the closing direction its heading alone is kept: the other two rotations only disturb the tracking.
    y, z = _level(R[:, 1]), np.array([0.0, 0.0, -1.0])
    T_base_upright = make_transform(np.stack([np.cross(y, z), y, z], axis=1), T_base_target[:3, 3])
    return backed_off(T_base_upright, distance_m)
