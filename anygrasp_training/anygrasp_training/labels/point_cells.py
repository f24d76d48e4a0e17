# SPDX-License-Identifier: Apache-2.0
"""The label cells of one surface point, and which of them are worth a closer look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import BoolArray, Float32Array, IntpArray
from anygrasp_perception.grasp import DEPTHS_M
from anygrasp_training.labels.contacts import PadLines, closing_crossings
from anygrasp_training.labels.label_config import LabelConfig
from anygrasp_training.labels.mesh_rays import MeshRays
from anygrasp_training.labels.self_collision import axis_blocked

__all__ = ["PointCells", "pad_lines", "reachable_cells"]


@dataclass(frozen=True, eq=False)
class PointCells:
    """Some cells of one surface point, flat."""

    centers: Float32Array  # (M, 3)
    rotations: Float32Array  # (M, 3, 3)
    depths_m: Float32Array  # (M,)

    @classmethod
    def at(cls, point: Float32Array, rotations: Float32Array, cells: IntpArray) -> PointCells:
        """Cells (M,) of the flattened (V, A, 5) at `point` (3,), `rotations` (V, A, 3, 3)."""
        turn, depth = np.divmod(cells, len(DEPTHS_M))
        R = rotations.reshape(-1, 3, 3)[turn]
        return cls(np.broadcast_to(point, (len(cells), 3)), R, np.asarray(DEPTHS_M, dtype=np.float32)[depth])

    def __getitem__(self, mask: BoolArray) -> PointCells:
        return PointCells(self.centers[mask], self.rotations[mask], self.depths_m[mask])

    @property
    def fingertips(self) -> Float32Array:
        """(M, 3) points midway between the fingertips."""
        return self.centers + self.depths_m[:, None] * self.rotations[:, :, 0]


def pad_lines(
    point: Float32Array,
    rotations: Float32Array,
    cells: IntpArray,
    half_opening_m: float,
    column_offsets_m: Float32Array,
) -> PadLines:
    """Return the lines of `PointCells.at` at these columns; depths of one orientation share some."""
    turn, depth = np.divmod(cells, len(DEPTHS_M))
    x = np.asarray(DEPTHS_M, dtype=np.float32)[:, None] + column_offsets_m
    places, place = np.unique(np.round(x, 6), return_inverse=True)
    # Cells come sorted by orientation: only the stretch of orientations that they span is numbered.
    first = int(turn[0]) if len(turn) else 0
    turn = turn - first
    line = turn * len(places) + place.reshape(x.shape)[depth].T  # (columns, M)
    needed = np.zeros(int(turn.max(initial=-1) + 1) * len(places), dtype=np.bool_)
    needed[line] = True
    turn, place = np.divmod(np.flatnonzero(needed), len(places))
    R = rotations.reshape(-1, 3, 3)[first + turn]
    return PadLines(
        np.asarray(point + places[place, None] * R[:, :, 0], dtype=np.float32),
        R,
        np.full(len(R), half_opening_m, dtype=np.float32),
        (np.cumsum(needed) - 1)[line],
    )


def reachable_cells(
    rays: MeshRays, point: Float32Array, rotations: Float32Array, config: LabelConfig
) -> tuple[IntpArray, IntpArray]:
    """Flat indices of the cells (V, A, 5) that may hold something between fingers that start wide open,
    and of those that may between fingers that start in a gap; cheap looks rule out the others."""
    count, turns = rotations.shape[:2]
    depth = np.asarray(DEPTHS_M, dtype=np.float32)
    approaches = np.repeat(rotations[:, 0, :, 0], len(depth), axis=0)
    centers = np.broadcast_to(point, approaches.shape)
    blocked = axis_blocked(rays, centers, approaches, np.tile(depth, count), config.gripper)
    free = np.broadcast_to(~blocked.reshape(count, 1, len(depth)), (count, turns, len(depth)))
    cells = np.flatnonzero(free)
    tip = config.pad.column_offsets_m()[: config.pad.tip_columns]
    lines = pad_lines(point, rotations, cells, config.gripper.max_width_m / 2, tip)
    crossings = closing_crossings(rays, lines)
    from_wide_open = (crossings > 0).any(axis=0) & (crossings % 2 == 0).all(axis=0)
    return cells[from_wide_open], cells[(crossings > 2).any(axis=0)]
