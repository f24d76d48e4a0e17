# SPDX-License-Identifier: Apache-2.0
"""Approaches inside a cone that may be narrower than the network's 300 views lie apart."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from anygrasp_perception.arrays import BoolArray, Float64Array, check_vector
from anygrasp_perception.grasp import fibonacci_views
from anygrasp_perception.grasp_group import GraspGroup

__all__ = ["steer_into_cone", "views_near_cone"]

# No direction is 9 degrees from its nearest view, so grasps are turned by no more than the views'
# own spacing, which their labels in training were off by as well.
_VIEW_REACH_RAD = math.radians(9.0)
_INSIDE = 1.0 - 1e-6  # of the half angle: rounding must not put a steered approach outside


def views_near_cone(axis: ArrayLike, half_angle_rad: float) -> BoolArray:
    """Return the views (300,) whose approach lies in the cone; of a narrow one those next to it as well."""
    cosine = -fibonacci_views() @ _unit(axis)
    return np.asarray(cosine >= math.cos(max(half_angle_rad, _VIEW_REACH_RAD)))


def steer_into_cone(group: GraspGroup, axis: ArrayLike, half_angle_rad: float) -> GraspGroup:
    """Turn grasps whose approach is outside the cone about their centres onto its rim, the shortest way."""
    direction = _unit(axis)
    approaches = group.approaches
    angle = np.arccos(np.clip(approaches @ direction, -1.0, 1.0))
    outside = np.flatnonzero(angle > half_angle_rad)
    if len(outside) == 0:
        return group
    turn = np.cross(approaches[outside], direction)
    length = np.linalg.norm(turn, axis=1, keepdims=True)
    # Straight away from the axis any way is the shortest; the closing direction stays.
    turn = np.where(length > 1e-9, turn / np.maximum(length, 1e-9), group.closing_directions[outside])
    amount = angle[outside] - half_angle_rad * _INSIDE
    rotations = group.rotation_matrices.copy()
    rotations[outside] = Rotation.from_rotvec(turn * amount[:, None]).as_matrix() @ rotations[outside]
    return group.replace(rotation_matrices=rotations)


def _unit(axis: ArrayLike) -> Float64Array:
    vector = check_vector(axis, "axis")
    length = float(np.linalg.norm(vector))
    if length < 1e-9:
        raise ValueError(f"axis must not be zero, got {vector}")
    return np.asarray(vector / length)
