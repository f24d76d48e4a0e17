# SPDX-License-Identifier: Apache-2.0
"""UR poses p[x, y, z, rx, ry, rz] (metres, rotation vector in rad) to 4x4 transforms and back."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import Float64Array

__all__ = ["pose_to_transform", "rotation_to_vector", "transform_to_pose", "vector_to_rotation"]


def vector_to_rotation(vector: ArrayLike) -> Float64Array:
    """Rotation matrix (3,3) of a rotation vector (3,) rad."""
    x, y, z = (float(value) for value in np.asarray(vector))
    angle = math.sqrt(x * x + y * y + z * z)
    if angle < 1e-12:
        return np.array([[1.0, -z, y], [z, 1.0, -x], [-y, x, 1.0]])
    x, y, z = x / angle, y / angle, z / angle
    c, s = math.cos(angle), math.sin(angle)
    k = 1.0 - c
    return np.array(
        [
            [c + k * x * x, k * x * y - s * z, k * x * z + s * y],
            [k * x * y + s * z, c + k * y * y, k * y * z - s * x],
            [k * x * z - s * y, k * y * z + s * x, c + k * z * z],
        ]
    )


def rotation_to_vector(rotation: Float64Array) -> Float64Array:
    """Rotation vector (3,) rad of a rotation matrix (3,3), angle in [0, pi]; at pi either sign is right."""
    (a, b, c), (d, e, f), (g, h, i) = rotation.tolist()
    # The largest quaternion component is the one safe to divide by (Shepperd's method).
    squares = (1 + a + e + i, 1 + a - e - i, 1 - a + e - i, 1 - a - e + i)
    k = squares.index(max(squares))
    quaternion = (
        (squares[0], h - f, c - g, d - b),
        (h - f, squares[1], b + d, c + g),
        (c - g, b + d, squares[2], f + h),
        (d - b, c + g, f + h, squares[3]),
    )[k]
    sign = -1.0 if quaternion[0] < 0 else 1.0
    w, x, y, z = (sign * value for value in quaternion)
    sine = math.sqrt(x * x + y * y + z * z)
    scale = 2.0 * math.atan2(sine, w) / sine if sine > 1e-12 else 2.0 / w
    return np.array([scale * x, scale * y, scale * z])


def pose_to_transform(pose: ArrayLike) -> Float64Array:
    """Transform (4,4) of a UR pose (6,): metres and rotation vector."""
    values = np.asarray(pose, dtype=float)
    transform = np.eye(4)
    transform[:3, :3] = vector_to_rotation(values[3:6])
    transform[:3, 3] = values[:3]
    return transform


def transform_to_pose(transform: Float64Array) -> Float64Array:
    """UR pose (6,) of a transform (4,4): metres and rotation vector."""
    return np.concatenate((transform[:3, 3], rotation_to_vector(transform[:3, :3])))
