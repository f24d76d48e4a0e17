# SPDX-License-Identifier: Apache-2.0
"""Rigid transforms as 4x4 float64 matrices: `T_a_b` maps points from frame b to frame a."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from anygrasp_perception.arrays import Float64Array, check_vector

__all__ = [
    "check_rotations",
    "check_transform",
    "inverse",
    "make_transform",
    "pose_to_transform",
    "quat_xyzw_to_rotation",
    "rotate",
    "rotation_angle",
    "rotation_to_quat_xyzw",
    "transform_points",
]

# Loose enough for float32 matrices that went through a message, tight enough to catch a scaled or
# transposed-by-mistake one.
ORTHONORMAL_TOLERANCE = 1e-4


def make_transform(rotation: ArrayLike, translation: ArrayLike) -> Float64Array:
    """Assemble a (4, 4) transform from a (3, 3) rotation and a (3,) translation in metres.

    Raises ValueError when the rotation is not orthonormal or the translation not finite.
    """
    R = np.asarray(rotation, dtype=np.float64)
    if R.shape != (3, 3):
        raise ValueError(f"rotation must have shape (3, 3), got {R.shape}")
    check_rotations(R, "rotation")
    T = np.eye(4)
    T[:3, :3] = R
    T[:3, 3] = check_vector(translation, "translation")
    return T


def inverse(T_a_b: Float64Array) -> Float64Array:
    """Return T_b_a (4, 4)."""
    T_b_a = np.eye(4)
    T_b_a[:3, :3] = T_a_b[:3, :3].T
    T_b_a[:3, 3] = -T_a_b[:3, :3].T @ T_a_b[:3, 3]
    return T_b_a


def check_transform(T: ArrayLike, name: str) -> Float64Array:
    """Return `T` as a (4, 4) float64 rigid transform.

    Raises ValueError, naming `name`, on another shape, a last row other than 0 0 0 1, a non-finite
    entry, or a rotation part that is not orthonormal and right-handed.
    """
    array = np.asarray(T, dtype=np.float64)
    if array.shape != (4, 4):
        raise ValueError(f"{name} must have shape (4, 4), got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has NaN or infinite entries")
    if not np.array_equal(array[3], (0.0, 0.0, 0.0, 1.0)):
        raise ValueError(f"{name} must end in the row 0 0 0 1, got {array[3]}")
    check_rotations(array[:3, :3], name)
    return array


def check_rotations(R: Float64Array, name: str) -> None:
    """Raise ValueError, naming `name`, unless every (..., 3, 3) matrix is a rotation."""
    x, y, z = R[..., 0], R[..., 1], R[..., 2]
    residuals = (
        np.sum(x * x, axis=-1) - 1.0,
        np.sum(y * y, axis=-1) - 1.0,
        np.sum(x * y, axis=-1),
        np.cross(x, y) - z,  # handedness and both remaining right angles
    )
    error = np.max([np.abs(residual).max(initial=0.0) for residual in residuals])
    if not error <= ORTHONORMAL_TOLERANCE:  # also catches NaN
        raise ValueError(
            f"{name} is not a rotation: off from orthonormal and right-handed by {error:.2g}, "
            f"limit {ORTHONORMAL_TOLERANCE:g}; normalise it first"
        )


def transform_points(T_a_b: Float64Array, points_b: ArrayLike) -> Float64Array:
    """Map points (..., 3) from frame b to frame a, metres."""
    return rotate(T_a_b, points_b) + T_a_b[:3, 3]


def rotate(T_a_b: Float64Array, vectors_b: ArrayLike) -> Float64Array:
    """Turn free vectors (..., 3) from frame b to frame a."""
    vectors_a: Float64Array = np.asarray(vectors_b, dtype=np.float64) @ T_a_b[:3, :3].T
    return vectors_a


def rotation_to_quat_xyzw(R: ArrayLike) -> Float64Array:
    """Convert rotations (..., 3, 3) to unit quaternions (..., 4), order x y z w, w >= 0."""
    matrices = np.asarray(R, dtype=np.float64)
    flat = matrices.reshape(-1, 3, 3)
    quats: Float64Array = Rotation.from_matrix(flat).as_quat(canonical=True)
    return quats.reshape(*matrices.shape[:-2], 4)


def quat_xyzw_to_rotation(quat_xyzw: ArrayLike) -> Float64Array:
    """Convert unit quaternions (..., 4), order x y z w, to rotations (..., 3, 3).

    Raises ValueError when a norm is off 1 by more than 1e-3, as an unset 0 0 0 0 is.
    """
    quats = np.asarray(quat_xyzw, dtype=np.float64)
    if quats.shape[-1:] != (4,):
        raise ValueError(f"quat_xyzw must have shape (..., 4), got {quats.shape}")
    norms = np.linalg.norm(quats, axis=-1)
    if not (np.abs(norms - 1.0) <= 1e-3).all():
        worst = norms.ravel()[np.argmax(np.nan_to_num(np.abs(norms - 1.0), nan=np.inf))]
        raise ValueError(f"quat_xyzw must have norm 1 within 1e-3, got {worst:.4g}; normalise or set it")
    rotations: Float64Array = Rotation.from_quat(quats.reshape(-1, 4)).as_matrix()
    return rotations.reshape(*quats.shape[:-1], 3, 3)


def pose_to_transform(position: ArrayLike, quat_xyzw: ArrayLike) -> Float64Array:
    """Build T_a_b (4, 4) from the position (3,) in metres and the quaternion (x y z w) of b in a."""
    return make_transform(quat_xyzw_to_rotation(quat_xyzw), position)


def rotation_angle(R_a: ArrayLike, R_b: ArrayLike) -> Float64Array:
    """Return the angle in radians, [0, pi], of the turn from R_a to R_b (..., 3, 3), broadcasting."""
    trace = np.sum(np.asarray(R_a, dtype=np.float64) * np.asarray(R_b, dtype=np.float64), axis=(-2, -1))
    return np.asarray(np.arccos(np.clip((trace - 1.0) / 2.0, -1.0, 1.0)))
