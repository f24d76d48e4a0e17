# SPDX-License-Identifier: Apache-2.0
"""Where two closing fingers touch an object, and the surface normals averaged over the finger pads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from anygrasp_perception.arrays import BoolArray, Float32Array, IntpArray
from anygrasp_training.labels.finger_pad import FingerPad
from anygrasp_training.labels.mesh_rays import MeshRays

__all__ = [
    "PadContacts",
    "PadLines",
    "PadSweep",
    "close_fingers",
    "touch_pads",
]

_FLAT_M = 2e-5  # rises less than that are a flat face, met on all of the pad
_GRAZE_M = 1e-5  # on either side of a surface, where a ray in single precision may meet it again
_BLOCK_RAYS = 16_384  # built and cast at once: they and their hits stay in the cache


@dataclass(frozen=True, eq=False)
class PadContacts:
    """Contacts of M pairs of fingers; column 0 the finger at -y, column 1 the one at +y."""

    touch: BoolArray  # (M,) both fingers meet the object, and neither starts inside it
    reach_m: Float32Array  # (M, 2) from the grasp's middle out to what the pad meets first; NaN untouched
    normals: Float32Array  # (M, 2, 3) mean outward unit normals over the pads, zero where untouched

    @classmethod
    def concatenate(cls, some: Sequence[PadContacts]) -> PadContacts:
        """All pairs of fingers, one after the other."""
        return cls(*(np.concatenate([getattr(one, field.name) for one in some]) for field in fields(cls)))


@dataclass(frozen=True, eq=False)
class PadLines:
    """Lines along which the columns of M pads close, in the closing plane; pads that overlap share some.

    Axis by axis, so that the long dimension is the inner one: several times faster in NumPy.
    """

    middles: Float32Array  # (3, L) midway between the fingers
    closing: Float32Array  # (3, L) the grasp frames' y
    heights: Float32Array  # (3, L) their z, along which the rows lie
    half_opening_m: Float32Array  # (L,) from the middle to where the pads start
    of_pad: IntpArray  # (columns, M) the lines of each pad
    sides: Float32Array  # (2, 3, M) of each pad, the grasp frames' x and z
    may_meet: BoolArray  # (rows, L) False where the line, moved to a row, is known to pass the object by

    @classmethod
    def unshared(
        cls,
        fingertips: NDArray[np.float32],
        rotations: NDArray[np.float32],
        half_openings_m: NDArray[np.float32],
        pad: FingerPad,
    ) -> PadLines:
        """Lines of M pads on their own; arguments as `close_fingers`."""
        x = pad.column_offsets_m()
        approach, closing, heights = np.ascontiguousarray(rotations.transpose(2, 1, 0))
        middles = fingertips.T[:, None] + x[:, None] * approach[:, None]  # (3, columns, M)
        count = len(x) * len(fingertips)
        return cls(
            middles.reshape(3, count).astype(np.float32),
            np.tile(closing, len(x)),
            np.tile(heights, len(x)),
            np.tile(half_openings_m, len(x)),
            np.arange(count).reshape(len(x), -1),
            np.stack([approach, heights]),
            np.ones((len(pad.rows_m), count), dtype=np.bool_),
        )

    def for_pads(self, pads: IntpArray, half_openings_m: Sequence[float]) -> PadLines:
        """Only these pads (K,), and the lines that they need, starting from each of S openings in turn:
        S x K pads."""
        of_pad = self.of_pad[:, pads]
        belongs = self.belong_to(of_pad)
        needed = np.flatnonzero(belongs)
        number, starts = np.cumsum(belongs) - 1, len(half_openings_m)
        return PadLines(
            np.tile(self.middles.take(needed, axis=1), starts),
            np.tile(self.closing.take(needed, axis=1), starts),
            np.tile(self.heights.take(needed, axis=1), starts),
            np.repeat(np.asarray(half_openings_m, dtype=np.float32), len(needed)),
            np.tile(number[of_pad], starts) + np.repeat(np.arange(starts) * len(needed), len(pads)),
            np.tile(self.sides.take(pads, axis=2), starts),
            np.tile(self.may_meet.take(needed, axis=1), starts),
        )

    def belong_to(self, of_pad: IntpArray) -> BoolArray:
        """(L,) lines that are among those of some pads or columns (...)."""
        belongs = np.zeros(self.middles.shape[1], dtype=np.bool_)
        belongs[of_pad] = True
        return belongs


def close_fingers(
    rays: MeshRays,
    fingertips: NDArray[np.float32],
    rotations: NDArray[np.float32],
    half_openings_m: NDArray[np.float32],
    pad: FingerPad,
) -> PadContacts:
    """Close M pairs of fingers on the object and return what their pads touch first.

    `fingertips` (M, 3) midway between the tips, `rotations` (M, 3, 3) of the grasp frames, both in the
    object's frame; `half_openings_m` (M,) is where the pads start from, on either side.
    """
    return touch_pads(rays, PadLines.unshared(fingertips, rotations, half_openings_m, pad), pad)


def touch_pads(rays: MeshRays, lines: PadLines, pad: FingerPad) -> PadContacts:
    """Close M pairs of fingers, given as the lines of their pads, and return what these touch first."""
    return PadSweep(rays, lines, pad).contacts()


class PadSweep:
    """Two pads on their way along their lines, which looks at as few of these as tell what they touch.

    Both fingers close along the same lines on the same solid: where the one at -y has nothing before it, the
    other has neither, and both start outside or both inside.
    """

    def __init__(self, rays: MeshRays, lines: PadLines, pad: FingerPad) -> None:
        self._rays, self._lines, self._pad = rays, lines, pad
        shape = (2, len(pad.rows_m), lines.middles.shape[1])
        # From either pad inwards to what its row meets first, infinite past the other pad.
        self._distances = np.full(shape, np.inf, dtype=np.float32)
        self._normals = np.zeros((3, *shape), dtype=np.float32)
        self._looked = np.zeros(shape, dtype=np.bool_)
        self._free = np.ones(shape[-1], dtype=np.bool_)  # neither pad is known to start in the solid there
        # The tips in the closing plane tell most of what fails.
        tips = lines.belong_to(lines.of_pad[: pad.tip_columns])
        self._look(0, pad.middle_row, tips)

    def gapped(self) -> BoolArray:
        """(M,) lines of a pad's tip leave the solid and enter it again, between the pads or beyond the one at
        +y: fingers that start nearer may fit into a gap, or beside what is in the way of a wide start."""
        lines, middle, tips = self._lines, self._pad.middle_row, self._lines.of_pad[: self._pad.tip_columns]
        near, far = self._distances[:, middle]
        outside = self._free.copy()
        self._look(1, middle, lines.belong_to(tips))
        ends_in_solid = outside & ~self._free
        half = lines.half_opening_m
        solid = 2 * half - near - far - 2 * _GRAZE_M
        gaps = np.zeros(len(solid), dtype=np.bool_)
        which = np.flatnonzero(solid > 0.0)
        gaps[which] = self._meets(which, near[which] + _GRAZE_M - half[which], solid[which])
        which = np.flatnonzero(np.isfinite(near) & ~gaps & ~ends_in_solid)
        gaps[which] = self._meets(which, half[which], np.ones(len(which), dtype=np.float32))
        return np.asarray(gaps[tips].any(axis=0))

    def _meets(self, which: IntpArray, start_m: Float32Array, length_m: Float32Array) -> BoolArray:
        """(K,) some lines (K,) meet the surface within a length (K,) of a start (K,), from their middles."""
        closing = self._lines.closing.take(which, axis=1)
        rays = np.empty((len(which), 6), dtype=np.float32)
        for axis, middles in enumerate(self._lines.middles):
            rays[:, axis] = middles[which] + start_m * closing[axis]
            rays[:, 3 + axis] = length_m * closing[axis]  # not of unit length: they end at 1
        return self._rays.crosses_surface(rays, 1.0)

    def contacts(self) -> PadContacts:
        """Look at the rest of both pads and return what they touch."""
        lines, middle, of_pad = self._lines, self._pad.middle_row, self._lines.of_pad
        count = of_pad.shape[1]
        # Without something between the tips there is no grasp, nor where a part of a pad starts in the solid.
        tips = of_pad[: self._pad.tip_columns]
        between = np.isfinite(self._distances[0, middle])
        kept = np.flatnonzero(between[tips].any(axis=0) & self._free[tips].all(axis=0))
        of_pad = of_pad[:, kept]
        for row in (middle, *np.delete(np.arange(len(self._pad.rows_m)), middle)):
            for side in (0, 1):
                self._look(side, row, lines.belong_to(of_pad))
                fits = self._free[of_pad].all(axis=0)
                kept, of_pad = kept[fits], of_pad[:, fits]

        distances = _on_pads(self._distances, of_pad)
        first = distances.min(axis=1)  # (2, K)
        bears = (distances <= (first + self._pad.give_m)[:, None]) & np.isfinite(first)[:, None]
        weights = bears.astype(np.float32)
        total = np.stack(
            [np.einsum("fpk,fpk->fk", _on_pads(normals, of_pad), weights) for normals in self._normals]
        )  # (3, 2, K)
        if self._pad.flat:
            bearing = weights.sum(axis=1)  # (2, K)
            _push_along_pads(total, distances, bearing, lines.sides.take(kept, axis=2), self._pad)
        length = np.sqrt(np.square(total).sum(axis=0))  # (2, K)
        touches = np.isfinite(first).all(axis=0) & (length > 0.0).all(axis=0)
        touch = np.zeros(count, dtype=np.bool_)
        touch[kept] = touches
        reach = np.full((count, 2), np.nan, dtype=np.float32)
        reach[touch] = (lines.half_opening_m[of_pad[0]] - first)[:, touches].T
        mean = np.zeros((count, 2, 3), dtype=np.float32)
        mean[touch] = (total / np.where(length > 0.0, length, 1.0))[:, :, touches].T
        return PadContacts(touch, reach, mean)

    def _look(self, side: int, row: int, needed: BoolArray) -> None:
        """Find what the pad at -y (`side` 0) or +y (1) meets first along the lines needed (L,), in a row."""
        distances, looked = self._distances[side, row], self._looked[side, row]
        wanted = needed & self._lines.may_meet[row] & ~looked
        if side == 1:
            wanted &= np.isfinite(self._distances[0, row])
        looked |= wanted
        which = np.flatnonzero(wanted)
        for first in range(0, len(which), _BLOCK_RAYS):
            some = which[first : first + _BLOCK_RAYS]
            hits = self._rays.first_hits(self._inward(side, row, some))
            hits.distances_m[hits.distances_m >= 2 * self._lines.half_opening_m[some]] = np.inf
            distances[some] = hits.distances_m
            self._free[some[hits.from_inside]] = False
            for axis in range(3):
                self._normals[axis, side, row, some] = hits.normals[:, axis]

    def _inward(self, side: int, row: int, which: IntpArray) -> Float32Array:
        """Rays (K, 6) from a pad along some lines (K,), moved to a row."""
        sign, height = np.float32(2 * side - 1), np.float32(self._pad.rows_m[row])
        closing = self._lines.closing.take(which, axis=1)
        feet = self._lines.middles.take(which, axis=1)
        feet += sign * self._lines.half_opening_m[which] * closing
        if height != 0.0:
            feet += height * self._lines.heights.take(which, axis=1)
        rays = np.empty((len(which), 6), dtype=np.float32)
        for axis in range(3):
            rays[:, axis] = feet[axis]
            np.multiply(closing[axis], -sign, out=rays[:, 3 + axis])
        return rays


def _push_along_pads(
    normals: Float32Array, distances: Float32Array, bearing: Float32Array, sides: Float32Array, pad: FingerPad
) -> None:
    """Take from normals (3, 2, K), in place, what they lean along each side of a pad that lies on the object,
    if that is highest between the rims there; `distances` (2, rows x columns, K), how many rays are
    `bearing` (2, K), `sides` (2, 3, K)."""
    by_ray = distances.reshape(2, len(pad.rows_m), len(pad.columns_m), -1)
    lies = bearing >= pad.flat_on_rays
    for side, profile in zip(sides[:, :, None], (by_ray.min(axis=1), by_ray.min(axis=2)), strict=True):
        rim = np.minimum(profile[:, 0], profile[:, -1])  # (2, K)
        between_rims = profile.min(axis=1) < rim - _FLAT_M
        normals -= (normals * side).sum(axis=0) * (lies & between_rims) * side


def _on_pads(of_lines: Float32Array, of_pad: IntpArray) -> Float32Array:
    """Values (2, rows, L) of the lines as (2, rows x columns, K) of the pads."""
    values = np.take(of_lines, of_pad, axis=2)
    return values.reshape(2, values.shape[1] * values.shape[2], values.shape[3])
