# SPDX-License-Identifier: Apache-2.0
"""The label cells of one surface point, and which of them are worth a closer look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import BoolArray, Float32Array, IntpArray
from anygrasp_perception.grasp import DEPTHS_M
from anygrasp_training.labels.contacts import closing_crossings
from anygrasp_training.labels.label_config import LabelConfig
from anygrasp_training.labels.mesh_rays import MeshRays
from anygrasp_training.labels.self_collision import axis_blocked

__all__ = ["PointCells", "reachable_cells"]


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
    at = PointCells.at(point, rotations, cells)
    crossings = closing_crossings(
        rays, at.fingertips, at.rotations, config.gripper.max_width_m / 2, config.pad
    )
    from_wide_open = (crossings > 0).any(axis=0) & (crossings % 2 == 0).all(axis=0)
    return cells[from_wide_open], cells[(crossings > 2).any(axis=0)]
