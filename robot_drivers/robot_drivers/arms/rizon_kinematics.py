# SPDX-License-Identifier: Apache-2.0
"""Forward kinematics of the Flexiv Rizon 4 from the maker's published figures."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from anygrasp_perception.arrays import Float64Array

__all__ = ["RIZON4_JOINT_LIMITS_RAD", "rizon4_flange_pose"]

RIZON4_JOINT_LIMITS_RAD: Float64Array = np.array(
    [
        (-2.8798, 2.8798),
        (-2.3562, 2.3562),
        (-3.0543, 3.0543),
        (-1.9548, 2.7751),
        (-3.0543, 3.0543),
        (-1.4835, 4.6251),
        (-3.0543, 3.0543),
    ]
)  # (7, 2)

# Of each joint: offset in its parent in metres, fixed rotation about an axis, axis it turns about.
_JOINTS = (
    ((0.0, 0.0, 0.155), ("z", np.pi), "z"),
    ((0.0, 0.03, 0.21), ("z", 0.0), "y"),
    ((0.0, 0.035, 0.205), ("z", 0.0), "z"),
    ((-0.02, -0.03, 0.19), ("z", np.pi), "y"),
    ((-0.02, 0.025, 0.195), ("z", np.pi), "z"),
    ((0.0, 0.03, 0.19), ("z", 0.0), "y"),
    ((-0.015, 0.073, 0.11), ("y", -np.pi / 2), "z"),
)
_FLANGE_M = 0.081  # along z of the last link


def rizon4_flange_pose(q_rad: ArrayLike) -> Float64Array:
    """T_base_flange (4, 4) at seven joint angles; nominal, so within millimetres of a calibrated arm.

    Raises:
        ValueError: not seven finite angles.
    """
    q = np.asarray(q_rad, dtype=float)
    if q.shape != (7,) or not np.isfinite(q).all():
        raise ValueError(f"joint angles are {q_rad!r}; give seven finite numbers in rad")
    R, p = np.eye(3), np.zeros(3)
    for angle, (offset_m, (fixed_axis, fixed_rad), axis) in zip(q.tolist(), _JOINTS, strict=True):
        p = p + R @ np.array(offset_m)
        fixed = Rotation.from_euler(fixed_axis, fixed_rad)
        R = R @ (fixed * Rotation.from_euler(axis, angle)).as_matrix()
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, p + R @ np.array([0.0, 0.0, _FLANGE_M])
    return T
