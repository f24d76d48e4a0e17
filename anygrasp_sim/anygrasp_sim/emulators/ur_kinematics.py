# SPDX-License-Identifier: Apache-2.0
"""Kinematics of the UR5 and UR5e: forward, Jacobian, and every closed-form inverse solution."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import Float64Array

__all__ = ["JOINT_LIMIT_RAD", "JOINT_SPEED_LIMIT_RAD_S", "UR_GEOMETRIES", "UrGeometry", "UrKinematics"]

JOINT_LIMIT_RAD = 2.0 * math.pi
JOINT_SPEED_LIMIT_RAD_S = math.pi


@dataclass(frozen=True)
class UrGeometry:
    """Lengths of the Denavit-Hartenberg table published by Universal Robots, metres."""

    d1: float
    a2: float
    a3: float
    d4: float
    d5: float
    d6: float


UR_GEOMETRIES = {
    "ur5": UrGeometry(d1=0.089159, a2=-0.425, a3=-0.39225, d4=0.10915, d5=0.09465, d6=0.0823),
    "ur5e": UrGeometry(d1=0.1625, a2=-0.425, a3=-0.3922, d4=0.1333, d5=0.0997, d6=0.0996),
}


class UrKinematics:
    """Joint angles (6,) rad to the pose of the tool flange in `base`, and back.

    Joints 2, 3 and 4 turn about parallel axes, so everything follows from the arm plane spanned by the
    direction of joint 1 and the vertical, and its normal.

    Raises:
        ValueError: unknown model.
    """

    def __init__(self, model: str = "ur5e") -> None:
        if model not in UR_GEOMETRIES:
            raise ValueError(f"unknown UR model {model!r}; choose from {sorted(UR_GEOMETRIES)}")
        self.geometry = UR_GEOMETRIES[model]

    def forward(self, q: ArrayLike) -> Float64Array:
        """T_base_flange (4,4)."""
        return self._chain(q)[0]

    def jacobian(self, q: ArrayLike, T_flange_tcp: Float64Array | None = None) -> Float64Array:
        """(6,6) map from joint speeds to linear and angular velocity of the TCP, in `base`."""
        T, axes, origins = self._chain(q)
        tcp = T[:3, 3] if T_flange_tcp is None else T[:3, :3] @ T_flange_tcp[:3, 3] + T[:3, 3]
        return np.concatenate((np.cross(axes, tcp - origins), axes), axis=1).T

    def inverse(self, T_base_flange: Float64Array, q_near: ArrayLike) -> Float64Array | None:
        """Joint angles (6,) closest to `q_near` that reach the pose, or None where there are none."""
        near = np.asarray(q_near, dtype=float)
        solutions = self.inverse_all(T_base_flange, q6_if_free=float(near[5]))
        if not len(solutions):
            return None
        turns = np.round((near - solutions) / (2.0 * np.pi))
        q = solutions + 2.0 * np.pi * turns
        q -= 2.0 * np.pi * np.sign(q) * (np.abs(q) > JOINT_LIMIT_RAD)
        best: Float64Array = q[np.argmin(np.sum((q - near) ** 2, axis=1))]
        return best

    def inverse_all(self, T_base_flange: Float64Array, q6_if_free: float = 0.0) -> Float64Array:
        """Every joint solution (0 to 8, 6) within +-pi; `q6_if_free` is used where wrist 2 is straight."""
        g = self.geometry
        (r00, r01, r02, px), (r10, r11, r12, py), (r20, r21, r22, pz) = T_base_flange[:3].tolist()
        wx, wy, wz = px - g.d6 * r02, py - g.d6 * r12, pz - g.d6 * r22
        reach = math.hypot(wx, wy)
        if reach < g.d4:
            return np.empty((0, 6))
        found = []
        for q1 in _two_shoulders(math.atan2(wy, wx), math.asin(g.d4 / reach)):
            c1, s1 = math.cos(q1), math.sin(q1)
            # The normal of the arm plane seen from the flange: it depends on q5 and q6 alone.
            nx, ny, nz = r00 * s1 - r10 * c1, r01 * s1 - r11 * c1, r02 * s1 - r12 * c1
            s5 = math.hypot(nx, ny)
            for sign in (1.0, -1.0):
                q5 = sign * math.atan2(s5, nz)
                q6 = q6_if_free if s5 < 1e-9 else math.atan2(-sign * ny, sign * nx)
                c6, s6 = math.cos(q6), math.sin(q6)
                # Axis of wrist 2, and from it the wrist 1 origin in the arm plane.
                ax, ay, az = -(s6 * r00 + c6 * r01), -(s6 * r10 + c6 * r11), -(s6 * r20 + c6 * r21)
                q234 = math.atan2(c1 * ax + s1 * ay, -az)
                u = c1 * (wx - g.d5 * ax) + s1 * (wy - g.d5 * ay)
                w = wz - g.d5 * az - g.d1
                c3 = (u * u + w * w - g.a2 * g.a2 - g.a3 * g.a3) / (2.0 * g.a2 * g.a3)
                if abs(c3) > 1.0 + 1e-12:  # rounding at the stretched arm
                    continue
                bend = math.acos(min(1.0, max(-1.0, c3)))
                for q3 in (bend, -bend):
                    q2 = math.atan2(w, u) - math.atan2(g.a3 * math.sin(q3), g.a2 + g.a3 * math.cos(q3))
                    found.append((q1, q2, q3, q234 - q2 - q3, q5, q6))
        q = np.array(found).reshape(-1, 6)
        return (q + np.pi) % (2.0 * np.pi) - np.pi

    def _chain(self, q: ArrayLike) -> tuple[Float64Array, Float64Array, Float64Array]:
        """T_base_flange (4,4), joint axes (6,3) and a point on each axis (6,3), all in `base`."""
        g = self.geometry
        q1, q2, q3, q4, q5, q6 = (float(angle) for angle in np.asarray(q))
        c1, s1 = math.cos(q1), math.sin(q1)
        c5, s5, c6, s6 = math.cos(q5), math.sin(q5), math.cos(q6), math.sin(q6)
        q23, q234 = q2 + q3, q2 + q3 + q4
        c234, s234 = math.cos(q234), math.sin(q234)
        normal = np.array([s1, -c1, 0.0])
        forearm = np.array([c1 * c234, s1 * c234, s234])
        wrist_2_axis = np.array([c1 * s234, s1 * s234, -c234])
        tool_axis = c5 * normal - s5 * forearm
        x5 = c5 * forearm + s5 * normal
        shoulder = np.array([0.0, 0.0, g.d1])
        along = g.a2 * math.cos(q2)
        elbow = np.array([c1 * along, s1 * along, g.d1 + g.a2 * math.sin(q2)])
        along += g.a3 * math.cos(q23)
        wrist = np.array([c1 * along, s1 * along, elbow[2] + g.a3 * math.sin(q23)]) + g.d4 * normal
        wrist_3 = wrist + g.d5 * wrist_2_axis
        T = np.eye(4)
        T[:3, 0] = c6 * x5 - s6 * wrist_2_axis
        T[:3, 1] = -s6 * x5 - c6 * wrist_2_axis
        T[:3, 2] = tool_axis
        T[:3, 3] = wrist_3 + g.d6 * tool_axis
        axes = np.array([[0.0, 0.0, 1.0], normal, normal, normal, wrist_2_axis, tool_axis])
        origins = np.array([[0.0, 0.0, 0.0], shoulder, elbow, wrist, wrist_3, wrist_3])
        return T, axes, origins


def _two_shoulders(direction: float, offset: float) -> tuple[float, float]:
    return direction + offset, direction + math.pi - offset
