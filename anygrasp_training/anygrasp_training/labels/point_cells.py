# SPDX-License-Identifier: Apache-2.0
"""The label cells of one surface point, and which of them are worth a closer look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import BoolArray, Float32Array, IntpArray
from anygrasp_perception.grasp import DEPTHS_M
from anygrasp_training.labels.contacts import PadLines
from anygrasp_training.labels.finger_pad import FingerPad
from anygrasp_training.labels.label_config import LabelConfig
from anygrasp_training.labels.mesh_rays import MeshRays
from anygrasp_training.labels.self_collision import axis_blocked

__all__ = ["PointCells", "Turns", "pad_lines", "reachable_cells"]

_MARGIN_M = 1e-5  # of the object's extents, which are in single precision


@dataclass(frozen=True, eq=False)
class Turns:
    """The orientations (V, A) of the cells of all points of an object, flat, T of them."""

    rotations: Float32Array  # (T, 3, 3)
    axes: Float32Array  # (3, 3, T) the same, axis by axis of the grasp frames
    extents: Float32Array  # (T, 2, 3) least and largest coordinates of the object in each, at its own origin
    angles: int  # A: so many in a row share their approach

    @classmethod
    def of(cls, rays: MeshRays, rotations: Float32Array) -> Turns:
        """Turns of `rotations` (V, A, 3, 3) about the object of `rays`."""
        flat = rotations.reshape(-1, 3, 3)
        axes = np.ascontiguousarray(flat.transpose(2, 1, 0))
        return cls(flat, axes, rays.extents(flat), rotations.shape[1])

    def extents_from(self, point: Float32Array) -> Float32Array:
        """(T, 2, 3) extents of the object in frames at `point` (3,), with a margin."""
        extents: Float32Array = self.extents - np.einsum("i,ait->ta", point, self.axes)[:, None]
        extents[:, 0] -= _MARGIN_M
        extents[:, 1] += _MARGIN_M
        return extents


@dataclass(frozen=True, eq=False)
class PointCells:
    """Some cells of one surface point, flat."""

    centers: Float32Array  # (M, 3)
    rotations: Float32Array  # (M, 3, 3)
    depths_m: Float32Array  # (M,)
    extents: Float32Array  # (M, 2, 3) of the object in the cells' frames

    @classmethod
    def at(cls, point: Float32Array, turns: Turns, extents: Float32Array, cells: IntpArray) -> PointCells:
        """Cells (M,) of the flattened (T, 5) at `point` (3,), from which the object's extents are seen."""
        turn, depth = np.divmod(cells, len(DEPTHS_M))
        depths = np.asarray(DEPTHS_M, dtype=np.float32)[depth]
        return cls(np.broadcast_to(point, (len(cells), 3)), turns.rotations[turn], depths, extents[turn])

    @property
    def fingertips(self) -> Float32Array:
        """(M, 3) points midway between the fingertips."""
        return self.centers + self.depths_m[:, None] * self.rotations[:, :, 0]


def pad_lines(
    point: Float32Array,
    turns: Turns,
    extents: Float32Array,
    cells: IntpArray,
    half_opening_m: float,
    pad: FingerPad,
) -> PadLines:
    """Return the lines of `PointCells.at`; depths of one orientation share some.

    By the `extents` (T, 2, 3) of the object, seen from the point, what passes it by is left out; the last
    line stands for all that do.
    """
    x = np.asarray(DEPTHS_M, dtype=np.float32)[:, None] + pad.column_offsets_m()
    places, place = np.unique(np.round(x, 6), return_inverse=True)
    place = place.reshape(x.shape)  # (5, columns)
    turn, depth = np.divmod(cells, len(DEPTHS_M))
    of_pad = turn * len(places) + np.ascontiguousarray(place[depth].T)  # (columns, M)
    needed = np.zeros((len(extents), len(places)), dtype=np.bool_)
    needed.reshape(-1)[of_pad] = True
    low, high = extents.transpose(1, 2, 0)  # (3, T)
    needed &= (places >= low[0][:, None]) & (places <= high[0][:, None])
    sides = turns.axes[::2].take(turn, axis=2)
    turn, column = np.nonzero(needed)
    number = np.cumsum(needed) - 1
    number[~needed.reshape(-1)] = len(turn)
    turn, column = np.append(turn, 0), np.append(column, 0)
    rows = pad.row_offsets_m()[:, None]
    may_meet = ((rows >= low[2]) & (rows <= high[2]))[:, turn]
    may_meet[:, -1] = False
    approach, closing, heights = turns.axes.take(turn, axis=2)
    return PadLines(
        point[:, None] + places[column] * approach,
        closing,
        heights,
        np.full(len(turn), half_opening_m, dtype=np.float32),
        number[of_pad],
        sides,
        may_meet,
    )


def reachable_cells(
    rays: MeshRays, point: Float32Array, turns: Turns, extents: Float32Array, config: LabelConfig
) -> IntpArray:
    """Flat indices of the cells (T, 5) that may hold something; cheap looks rule out the others.

    `extents` (T, 2, 3) of the object are seen from the point.
    """
    depth = np.asarray(DEPTHS_M, dtype=np.float32)
    approaches = np.repeat(turns.rotations[:: turns.angles, :, 0], len(depth), axis=0)
    centers = np.broadcast_to(point, approaches.shape)
    depths = np.tile(depth, len(approaches) // len(depth))
    blocked = axis_blocked(rays, centers, approaches, depths, config.gripper)
    free: BoolArray = np.repeat(~blocked.reshape(-1, len(depth)), turns.angles, axis=0)
    tips = depth[:, None] + config.pad.column_offsets_m()[: config.pad.tip_columns]  # (5, tip columns)
    low, high = extents[:, :, 0, None, None].swapaxes(0, 1)
    between = ((tips >= low) & (tips <= high)).any(axis=-1)
    return np.flatnonzero(free & between)
