# SPDX-License-Identifier: Apache-2.0
"""Stable score: how far a grasp's plane passes from the object's centre of mass (paper IV-A, Fig. 1)."""

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import Float64Array

__all__ = ["center_of_mass_distances"]


def center_of_mass_distances(
    centers: ArrayLike, rotations: ArrayLike, center_of_mass: ArrayLike
) -> Float64Array:
    """Return the distances (...) from the centre of mass (3,) to the gripper planes, metres.

    `centers` (..., 3) and `rotations` (..., 3, 3) of the grasps broadcast. The plane holds the approach and
    the closing direction, so the depth of the fingertips does not matter. Divided by the largest distance
    of the object they are its stable scores: 0 hangs balanced, 1 turns most in the hand.
    """
    to_center = np.asarray(center_of_mass, dtype=np.float64) - np.asarray(centers, dtype=np.float64)
    normal = np.asarray(rotations, dtype=np.float64)[..., 2]
    return np.asarray(np.abs(np.einsum("...i,...i->...", to_center, normal)))
