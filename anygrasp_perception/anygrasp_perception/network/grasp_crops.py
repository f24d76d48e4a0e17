# SPDX-License-Identifier: Apache-2.0
"""The points about the fingers of a grasp, in the frame of its fingertips."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import Float32Array
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.point_grid import LocalPoints, PointGrid

__all__ = ["CROP_CHANNELS", "CropShape", "SurfacePoints", "crop_grasps"]

CROP_CHANNELS = 6  # where a point is, and its normal


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
    side, inner = np.abs(near.y), near.of_box(half.astype(np.float32))
    inside = (near.x > -shape.behind_m) & (near.x < shape.ahead_m) & (np.abs(near.z) < shape.half_height_m)
    inside &= side < inner + shape.beside_m
    between = inside & (side <= inner) & (near.x <= 0) & (near.x > -shape.between_m)
    axes = grasps.rotation_matrices.astype(np.float32)
    parts = [
        _sample(near.where(chosen), surface.normals, axes, count)
        for chosen, count in (
            (between, shape.between_samples),
            (inside & ~between, shape.around_samples),
        )
    ]
    return np.concatenate(parts, axis=1)


def _sample(near: LocalPoints, normals: Float32Array, axes: Float32Array, count: int) -> Float32Array:
    """`count` of the points of each box (B, count, CROP_CHANNELS), which are sorted by where they are."""
    crop = np.zeros((near.box_count, count, CROP_CHANNELS), dtype=np.float32)
    sizes = np.diff(near.bounds)
    occupied = np.flatnonzero(sizes)
    steps = (np.arange(count) + 0.5) / count
    rows = near.bounds[occupied, None] + (steps * sizes[occupied, None]).astype(np.intp)
    crop[occupied, :, 0], crop[occupied, :, 1], crop[occupied, :, 2] = (
        near.x[rows],
        near.y[rows],
        near.z[rows],
    )
    crop[occupied, :, 3:] = normals[near.points[rows]] @ axes[occupied]
    return crop
