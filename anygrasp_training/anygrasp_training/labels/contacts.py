# SPDX-License-Identifier: Apache-2.0
"""Where two closing fingers touch an object, and the surface normals averaged over the finger pads."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anygrasp_perception.arrays import BoolArray, Float32Array, Int32Array, IntpArray
from anygrasp_training.labels.mesh_rays import MeshRays, RayHits, frame_rays

__all__ = ["FingerPad", "PadContacts", "PadLines", "close_fingers", "closing_crossings", "touch_pads"]

_FLAT_M = 2e-5  # rises less than that are a flat face, met on all of the pad


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

    def __post_init__(self) -> None:
        for name in ("tip_m", "give_m"):
            if not 0.0 < getattr(self, name) < np.inf:
                raise ValueError(f"FingerPad.{name} must be a positive length, got {getattr(self, name)}")
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


@dataclass(frozen=True, eq=False)
class PadContacts:
    """Contacts of M pairs of fingers; column 0 the finger at -y, column 1 the one at +y."""

    touch: BoolArray  # (M,) both fingers meet the object, and neither starts inside it
    reach_m: Float32Array  # (M, 2) from the grasp's middle out to what the pad meets first; NaN untouched
    normals: Float32Array  # (M, 2, 3) mean outward unit normals over the pads, zero where untouched


@dataclass(frozen=True, eq=False)
class PadLines:
    """Lines along which the columns of M pads close, in the closing plane; pads that overlap share some."""

    middles: Float32Array  # (L, 3) midway between the fingers
    rotations: Float32Array  # (L, 3, 3) of the grasp frames
    half_opening_m: Float32Array  # (L,) from the middle to where the pads start
    of_pad: IntpArray  # (columns, M) the lines of each pad

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
        middles = fingertips + x[:, None, None] * rotations[:, :, 0]
        return cls(
            middles.reshape(-1, 3).astype(np.float32),
            np.tile(rotations, (len(x), 1, 1)),
            np.tile(half_openings_m, len(x)),
            np.arange(len(x) * len(fingertips)).reshape(len(x), -1),
        )

    def for_pads(self, pads: IntpArray) -> PadLines:
        """Only these pads (K,), and the lines that they need."""
        needed = self.needed_by(pads)
        number = np.cumsum(needed) - 1
        return PadLines(
            self.middles[needed],
            self.rotations[needed],
            self.half_opening_m[needed],
            number[self.of_pad[:, pads]],
        )

    def needed_by(self, pads: IntpArray) -> BoolArray:
        """(L,) lines that belong to any of the pads (K,)."""
        needed = np.zeros(len(self.middles), dtype=np.bool_)
        needed[self.of_pad[:, pads]] = True
        return needed


def closing_crossings(rays: MeshRays, lines: PadLines) -> Int32Array:
    """Return (columns, M) how often the lines of M pads cross the surface.

    They start at the pads at -y and go on to infinity: no crossing, and nothing lies between the fingers; an
    odd count, and the finger starts in the solid; more than two, and there is a gap that a finger may fit
    into.
    """
    feet = lines.middles - lines.half_opening_m[:, None] * lines.rotations[:, :, 1]
    counts = rays.count_crossings(np.column_stack([feet, lines.rotations[:, :, 1]]))
    return np.asarray(counts[lines.of_pad])


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
    z, middle = pad.row_offsets_m(), pad.middle_row
    count = lines.of_pad.shape[1]
    in_plane = _cast(rays, lines, z[middle : middle + 1])
    # Both fingers meet the same solid, so that one tells whether something is between the tips; and a pad
    # of which a part starts in the solid has no place there. Most are found out by the middle row.
    between = np.asarray(in_plane.distances_m[0, 0] < 2 * lines.half_opening_m)
    free = ~np.logical_or(*in_plane.from_inside[:, 0])
    fits = np.asarray(free[lines.of_pad].all(axis=0) & between[lines.of_pad[: pad.tip_columns]].any(axis=0))
    kept = np.flatnonzero(fits)
    needed = lines.needed_by(kept)
    lines = lines.for_pads(kept)
    others = _cast(rays, lines, np.delete(z, middle))
    free = np.asarray(~others.from_inside.any(axis=(0, 1)))
    fits[kept] = free[lines.of_pad].all(axis=0)
    distances = np.concatenate([in_plane.distances_m[..., needed], others.distances_m], axis=1)
    normals = np.concatenate([in_plane.normals[:, :, needed], others.normals], axis=1)

    distances[distances >= 2 * lines.half_opening_m] = np.inf
    distances = _on_pads(distances, lines)
    first = distances.min(axis=1)  # (2, K)
    bearing = (distances <= (first + pad.give_m)[:, None]) & np.isfinite(first)[:, None]
    total = np.stack(
        [
            np.einsum("fpk,fpk->fk", _on_pads(normals[..., axis], lines), bearing.astype(np.float32))
            for axis in range(3)
        ],
        axis=-1,
    )
    if pad.flat:
        _push_along_pads(total, distances, lines, pad)
    length = np.linalg.norm(total, axis=-1)  # (2, K)
    touches = fits[kept] & np.isfinite(first).all(axis=0) & (length > 0.0).all(axis=0)
    touch = np.zeros(count, dtype=np.bool_)
    touch[kept] = touches
    reach = np.full((count, 2), np.nan, dtype=np.float32)
    reach[touch] = (lines.half_opening_m[lines.of_pad[0]] - first)[:, touches].T
    mean = np.zeros((count, 2, 3), dtype=np.float32)
    mean[touch] = (total / np.where(length > 0.0, length, 1.0)[..., None])[:, touches].transpose(1, 0, 2)
    return PadContacts(touch, reach, mean)


def _push_along_pads(normals: Float32Array, distances: Float32Array, lines: PadLines, pad: FingerPad) -> None:
    """Take from normals (2, K, 3), in place, what they lean along each side of the pad between whose rims the
    object is highest; `distances` (2, rows x columns, K)."""
    rows, middle = len(pad.rows_m), pad.middle_row
    by_ray = distances.reshape(2, rows, len(pad.columns_m), -1)
    upward = np.argsort([middle, *np.delete(np.arange(rows), middle)])  # the middle came first
    rotations = lines.rotations[lines.of_pad[0]]
    for axis, profile in ((0, by_ray.min(axis=1)), (2, by_ray.min(axis=2)[:, upward])):
        rim = np.minimum(profile[:, 0], profile[:, -1])  # (2, K)
        inside = profile.min(axis=1) < rim - _FLAT_M
        side = rotations[:, :, axis]
        lean = np.einsum("fki,ki->fk", normals, side) * inside
        normals -= lean[..., None] * side


def _on_pads(of_lines: Float32Array, lines: PadLines) -> Float32Array:
    """Values (2, rows, L) of the lines as (2, rows x columns, K) of the pads."""
    values = np.take(of_lines, lines.of_pad, axis=2)
    return values.reshape(2, values.shape[1] * values.shape[2], values.shape[3])


def _cast(rays: MeshRays, lines: PadLines, heights_m: Float32Array) -> RayHits:
    """First hits (2, rows, L) from the pads at -y and +y inwards, at `heights_m` (rows,) on both."""
    outward = lines.half_opening_m[:, None] * lines.rotations[:, :, 1]
    offsets = np.zeros((len(heights_m), 3), dtype=np.float32)
    offsets[:, 2] = heights_m
    return rays.first_hits(
        np.stack(
            [
                frame_rays(lines.middles - outward, lines.rotations, offsets, (0.0, 1.0, 0.0)),
                frame_rays(lines.middles + outward, lines.rotations, offsets, (0.0, -1.0, 0.0)),
            ]
        )
    )
