# SPDX-License-Identifier: Apache-2.0
"""The points about the fingers of a grasp, in the frame of its fingertips."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import Float32Array, Float64Array, IntpArray
from anygrasp_perception.compiled import compiled, in_parts, thread_count
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.point_grid import PointGrid

__all__ = ["CROP_CHANNELS", "CropShape", "SurfacePoints", "crop_grasps"]

CROP_CHANNELS = 6  # where a point is, and its normal
_GRASPS_AT_ONCE = 64  # of one thread


@dataclass(frozen=True)
class CropShape:
    """The box that is looked at, from the middle between the fingertips. Raises ValueError on bad values."""

    between_samples: int = 40  # points between the fingers
    around_samples: int = 24  # points behind, beside and ahead of that
    between_m: float = 0.035  # of the fingers' length, from their tips
    behind_m: float = 0.05
    ahead_m: float = 0.015
    beside_m: float = 0.02  # of each finger's inner side
    half_height_m: float = 0.015

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if not 0 < getattr(self, field.name) < np.inf:
                raise ValueError(f"CropShape.{field.name} must be positive, got {getattr(self, field.name)}")


@dataclass(frozen=True, eq=False)
class SurfacePoints:
    """What is seen of a scene: points, indexed, and their normals (P, 3), zero where unknown."""

    grid: PointGrid
    normals: Float32Array

    def __post_init__(self) -> None:
        if self.normals.shape != (len(self.grid), 3):
            raise ValueError(f"SurfacePoints.normals must be ({len(self.grid)}, 3), got {self.normals.shape}")


def crop_grasps(grasps: GraspGroup, surface: SurfacePoints, shape: CropShape) -> Float32Array:
    """Return for G grasps the points (G, K, CROP_CHANNELS) about their fingers: those between them first.

    Coordinates in metres from the middle between the fingertips, in the grasp's axes, and normals. Of many
    points evenly spread ones are taken, few are repeated, none are zeros. Grasps and surface in one frame.
    """
    half = grasps.widths / 2
    lower = np.stack(
        np.broadcast_arrays(-shape.behind_m, -half - shape.beside_m, -shape.half_height_m), axis=-1
    )
    upper = np.stack(np.broadcast_arrays(shape.ahead_m, -lower[:, 1], shape.half_height_m), axis=-1)
    near = surface.grid.near_boxes(grasps.fingertips, grasps.rotation_matrices, lower, upper)
    crops = np.zeros((len(grasps), shape.between_samples + shape.around_samples, CROP_CHANNELS), np.float32)
    axes = np.ascontiguousarray(grasps.rotation_matrices, dtype=np.float32)
    place, normals = np.stack([near.x, near.y, near.z]), np.ascontiguousarray(surface.normals)
    limits = np.array([shape.behind_m, shape.ahead_m, shape.beside_m, shape.half_height_m, shape.between_m])

    def fill(start: int, stop: int) -> None:
        _fill_crops(
            near.bounds,
            near.points,
            place,
            normals,
            half,
            axes,
            limits,
            shape.between_samples,
            crops,
            start,
            stop,
        )

    in_parts(fill, len(grasps), _GRASPS_AT_ONCE, thread_count())
    return crops


@compiled
def _fill_crops(
    bounds: IntpArray,
    points: IntpArray,
    place: Float32Array,
    normals: Float32Array,
    half_widths: Float64Array,
    axes: Float32Array,
    limits: Float64Array,
    between_samples: int,
    crops: Float32Array,
    start: int,
    stop: int,
) -> None:
    """Sample the points of the boxes `start` to `stop`, whose places (3, P) are in the grasps' frames.

    `limits`: behind, ahead, beside, half the height, and how far back the fingers reach.
    """
    behind, ahead, beside, half_height, reach = limits
    most = 0
    for grasp in range(start, stop):
        most = max(most, bounds[grasp + 1] - bounds[grasp])
    kinds = np.empty((2, most), dtype=np.intp)  # pairs between the fingers, and around
    for grasp in range(start, stop):
        half = half_widths[grasp]
        between = around = 0
        for pair in range(bounds[grasp], bounds[grasp + 1]):
            x, side, z = place[0, pair], abs(place[1, pair]), abs(place[2, pair])
            if x <= -behind or x >= ahead or z >= half_height or side >= half + beside:
                continue
            if side <= half and x <= 0 and x > -reach:
                kinds[0, between] = pair
                between += 1
            else:
                kinds[1, around] = pair
                around += 1
        for sample in range(crops.shape[1]):
            inside = sample < between_samples
            count = between if inside else around
            if count == 0:
                continue
            place_in = sample if inside else sample - between_samples
            total = between_samples if inside else crops.shape[1] - between_samples
            pair = kinds[0 if inside else 1, int((place_in + 0.5) / total * count)]
            normal = normals[points[pair]]
            for axis in range(3):
                crops[grasp, sample, axis] = place[axis, pair]
                along = np.float32(0)
                for k in range(3):
                    along += normal[k] * axes[grasp, k, axis]
                crops[grasp, sample, 3 + axis] = along
