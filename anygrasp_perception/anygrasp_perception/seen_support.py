# SPDX-License-Identifier: Apache-2.0
"""Grasps at the support alone, and fingers that would enter it where the camera has not seen it.

Depth cameras leave holes beside objects and on shiny tables. There is no point there to collide with, yet the
table goes on: what the dominant plane of the scene says is taken for seen.
"""

from __future__ import annotations

import numpy as np

from anygrasp_perception.arrays import BoolArray, Float32Array, Float64Array
from anygrasp_perception.centring import closing_region_points
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.gripper import GripperGeometry
from anygrasp_perception.point_grid import PointGrid
from anygrasp_perception.support_plane import SupportPlane

__all__ = ["SeenSupport"]

_LEAST_POINTS = 5  # between the fingers, off the support
_LOWER_SHARE = 0.25  # of the points between the fingers that show that there is no support where they are


class SeenSupport:
    """A support plane, and how high over it each point of a cloud lies."""

    def __init__(self, plane: SupportPlane, points: Float32Array) -> None:
        """`points` (P, 3) metres in the plane's frame."""
        self.plane = plane
        heights = plane.heights(points)
        self._above, self._below = heights > plane.tolerance_m, heights < -plane.tolerance_m

    def check(
        self, group: GraspGroup, grid: PointGrid, gripper: GripperGeometry
    ) -> tuple[BoolArray, BoolArray]:
        """Return which of N grasps put a fingertip into the support (N,), and which hold nothing else (N,).

        A fingertip below the plane is in the support, unless a good part of what is between the fingers was
        seen below it too, as where the table ends. `grid` of the cloud's points, `group` in their frame.
        """
        into, alone = np.zeros(len(group), dtype=bool), np.zeros(len(group), dtype=bool)
        lowest = self._lowest_corners(group, gripper)
        low = np.flatnonzero(lowest < self.plane.tolerance_m)  # what is higher holds no support
        if len(low) == 0:
            return into, alone
        held = closing_region_points(group[low], grid, gripper)
        above, below = (held.counts(side[held.points]) for side in (self._above, self._below))
        seen_lower = below >= np.maximum(_LOWER_SHARE * np.diff(held.bounds), _LEAST_POINTS)
        into[low] = (lowest[low] < -self.plane.tolerance_m) & ~seen_lower
        alone[low] = above + below < _LEAST_POINTS
        return into, alone

    def _lowest_corners(self, group: GraspGroup, gripper: GripperGeometry) -> Float64Array:
        """Height (N,) over the plane of the lowest corner of the open fingers' tips."""
        up = self.plane.normal @ group.rotation_matrices
        across = np.abs(up[:, 1]) * (group.widths / 2 + gripper.finger_thickness_m)
        along = np.abs(up[:, 2]) * gripper.finger_height_m / 2
        heights = group.fingertips @ self.plane.normal + self.plane.offset_m
        return np.asarray(heights - across - along)
