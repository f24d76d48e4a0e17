# SPDX-License-Identifier: Apache-2.0
"""Forward and inverse kinematics of the simulated Rizon 4."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.se3 import make_transform
from anygrasp_sim.fish.rizon_model import FLANGE_SITE, load_rizon

__all__ = ["RizonKinematics"]

_DAMPING = 0.004
_POSTURE_GAIN = 0.05  # of a step, towards the preferred posture within the null space
_STEPS = 200
_TOLERANCE_M, _TOLERANCE_RAD = 1e-4, 1e-3
_STEP_LIMIT_RAD = 0.2


class RizonKinematics:
    """Damped least squares on the arm alone; the seventh joint's freedom keeps to a posture.

    Args:
        T_flange_tcp: (4, 4) tool centre point in the flange's frame.
        posture_rad: (7,) joint angles to stay near.
    """

    def __init__(self, T_flange_tcp: Float64Array, posture_rad: ArrayLike) -> None:
        self._model = load_rizon().compile()
        self._data = mujoco.MjData(self._model)
        self._site = self._model.site(FLANGE_SITE).id
        self._T_flange_tcp = T_flange_tcp
        self._posture = np.array(posture_rad, dtype=np.float64)
        self._lower, self._upper = self._model.jnt_range.T + np.array([[1e-3], [-1e-3]])
        self._jacobian = np.zeros((6, 7))

    def forward(self, q_rad: ArrayLike) -> Float64Array:
        """T_base_tcp (4, 4) at seven joint angles."""
        self._data.qpos[:] = q_rad
        mujoco.mj_kinematics(self._model, self._data)
        R = self._data.site_xmat[self._site].reshape(3, 3)
        return make_transform(R, self._data.site_xpos[self._site]) @ self._T_flange_tcp

    def step_towards(self, q_rad: Float64Array, T_base_tcp: Float64Array) -> Float64Array:
        """Joint angles (7,) after one step of least squares towards the pose, within the joint limits."""
        T = self.forward(q_rad)
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_jac(
            self._model,
            self._data,
            self._jacobian[:3],
            self._jacobian[3:],
            T[:3, 3],
            self._model.site_bodyid[self._site],
        )
        J = self._jacobian
        error = np.concatenate([T_base_tcp[:3, 3] - T[:3, 3], _turn(T[:3, :3], T_base_tcp[:3, :3])])
        gram = J @ J.T + _DAMPING**2 * np.eye(6)
        inverse = np.linalg.solve(gram, J).T  # (7, 6)
        step = inverse @ error
        drift = _POSTURE_GAIN * (self._posture - q_rad)
        step += drift - inverse @ (J @ drift)
        largest = np.abs(step).max()
        if largest > _STEP_LIMIT_RAD:
            step *= _STEP_LIMIT_RAD / largest
        return np.asarray(np.clip(q_rad + step, self._lower, self._upper))

    def inverse(self, T_base_tcp: Float64Array, q_near: ArrayLike) -> Float64Array | None:
        """Joint angles (7,) for a pose of the TCP, reached from `q_near`; None where there are none."""
        q = np.array(q_near, dtype=np.float64)
        for _ in range(_STEPS):
            q = self.step_towards(q, T_base_tcp)
            T = self.forward(q)
            shift = np.linalg.norm(T[:3, 3] - T_base_tcp[:3, 3])
            if shift < _TOLERANCE_M and np.linalg.norm(_turn(T[:3, :3], T_base_tcp[:3, :3])) < _TOLERANCE_RAD:
                return q
        return None


def _turn(R_from: Float64Array, R_to: Float64Array) -> Float64Array:
    """Rotation vector (3,), base frame, that takes one to the other."""
    quat, vector = np.empty(4), np.empty(3)
    mujoco.mju_mat2Quat(quat, np.ascontiguousarray(R_to @ R_from.T).ravel())
    mujoco.mju_quat2Vel(vector, quat, 1.0)
    return vector
