# SPDX-License-Identifier: Apache-2.0
"""Grasp labels of one object: what they hold, how they are packed, and how they are read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anygrasp_perception.arrays import BoolArray, Float32Array, Float64Array, Uint8Array
from anygrasp_perception.grasp import (
    ANGLE_COUNT,
    DEPTHS_M,
    VIEW_COUNT,
    fibonacci_views,
    rotation_from_approach,
)
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_training.labels.antipodal import friction_score
from anygrasp_training.labels.stable_score import center_of_mass_distances

__all__ = [
    "CELL_SHAPE",
    "COLLIDING",
    "FRICTION_STEP",
    "MAX_FRICTION",
    "MAX_OPENING_M",
    "NO_GRASP",
    "OPENING_STEP_M",
    "ObjectGraspLabels",
    "cell_rotations",
]

CELL_SHAPE = (VIEW_COUNT, ANGLE_COUNT, len(DEPTHS_M))
FRICTION_STEP = 0.01
OPENING_STEP_M = 0.0005
NO_GRASP = 255  # friction code: no contact, too wide, or more friction needed than was asked for
COLLIDING = 254  # friction code: holds, but the gripper hits the object on its way
MAX_FRICTION = (COLLIDING - 1) * FRICTION_STEP
MAX_OPENING_M = 255 * OPENING_STEP_M


@cache
def cell_rotations() -> Float64Array:
    """Return the rotations (300, 12, 3, 3) of the label cells in the object's frame, read-only."""
    angles = np.arange(ANGLE_COUNT) * (np.pi / ANGLE_COUNT)
    rotations = rotation_from_approach(-fibonacci_views()[:, None], angles)
    rotations.setflags(write=False)
    return rotations


@dataclass(frozen=True, eq=False)
class ObjectGraspLabels:
    """Labels of N surface points x 300 views x 12 angles x 5 depths of one object, in its frame.

    Cells are indexed by (point, view, angle, depth); orientation and depth of a cell are those of
    `anygrasp_perception.grasp`. Raises ValueError on arrays of other shapes or types.
    """

    points_m: Float32Array  # (N, 3) grasp centres on the surface
    friction_codes: Uint8Array  # (N, 300, 12, 5) friction / 0.01, or NO_GRASP, COLLIDING
    opening_codes: Uint8Array  # (N, 300, 12, 5) opening / 0.0005 m, 0 where there is no friction
    center_of_mass_m: Float64Array  # (3,)

    def __post_init__(self) -> None:
        cells = (len(self.points_m), *CELL_SHAPE)
        for name, dtype, shape in (
            ("points_m", np.float32, (len(self.points_m), 3)),
            ("friction_codes", np.uint8, cells),
            ("opening_codes", np.uint8, cells),
            ("center_of_mass_m", np.float64, (3,)),
        ):
            array = getattr(self, name)
            if array.shape != shape or array.dtype != dtype:
                raise ValueError(
                    f"ObjectGraspLabels.{name} must be {np.dtype(dtype)} {shape}, "
                    f"got {array.dtype} {array.shape}"
                )

    @property
    def positive(self) -> BoolArray:
        """(N, 300, 12, 5) cells that hold with some friction and are free of collision."""
        return self.friction_codes < COLLIDING

    @property
    def friction(self) -> Float32Array:
        """(N, 300, 12, 5) smallest friction coefficient that holds, infinite where there is no grasp."""
        return np.where(self.positive, self.friction_codes * np.float32(FRICTION_STEP), np.float32(np.inf))

    @property
    def openings_m(self) -> Float32Array:
        """(N, 300, 12, 5) opening at which the fingers clear the object, metres, 0 where no grasp is."""
        return self.opening_codes * np.float32(OPENING_STEP_M)

    @property
    def scores(self) -> Float32Array:
        """(N, 300, 12, 5) in [0, 1], ln(mu_max / mu) / ln(mu_max / mu_min), 0 where no grasp is."""
        # Through a table of the 256 codes: the arrays have millions of cells.
        table = friction_score(np.arange(256) * FRICTION_STEP).astype(np.float32)
        table[COLLIDING:] = 0.0
        scores: Float32Array = table[self.friction_codes]
        return scores

    @property
    def stable_scores(self) -> Float32Array:
        """(N, 300, 12) in [0, 1], lower is better: distance of the centre of mass from the gripper plane
        over the largest one of the object (paper IV-A)."""
        distances = center_of_mass_distances(
            self.points_m[:, None, None], cell_rotations(), self.center_of_mass_m
        )
        largest = distances.max(initial=0.0)
        return np.asarray(distances / (largest if largest > 0 else 1.0), dtype=np.float32)

    def grasps(self, cells: ArrayLike) -> GraspGroup:
        """Return cells (M, 4) of point, view, angle and depth as grasps in the object's frame.

        Cells without a grasp come with score 0 and the opening that is stored, 0.
        """
        index: NDArray[np.intp] = np.asarray(cells, dtype=np.intp).reshape(-1, 4)
        point, view, angle, depth = index.T
        cell = (point, view, angle, depth)
        return GraspGroup.from_arrays(
            rotation_matrices=cell_rotations()[view, angle],
            translations=self.points_m[point],
            widths=self.openings_m[cell],
            scores=self.scores[cell],
            depths=np.asarray(DEPTHS_M)[depth],
            stable_scores=self.stable_scores[point, view, angle],
            view_ids=view,
            angle_ids=angle,
        )
