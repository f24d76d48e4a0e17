# SPDX-License-Identifier: Apache-2.0
"""Forward kinematics of the UR5 and UR5e from the maker's published Denavit-Hartenberg parameters."""

from __future__ import annotations

import math

import numpy as np

from anygrasp_perception.arrays import Float64Array

__all__ = ["ur_flange_poses"]

_HALF_PI = math.pi / 2.0

# a (m), d (m), alpha (rad) of each joint.
_DH = {
    "ur5": (
        (0.0, 0.089159, _HALF_PI),
        (-0.425, 0.0, 0.0),
        (-0.39225, 0.0, 0.0),
        (0.0, 0.10915, _HALF_PI),
        (0.0, 0.09465, -_HALF_PI),
        (0.0, 0.0823, 0.0),
    ),
    "ur5e": (
        (0.0, 0.1625, _HALF_PI),
        (-0.425, 0.0, 0.0),
        (-0.3922, 0.0, 0.0),
        (0.0, 0.1333, _HALF_PI),
        (0.0, 0.0997, -_HALF_PI),
        (0.0, 0.0996, 0.0),
    ),
}


def ur_flange_poses(model: str, q_rad: Float64Array) -> Float64Array:
    """T_base_tool0 (N, 4, 4) at joint angles (N, 6) rad, without the calibration of the single arm."""
    T: Float64Array = np.broadcast_to(np.eye(4), (len(q_rad), 4, 4))
    for joint, (a, d, alpha) in enumerate(_DH[model]):
        c, s = np.cos(q_rad[:, joint]), np.sin(q_rad[:, joint])
        ca, sa = math.cos(alpha), math.sin(alpha)
        zero = np.zeros_like(c)
        rows = [
            [c, -s * ca, s * sa, a * c],
            [s, c * ca, -c * sa, a * s],
            [zero, zero + sa, zero + ca, zero + d],
            [zero, zero, zero, zero + 1.0],
        ]
        T = T @ np.moveaxis(np.array(rows), 2, 0)
    return T
