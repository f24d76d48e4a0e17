# SPDX-License-Identifier: Apache-2.0
"""Points under water as a time-of-flight camera above reports them, brought back to where they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import Float32Array, check_points, check_vector

__all__ = ["undo_refraction"]


def undo_refraction(
    points: ArrayLike, normal: ArrayLike, distance_m: float, refractive_index: float = 1.33
) -> Float32Array:
    """True points (N, 3) of apparent ones beyond a flat water surface; those before it stay. Camera frame.

    The camera takes light to go straight at its speed in air: beyond the surface its ranges are too long
    by the refractive index, along a ray that in truth bends towards the normal. Waves are not undone.

    Args:
        points: (N, 3) apparent, metres.
        normal: (3,) of the surface `normal . p = distance_m`, from the camera into the water, any length.
        distance_m: from the camera to the surface along the normal.

    Raises:
        ValueError: a zero normal, a camera that is not above the water, or an index below 1.
    """
    array = check_points(points)
    n = check_vector(normal, "normal")
    length = float(np.linalg.norm(n))
    if length < 1e-9 or not distance_m > 0:
        raise ValueError(f"normal {n} must not be zero and distance_m {distance_m} must be positive")
    if not refractive_index >= 1:
        raise ValueError(f"refractive_index is {refractive_index}; it must be 1 or more")
    n = (n / length).astype(np.float32)
    below = np.flatnonzero(array @ n > distance_m)
    apparent = array[below]
    ranges = np.linalg.norm(apparent, axis=1, keepdims=True)
    ray = apparent / np.maximum(ranges, np.float32(1e-9))
    cosine = np.clip((ray @ n)[:, None], 1e-3, 1.0)
    to_surface = np.float32(distance_m) / cosine
    index = np.float32(refractive_index)
    cosine_bent = np.sqrt(1 - (1 - cosine**2) / index**2)
    bent = ray / index + (cosine_bent - cosine / index) * n  # Snell
    true = array.copy()
    true[below] = ray * to_surface + bent * ((ranges - to_surface) / index)
    return true
