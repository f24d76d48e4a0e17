# SPDX-License-Identifier: Apache-2.0
"""How the flat pads of the 2F-85 meet an object, looked at far more finely than a label does."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from anygrasp_perception.arrays import Float32Array, Float64Array
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_training.labels.mesh_rays import MeshRays, frame_rays

__all__ = ["Touch", "TouchKind", "touches"]

_LENGTH_M, _HEIGHT_M = 0.0375, 0.022  # of a pad, data sheet
_COLUMNS, _ROWS = 15, 11
_TIP_M = 0.009  # of the pad, as the labels took it for at first
_AT_TIP = slice(round(_TIP_M / _LENGTH_M * _COLUMNS))  # columns
_TOUCHED_M = 0.001  # behind the first touch
_MET_M = 0.0002  # behind the first touch: the touch itself
_FLAT_RAD = np.radians(10.0)


class TouchKind(Enum):
    """Where the surface that a pad meets first leans from it; every case of convex bodies is one of these."""

    FLAT = "flat on the pad, within 10 deg"
    EDGE = "edge or corner of the object, inside the pad"
    RIM_ON_FACE = "rim of the pad on a flat slope"
    RIM_ON_CURVE = "rim of the pad on a curved slope"


@dataclass(frozen=True)
class Touch:
    """How both pads meet the object; of two values, that of the finger that is worse off."""

    kind: TouchKind
    behind_m: float  # the pad is met so much earlier behind its first 9 mm than on them
    area: float  # share of the pad that has the object within 1 mm
    spread_rad: float  # largest angle of a normal there to their mean


def touches(rays: MeshRays, group: GraspGroup) -> list[Touch]:
    """Close pads on the object at M grasps, in its frame, from their own widths, the object fixed."""
    x = -(np.arange(_COLUMNS) + 0.5) / _COLUMNS * _LENGTH_M
    z = ((np.arange(_ROWS) + 0.5) / _ROWS - 0.5) * _HEIGHT_M
    offsets = np.stack(np.broadcast_arrays(x[:, None], 0.0, z), axis=-1).reshape(-1, 3).astype(np.float32)
    tips, R = (a.astype(np.float32) for a in (group.fingertips, group.rotation_matrices))
    half = (group.widths / 2).astype(np.float32)
    sides = []
    for side in (-1.0, 1.0):
        feet = tips + np.float32(side) * half[:, None] * R[:, :, 1]
        hits = rays.first_hits(frame_rays(feet, R, offsets, (0.0, -side, 0.0)))
        leans = np.einsum("pmi,mij->pmj", hits.normals, R) * np.array([1.0, side, 1.0])
        sides.append((hits.distances_m, leans))
    return [_worse(*(_one(d[:, m], n[:, m]) for d, n in sides)) for m in range(len(group))]


def _one(distances_m: Float32Array, normals: Float64Array) -> Touch:
    """How one pad meets the object by its rays (P,); outward normals (P, 3), y out of the object."""
    first = int(np.argmin(distances_m))
    if not np.isfinite(distances_m[first]):
        return Touch(TouchKind.FLAT, 0.0, 0.0, 0.0)
    near = distances_m <= distances_m[first] + _TOUCHED_M
    mean = normals[near].sum(axis=0)
    mean /= max(float(np.linalg.norm(mean)), 1e-9)
    spread = float(np.arccos(np.clip(normals[near] @ mean, -1.0, 1.0)).max())
    lattice = (distances_m <= distances_m[first] + _MET_M).reshape(_COLUMNS, _ROWS)
    # Whether the object ends at the rim counts in the direction in which it leans: an edge that runs over the
    # whole pad is inside it all the same.
    met = lattice.any(axis=1 if abs(normals[first, 0]) > abs(normals[first, 2]) else 0)
    if normals[first, 1] >= np.cos(_FLAT_RAD):
        kind = TouchKind.FLAT
    elif not (met[0] or met[-1]):
        kind = TouchKind.EDGE
    else:
        kind = TouchKind.RIM_ON_FACE if spread < np.radians(5.0) else TouchKind.RIM_ON_CURVE
    at_tip = float(distances_m.reshape(_COLUMNS, _ROWS)[_AT_TIP].min())
    return Touch(kind, at_tip - float(distances_m[first]), float(near.mean()), spread)


def _worse(one: Touch, other: Touch) -> Touch:
    kinds = list(TouchKind)
    return Touch(
        max(one.kind, other.kind, key=kinds.index),
        max(one.behind_m, other.behind_m),
        min(one.area, other.area),
        max(one.spread_rad, other.spread_rad),
    )
