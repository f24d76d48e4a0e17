# SPDX-License-Identifier: Apache-2.0
"""The flat inner side of a finger as the labels look at it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import Float32Array

__all__ = ["FingerPad"]


@dataclass(frozen=True)
class FingerPad:
    """The flat inner side of a finger, sampled by a lattice of rays along the closing direction.

    It reaches back from the fingertip and lies across the finger height. Averaging over the pad keeps one
    sharp triangle, or one facet of a coarse mesh, from deciding a label. The rims matter most: what slopes
    away is met there first. Rays just inside them, as of the 2F-85's pad of 22 mm, tell what holds in physics
    as well as a lattice three times as fine (docs/results/label_physics_diagnosis.md).
    """

    # Rays along the approach, from the fingertip. Depths differ by 5 mm: cells share all but the first.
    columns_m: tuple[float, ...] = (0.0005, 0.0045, 0.0095, 0.0145, 0.0195, 0.0245, 0.0295)
    # Rays along the height, from the closing plane, which the middle one is in.
    rows_m: tuple[float, ...] = (-0.0105, 0.0, 0.0105)
    # Columns up to here from the fingertip, of which one must meet something: what the tips have passed by,
    # the far ends of the pads let go too often (66 % of 113 grasps held in physics that needed under 0.4).
    tip_m: float = 0.010
    give_m: float = 0.003  # what lies this much behind the first touch still bears on the pad
    # A flat pad meets what bulges, or has an edge, between its rims at the highest place, and there pushes
    # along its own normal. Without it the surface's mean normal counts wherever the touch is, as in GraspNet.
    flat: bool = True
    # Rays that must bear for it: three places carry a flat pad, on fewer it rocks about a corner or an edge.
    flat_on_rays: int = 3

    def __post_init__(self) -> None:
        for name in ("tip_m", "give_m"):
            if not 0.0 < getattr(self, name) < np.inf:
                raise ValueError(f"FingerPad.{name} must be a positive length, got {getattr(self, name)}")
        if self.flat_on_rays < 1:
            raise ValueError(f"FingerPad.flat_on_rays must be 1 or more, got {self.flat_on_rays}")
        if any(a >= b for a, b in itertools.pairwise((0.0, *self.columns_m, np.inf))):
            raise ValueError(f"FingerPad.columns_m must be positive lengths that rise, got {self.columns_m}")
        if not self.tip_columns:
            raise ValueError(
                f"FingerPad needs a column within tip_m {self.tip_m} of the fingertip, got columns_m "
                f"{self.columns_m}"
            )
        rising = all(a < b for a, b in itertools.pairwise((-np.inf, *self.rows_m, np.inf)))
        if not rising or len(self.rows_m) % 2 == 0 or self.rows_m[self.middle_row] != 0.0:
            raise ValueError(f"FingerPad.rows_m must rise, as many below 0 as above it, got {self.rows_m}")

    @property
    def middle_row(self) -> int:
        """Number of the row in the closing plane."""
        return len(self.rows_m) // 2

    @property
    def tip_columns(self) -> int:
        """How many columns, from the first, are at the tip."""
        return sum(column <= self.tip_m for column in self.columns_m)

    def column_offsets_m(self) -> Float32Array:
        """Return where the columns are (columns,) from the fingertip along the approach, all negative."""
        return -np.asarray(self.columns_m, dtype=np.float32)

    def row_offsets_m(self) -> Float32Array:
        """Return where the rows are (rows,) from the closing plane along the finger height."""
        return np.asarray(self.rows_m, dtype=np.float32)
