# SPDX-License-Identifier: Apache-2.0
"""Gripper centring: both fingers shall travel the same way to the object (paper IV-D, second step)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.gripper import GripperGeometry
from anygrasp_perception.point_grid import LocalPoints, PointGrid

__all__ = ["DEFAULT_MARGIN_M", "CentringResult", "centre_grasps", "closing_region_points"]

DEFAULT_MARGIN_M = 0.005  # twice the worst depth noise seen, and the arm's own error


@dataclass(frozen=True, eq=False)
class CentringResult:
    """One entry for each grasp of the group that was centred."""

    grasps: GraspGroup  # shifted along y, opened to what is needed
    shifts_m: Float64Array  # (N,) along the closing direction, 0 without contacts
    contact_spans_m: Float64Array  # (N,) distance of the outermost points along y, NaN without contacts


def centre_grasps(
    group: GraspGroup,
    points: ArrayLike | PointGrid,
    gripper: GripperGeometry,
    margin_m: float = DEFAULT_MARGIN_M,
) -> CentringResult:
    """Shift N grasps along y until both fingers travel alike, and open them only as far as needed.

    Contacts are the outermost points between the fingers on either side. The new width is their
    distance plus `margin_m` on each side, within the gripper's limits; so a tight grasp opens further,
    which may bring it into collision: check afterwards. A grasp with nothing between its fingers stays
    as it is. `points` (P, 3) in the group's frame, metres.
    Raises ValueError on an empty cloud, NaN points, or a negative margin.
    """
    if not margin_m >= 0:
        raise ValueError(f"margin_m must be >= 0, got {margin_m}")
    right, left = closing_region_points(group, points, gripper).extent_y()
    touched = right <= left
    right, left = np.where(touched, right, 0.0), np.where(touched, left, 0.0)
    shifts = (right + left) / 2
    widths = np.where(touched, gripper.clamp_width(left - right + 2 * margin_m), group.widths)
    translations = group.translations + shifts[:, None] * group.closing_directions
    return CentringResult(
        group.replace(translations=translations, widths=widths),
        shifts,
        np.where(touched, left - right, np.nan),
    )


def closing_region_points(
    group: GraspGroup, points: ArrayLike | PointGrid, gripper: GripperGeometry
) -> LocalPoints:
    """Return the points between the fingers of N grasps, in frames at their fingertips' midpoints."""
    half, length, height = group.widths / 2, gripper.finger_length_m, gripper.finger_height_m
    lower = np.stack(np.broadcast_arrays(-length, -half, -height / 2), axis=-1)
    upper = np.stack(np.broadcast_arrays(0.0, half, height / 2), axis=-1)
    near = PointGrid.of(points).near_boxes(group.fingertips, group.rotation_matrices, lower, upper)
    return near.where(
        (near.x > -length)
        & (near.x <= 0)
        & (np.abs(near.y) <= near.of_box(half.astype(np.float32)))
        & (np.abs(near.z) < height / 2)
    )
