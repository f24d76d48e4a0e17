# SPDX-License-Identifier: Apache-2.0
"""Evenly spread points on a mesh's surface."""

import numpy as np
import trimesh
from numpy.typing import NDArray

from anygrasp_perception.arrays import Float64Array

__all__ = ["farthest_points", "surface_points"]

_OVERSAMPLING = 16  # random points a point kept: at 16 the kept ones lie about as far apart as they can


def surface_points(mesh: trimesh.Trimesh, max_count: int, min_spacing_m: float, seed: int) -> Float64Array:
    """Return up to `max_count` points (N, 3) on the surface, no two closer than `min_spacing_m`.

    Spread by farthest point sampling of a denser area-uniform sample. Same seed, same points.
    Raises ValueError on a count below 1 or a negative spacing.
    """
    if max_count < 1 or not min_spacing_m >= 0.0:
        raise ValueError(
            f"need max_count >= 1 and min_spacing_m >= 0, got max_count {max_count}, "
            f"min_spacing_m {min_spacing_m}"
        )
    dense, _ = trimesh.sample.sample_surface(mesh, _OVERSAMPLING * max_count, seed=seed)
    dense = np.asarray(dense, dtype=np.float64)
    return dense[farthest_points(dense, max_count, min_spacing_m)]


def farthest_points(points: Float64Array, max_count: int, min_spacing_m: float = 0.0) -> NDArray[np.intp]:
    """Return indices (N,) of `points` (P, 3), each next one farthest from those before, the first first.

    Stops at `max_count` or when the farthest is nearer than `min_spacing_m`.
    """
    chosen = [0]
    distance = np.linalg.norm(points - points[0], axis=1)
    for _ in range(min(max_count, len(points)) - 1):
        farthest = int(distance.argmax())
        if distance[farthest] <= min_spacing_m:
            break
        chosen.append(farthest)
        np.minimum(distance, np.linalg.norm(points - points[farthest], axis=1), out=distance)
    return np.asarray(chosen, dtype=np.intp)
