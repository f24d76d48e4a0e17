# SPDX-License-Identifier: Apache-2.0
"""Friction that two opposing contacts need, and the grasp quality that follows from it.

A contact holds when the closing direction lies within the friction cone about its normal: the smallest
friction coefficient is the tangent of the angle between them (analytic antipodal score, paper IV-A).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import Float64Array

__all__ = ["NO_GRIP", "friction_quality", "required_friction"]

NO_GRIP = 1e3  # friction coefficient that stands for: slips at any


def friction_quality(friction: ArrayLike, best: float, worst: float) -> Float64Array:
    """Quality ln(worst / mu) / ln(worst / best), 0 to 1, of friction (...) kept in best to worst."""
    mu = np.clip(np.asarray(friction, dtype=np.float64), best, worst)
    return np.asarray(np.log(worst / mu) / np.log(worst / best))


def required_friction(normals: ArrayLike, directions: ArrayLike) -> Float64Array:
    """Smallest friction coefficient (...) at which contacts with outward normals (..., 3) hold.

    `directions` (..., 3) point out of the object along the closing direction; any lengths. NO_GRIP where
    the surface faces away, or the normal vanishes.
    """
    n, d = np.asarray(normals, dtype=np.float64), np.asarray(directions, dtype=np.float64)
    along = np.sum(n * d, axis=-1)
    across = np.linalg.norm(np.cross(n, d), axis=-1)
    holds = along > across / NO_GRIP
    return np.where(holds, across / np.where(holds, along, 1.0), NO_GRIP)
