# SPDX-License-Identifier: Apache-2.0
"""Keeps the gripper out of the support, which is known as a plane and better than its noisy points are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import BoolArray, Float32Array, Float64Array
from anygrasp_perception.gripper import GripperGeometry
from anygrasp_perception.support_plane import SupportPlane

__all__ = ["SupportClearance"]

_LEAST_SINKING = 0.05  # metres down for each metre along the approach; below, depth hardly matters
_ROUNDING_M = 1e-4


@dataclass(frozen=True, eq=False)
class SupportClearance:
    """What the support leaves of grasps at seeds (F, 3) with rotations (F, 12, 3, 3); without one, all."""

    plane: SupportPlane | None
    gripper: GripperGeometry
    clearance_m: float  # between any part of the gripper and the support
    margin_m: float  # between object and finger, on each side, before closing

    def cut_depths(
        self, depths_m: Float32Array, seeds: Float32Array, rotations: Float64Array
    ) -> tuple[Float32Array, BoolArray]:
        """Fingertip depths (F, 12, D): depths_m (D,), rising, cut short above the support.

        And which of them (F, 12, D) repeat the depth before, as the cut has made them equal.
        """
        shape = (*rotations.shape[:2], len(depths_m))
        if self.plane is None:
            return np.broadcast_to(depths_m, shape), np.zeros(shape, dtype=bool)
        up = _heights_along_axes(self.plane, rotations)
        room = self.plane.heights(seeds)[:, None] - self._finger_needs(up)
        limit = np.where(
            up[..., 0] < -_LEAST_SINKING, room / np.maximum(-up[..., 0], _LEAST_SINKING), np.inf
        )[..., None]
        repeats = np.zeros(shape, dtype=bool)
        repeats[..., 1:] = limit <= depths_m[:-1]
        return np.minimum(depths_m, limit).astype(np.float32), repeats

    def touches(
        self,
        seeds: Float32Array,
        rotations: Float64Array,
        tips_m: Float32Array | Float64Array,
        left_m: Float64Array,
        right_m: Float64Array,
    ) -> BoolArray:
        """Which grasps (F, 12, D) put a corner of the fingers or the base into the support.

        Fingertips reach tips_m past the seed, around an object from y = left_m to right_m, all (F, 12, D).
        """
        if self.plane is None:
            return np.zeros(tips_m.shape, dtype=bool)
        g = self.gripper
        up = _heights_along_axes(self.plane, rotations)[:, :, None]
        seed = self.plane.heights(seeds)[:, None, None]
        fingers = seed + tips_m * up[..., 0] + np.minimum(left_m * up[..., 1], right_m * up[..., 1])
        base = seed + (tips_m - g.finger_length_m) * up[..., 0] + (left_m + right_m) / 2 * up[..., 1]
        base -= np.maximum(up[..., 0], 0.0) * g.base_length_m
        base -= np.abs(up[..., 1]) * g.base_width_m / 2 + np.abs(up[..., 2]) * g.base_height_m / 2
        low = fingers < self._finger_needs(up) - _ROUNDING_M
        return np.asarray(low | (base < self.clearance_m))

    def _finger_needs(self, up: Float64Array) -> Float64Array:
        """Height (...) of the object's edge at the fingertips that lets their lowest corner pass."""
        thickness = np.abs(up[..., 1]) * (self.margin_m + self.gripper.finger_thickness_m)
        height = np.abs(up[..., 2]) * self.gripper.finger_height_m / 2
        return np.asarray(self.clearance_m + thickness + height)


def _heights_along_axes(plane: SupportPlane, rotations: Float64Array) -> Float64Array:
    """Height (..., 3) over the plane that is gained along the x, y and z axes of rotations (..., 3, 3)."""
    return np.asarray(plane.normal @ rotations)
