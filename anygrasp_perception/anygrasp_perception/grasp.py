# SPDX-License-Identifier: Apache-2.0
"""The grasp frame and the discrete label space of grasp orientations and depths, defined once.

Grasp frame (docs/images/grasp_frame.png): origin at the grasp centre on the object, x = approach,
y = closing direction, z = x cross y along the finger height. The fingertips reach `depth` past the
origin along +x; `width` is the opening between them. A half turn about x is the same grasp.
"""

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import Float64Array

__all__ = [
    "ANGLE_COUNT",
    "DEPTHS_M",
    "HALF_TURN_X",
    "LABEL_MAX_WIDTH_M",
    "VIEW_COUNT",
    "fibonacci_views",
    "rotation_from_approach",
]

VIEW_COUNT = 300
ANGLE_COUNT = 12  # in-plane turns of pi / 12 each: half a turn, the rest is symmetry
DEPTHS_M = (0.005, 0.01, 0.02, 0.03, 0.04)  # 0.005 m for small objects (paper IV-A)
LABEL_MAX_WIDTH_M = 0.10  # widest opening in the labels; a gripper may have less

HALF_TURN_X: Float64Array = np.diag((1.0, -1.0, -1.0))
HALF_TURN_X.setflags(write=False)


def fibonacci_views(count: int = VIEW_COUNT) -> Float64Array:
    """Return `count` unit view directions (count, 3) on the Fibonacci sphere; approach = -view.

    Same order as the GraspNet tools, so that view indices are interchangeable.
    """
    i = np.arange(count)
    z = (2 * i + 1) / count - 1
    radius = np.sqrt(1 - z**2)
    azimuth = 2 * np.pi * i * (np.sqrt(5) - 1) / 2
    return np.stack([radius * np.cos(azimuth), radius * np.sin(azimuth), z], axis=-1)


def rotation_from_approach(approach: ArrayLike, angle_rad: ArrayLike = 0.0) -> Float64Array:
    """Return grasp rotations (..., 3, 3) from approach (..., 3), any length, and in-plane angle (...).

    At angle zero the closing direction is horizontal in the approach's frame, normalise(-x_y, x_x, 0),
    and (0, 1, 0) where that vanishes; the angle turns the grasp about its approach.

    Raises ValueError on a zero or non-finite approach.
    """
    x = np.asarray(approach, dtype=np.float64)
    length = np.linalg.norm(x, axis=-1, keepdims=True)
    if not (np.isfinite(length) & (length > 1e-9)).all():
        raise ValueError("approach must have a finite length above 1e-9")
    x = x / length
    y = np.stack([-x[..., 1], x[..., 0], np.zeros_like(x[..., 0])], axis=-1)
    y_length = np.linalg.norm(y, axis=-1, keepdims=True)
    vertical = y_length < 1e-9
    y = np.where(vertical, (0.0, 1.0, 0.0), y / np.where(vertical, 1.0, y_length))
    z = np.cross(x, y)
    angle = np.asarray(angle_rad, dtype=np.float64)[..., None]
    cos, sin = np.cos(angle), np.sin(angle)
    x, y, z = np.broadcast_arrays(x, cos * y + sin * z, cos * z - sin * y)
    return np.stack([x, y, z], axis=-1)
