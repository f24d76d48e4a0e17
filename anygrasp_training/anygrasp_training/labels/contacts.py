# SPDX-License-Identifier: Apache-2.0
"""Where two closing fingers touch an object, and the surface normals averaged over the finger pads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anygrasp_perception.arrays import BoolArray, Float32Array, Int32Array
from anygrasp_training.labels.mesh_rays import MeshRays, RayHits, frame_rays

__all__ = ["FingerPad", "PadContacts", "close_fingers", "closing_crossings"]


@dataclass(frozen=True)
class FingerPad:
    """The patch of a fingertip that touches, sampled by a lattice of rays along the closing direction.

    It reaches back from the fingertip and lies across the finger height. Averaging over it keeps one sharp
    triangle, or one facet of a coarse mesh, from deciding a label.
    """

    length_m: float = 0.009  # along the approach, back from the fingertip
    height_m: float = 0.020  # along the finger height
    columns: int = 3  # rays along the length, at the middles of equal parts
    rows: int = 3  # rays along the height; odd, so that the middle row is the closing plane
    give_m: float = 0.003  # what lies this much behind the first touch still bears on the pad

    def __post_init__(self) -> None:
        for name in ("length_m", "height_m", "give_m"):
            if not 0.0 < getattr(self, name) < np.inf:
                raise ValueError(f"FingerPad.{name} must be a positive length, got {getattr(self, name)}")
        if self.columns < 1 or self.rows < 1 or self.rows % 2 == 0:
            raise ValueError(
                f"FingerPad needs columns >= 1 and an odd number of rows, got {self.columns} columns, "
                f"{self.rows} rows"
            )

    def ray_offsets(self) -> Float32Array:
        """Return the feet of the rays (rows, columns, 3) from the fingertip's middle, grasp frame, metres."""
        x = -(np.arange(self.columns) + 0.5) * self.length_m / self.columns
        z = ((np.arange(self.rows) + 0.5) / self.rows - 0.5) * self.height_m
        return np.stack(np.broadcast_arrays(x, 0.0, z[:, None]), axis=-1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class PadContacts:
    """Contacts of M pairs of fingers; column 0 the finger at -y, column 1 the one at +y."""

    touch: BoolArray  # (M,) both fingers meet the object, and neither starts inside it
    reach_m: Float32Array  # (M, 2) from the grasp's middle out to what the pad meets first; NaN untouched
    normals: Float32Array  # (M, 2, 3) mean outward unit normals over the pads, zero where untouched


def closing_crossings(
    rays: MeshRays,
    fingertips: NDArray[np.float32],
    rotations: NDArray[np.float32],
    half_opening_m: float,
    pad: FingerPad,
) -> Int32Array:
    """Return (columns, M) how often the lines across the middles of M pads cross the surface.

    They start at the pads at -y, `half_opening_m` from the middle, and go on to infinity: no crossing, and
    nothing lies between the fingers; an odd count, and the finger starts in the solid; more than two, and
    there is a gap that a finger may fit into. Other arguments as `close_fingers`.
    """
    feet = pad.ray_offsets()[pad.rows // 2] - np.array((0.0, half_opening_m, 0.0), dtype=np.float32)
    return rays.count_crossings(frame_rays(fingertips, rotations, feet, (0.0, 1.0, 0.0)))


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
    offsets = pad.ray_offsets()
    middle = pad.rows // 2
    hits = _cast(rays, fingertips, rotations, half_openings_m, offsets[middle])
    # A pad of which a part starts in the solid has no place there; most are found out by the middle row.
    fits = np.asarray(~hits.from_inside.any(axis=(0, 1)))
    kept = np.flatnonzero(fits)
    rest = np.delete(offsets, middle, axis=0).reshape(-1, 3)
    others = _cast(rays, fingertips[kept], rotations[kept], half_openings_m[kept], rest)
    fits[kept] = ~others.from_inside.any(axis=(0, 1))
    distances = np.concatenate([hits.distances_m[..., kept], others.distances_m], axis=1)  # (2, P, K)
    normals = np.concatenate([hits.normals[:, :, kept], others.normals], axis=1)

    first = distances.min(axis=1)
    bearing = (distances <= first[:, None] + pad.give_m) & (distances < 2 * half_openings_m[kept])
    total = np.stack([(normals[..., axis] * bearing).sum(axis=1) for axis in range(3)], axis=-1)
    length = np.linalg.norm(total, axis=-1)  # (2, K)
    touches = fits[kept] & bearing.any(axis=1).all(axis=0) & (length > 0.0).all(axis=0)
    touch = np.zeros(len(fingertips), dtype=np.bool_)
    touch[kept] = touches
    reach = np.full((len(touch), 2), np.nan, dtype=np.float32)
    reach[touch] = (half_openings_m[kept] - first)[:, touches].T
    mean = np.zeros((len(touch), 2, 3), dtype=np.float32)
    mean[touch] = (total / np.where(length > 0.0, length, 1.0)[..., None])[:, touches].transpose(1, 0, 2)
    return PadContacts(touch, reach, mean)


def _cast(
    rays: MeshRays,
    fingertips: NDArray[np.float32],
    rotations: NDArray[np.float32],
    half_openings_m: NDArray[np.float32],
    offsets: Float32Array,
) -> RayHits:
    """First hits (2, P, M) from the pads at -y and +y inwards, at `offsets` (P, 3) on both."""
    outward = half_openings_m[:, None] * rotations[:, :, 1]
    return rays.first_hits(
        np.stack(
            [
                frame_rays(fingertips - outward, rotations, offsets, (0.0, 1.0, 0.0)),
                frame_rays(fingertips + outward, rotations, offsets, (0.0, -1.0, 0.0)),
            ]
        )
    )
