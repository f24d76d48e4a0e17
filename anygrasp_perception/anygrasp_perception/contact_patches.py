# SPDX-License-Identifier: Apache-2.0
"""Both contacts of a grasp as the points between its fingers show them: how they lie, how they are turned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anygrasp_perception.antipodal import required_friction
from anygrasp_perception.arrays import BoolArray, Float32Array, Float64Array
from anygrasp_perception.point_grid import LocalPoints

__all__ = ["ContactPatches", "contact_patches"]

_ROWS = 7  # of the finger height, in which the outline is traced
_MIN_PATCH_POINTS = 3  # fewer normals are no evidence


@dataclass(frozen=True, eq=False)
class ContactPatches:
    """Contacts of N grasps; column 0 at -y, column 1 at +y."""

    outline_rad: Float64Array  # (N, 2) angle of the outline to the fingers, seen along the approach
    friction: Float64Array  # (N, 2) asked for by the normals' pitch out of the closing plane
    has_normals: BoolArray  # (N, 2) whether enough normals were seen; elsewhere friction says nothing


def contact_patches(
    between: LocalPoints,
    rotations: Float64Array,
    normals: Float32Array,
    insertion_m: Float64Array,
    finger_height_m: float,
    patch_m: float,
) -> ContactPatches:
    """Contacts of N grasps with rotations (N, 3, 3) on a surface with normals (P, 3), in one frame.

    `between` are the points between the fingers, in frames at the fingertips. Normals are taken within
    patch_m of the outermost point, in the lower half of the fingers' insertion_m (N,): the side that they
    press on, not the rim above it. The outline is followed inwards by half the finger height: up to 45 deg.
    """
    edges = np.stack(between.extent_y(), axis=-1)
    low = between.x >= -0.5 * insertion_m[between.boxes]
    friction = np.zeros((between.box_count, 2))
    seen = np.zeros((between.box_count, 2), dtype=bool)
    outline = np.zeros((between.box_count, 2))
    for side, sign in enumerate((-1.0, 1.0)):
        inwards = np.abs(between.y - edges[:, side][between.boxes])
        patch = between.where(low & (inwards <= patch_m))
        mean = np.einsum("ni,nij->nj", _sums(patch, normals), rotations)  # in the grasp frames
        mean[:, 2] = 0.0  # the outline knows the turn about the approach better
        friction[:, side] = required_friction(mean, (0.0, sign, 0.0))
        seen[:, side] = np.bincount(patch.boxes, minlength=patch.box_count) >= _MIN_PATCH_POINTS
        outline[:, side] = _outline_angles(
            between.where(inwards <= finger_height_m / 2), sign, finger_height_m
        )
    return ContactPatches(outline, friction, seen)


def _sums(patch: LocalPoints, normals: Float32Array) -> Float64Array:
    """Sum (N, 3) of the normals of each grasp's patch."""
    own = normals[patch.points]
    return np.stack([np.bincount(patch.boxes, own[:, axis], patch.box_count) for axis in range(3)], axis=-1)


def _outline_angles(patch: LocalPoints, sign: float, finger_height_m: float) -> Float64Array:
    """Angle (N,) in (y, z) of the line through the outermost points of the rows, 0 along z."""
    row = np.clip(((patch.z / finger_height_m + 0.5) * _ROWS).astype(np.intp), 0, _ROWS - 1)
    outermost = np.full((patch.box_count, _ROWS), -np.inf)
    np.maximum.at(outermost, (patch.boxes, row), sign * patch.y)
    filled = np.isfinite(outermost)
    z = ((np.arange(_ROWS) + 0.5) / _ROWS - 0.5) * finger_height_m
    weight = filled / np.maximum(filled.sum(axis=1, keepdims=True), 1)
    offset = np.where(filled, z - (weight * z).sum(axis=1, keepdims=True), 0.0)
    # At least the spread of two rows: a single one has no direction.
    spread = np.maximum((offset**2).sum(axis=1), (finger_height_m / _ROWS) ** 2 / 2)
    slope = (offset * np.where(filled, outermost, 0.0)).sum(axis=1) / spread
    return np.asarray(np.arctan(sign * slope))
