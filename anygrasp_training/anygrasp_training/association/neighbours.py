# SPDX-License-Identifier: Apache-2.0
"""Views close enough to each other to stand for two moments of a moving scene (paper IV-A)."""

import numpy as np
from numpy.typing import NDArray

from anygrasp_perception.arrays import IntpArray
from anygrasp_perception.se3 import rotation_angle

__all__ = ["neighbour_views"]


def neighbour_views(
    T_scene_cameras: NDArray[np.floating],
    max_angle_rad: float = np.deg2rad(20.0),
    max_shift_m: float = 0.25,
) -> IntpArray:
    """Return pairs (P, 2), i < j, of camera poses (V, 4, 4) that differ by no more than both limits.

    On the cap of 256 views the next view is some 8 degrees on.
    """
    poses = np.asarray(T_scene_cameras, dtype=np.float64)
    angle = rotation_angle(poses[:, None, :3, :3], poses[None, :, :3, :3])
    shift = np.linalg.norm(poses[:, None, :3, 3] - poses[None, :, :3, 3], axis=-1)
    near = (angle <= max_angle_rad) & (shift <= max_shift_m)
    return np.argwhere(np.triu(near, k=1))
