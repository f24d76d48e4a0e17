# SPDX-License-Identifier: Apache-2.0
"""Where two fingers go down beside something without touching anything, looked up in height maps.

For many places, approaches, in-plane angles and depths at once: a coarse answer that says which few of them
are worth an exact check of collisions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import Float32Array, Float64Array, IntpArray
from anygrasp_perception.closing_profile import ProfileGrid, rasterise
from anygrasp_perception.compiled import in_parts, thread_count
from anygrasp_perception.grasp import ANGLE_COUNT
from anygrasp_perception.gripper import GripperGeometry

__all__ = ["ClearOpenings", "find_clear_openings"]

_CELL_M = 0.004  # about as far apart as the points of the obstacles
_TIP_CLEARANCE_M = 0.002  # in front of the fingertips
_INSERTION_M = 0.003  # of the fingertips below the top of what is between them


@dataclass(frozen=True, eq=False)
class ClearOpenings:
    """K openings, each at one place along one approach."""

    pairs: IntpArray  # (K,) which place and approach
    angle_ids: IntpArray  # (K,)
    depth_ids: IntpArray  # (K,)
    shifts_m: Float64Array  # (K,) from the place to the middle of the opening, along the closing direction
    widths_m: Float64Array  # (K,)


def find_clear_openings(
    obstacles: Float32Array,
    places: Float32Array,
    views: IntpArray,
    rotations: Float32Array,
    depths_m: Sequence[float],
    gripper: GripperGeometry,
) -> ClearOpenings:
    """Return the narrowest clear opening about each of F places (F, 3), along its view (F,), if there is one.

    One for each in-plane angle and each of `depths_m`. `rotations` (V, 3, 3) of the views, at in-plane angle
    zero; `obstacles` (N, 3), N > 0; everything in one frame, metres. What lies behind a surface, seen along
    the approach, counts as blocked, what was not seen at all as free. Of a base wider than the open fingers
    only the part above these is looked at.
    """
    grid = ProfileGrid.covering(
        gripper.max_width_m / 2 + gripper.finger_thickness_m, gripper.finger_height_m / 2, _CELL_M
    )
    profiles = np.empty((len(places), ANGLE_COUNT, grid.bins), dtype=np.float32)
    used = np.unique(views)

    def look(start: int, stop: int) -> None:
        for view in used[start:stop]:
            rows = np.flatnonzero(views == view)
            rotation = rotations[view].astype(np.float64)
            height_map = rasterise(obstacles, rotation, grid)
            profiles[rows] = height_map.lowest_profiles(places[rows], rotation, grid)

    in_parts(look, len(used), 1, thread_count())
    fingers = int(np.ceil(gripper.finger_thickness_m / _CELL_M))
    middle, highest = profiles[..., grid.half_bins], profiles.min(axis=-1)
    parts = []
    for depth, depth_m in enumerate(depths_m):
        right = _inner_face(profiles[..., grid.half_bins :], depth_m, fingers)
        left = _inner_face(profiles[..., grid.half_bins :: -1], depth_m, fingers)
        good = left + right <= gripper.max_width_m
        good &= (middle < depth_m - _INSERTION_M) & (highest > depth_m - gripper.finger_length_m)
        pair, angle = np.nonzero(good)
        shift, width = (right[good] - left[good]) / 2, right[good] + left[good]
        parts.append((pair, angle, np.full(len(pair), depth), shift, width))
    return ClearOpenings(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _inner_face(half: Float32Array, depth_m: float, fingers: int) -> Float64Array:
    """How far from the middle the nearest finger fits, its inner face, (F, 12); inf where none does.

    `half` (F, 12, H): profiles from the middle outwards.
    """
    free = half >= depth_m + _TIP_CLEARANCE_M
    last = half.shape[-1] - fingers + 1
    fits = free[..., 1:last].copy()
    for step in range(1, fingers):
        fits &= free[..., 1 + step : last + step]
    return np.where(fits.any(axis=-1), (fits.argmax(axis=-1) + 0.5) * _CELL_M, np.inf)
