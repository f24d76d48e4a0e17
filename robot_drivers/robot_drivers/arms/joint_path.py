# SPDX-License-Identifier: Apache-2.0
"""Joint angles along a line of the tool, by nominal kinematics: whether an arm can follow, and how fast."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.spatial.transform import Rotation

from anygrasp_perception.arrays import Float64Array
from robot_drivers.arms.arm import UnreachablePose
from robot_drivers.arms.straight_line import StraightLine

__all__ = ["joint_change_per_m"]

_STEP_M = 0.02
_CORRECTIONS = 6
_EPSILON_RAD = 1e-6
_REACHED_M, _REACHED_RAD = 1e-4, 1e-3


def joint_change_per_m(
    nominal_poses: Callable[[Float64Array], Float64Array],
    q_start: Float64Array,
    T_base_start: Float64Array,
    T_base_goal: Float64Array,
) -> tuple[float, Float64Array]:
    """Largest change of a joint, rad for each metre of the tool, on a straight line between two poses.

    Near a singularity it grows beyond what joints can do. `nominal_poses` is `Arm.nominal_poses`; `q_start`
    (joints,) rad are the angles at `T_base_start` (4, 4), as the arm has them: its calibration may differ
    from the nominal kinematics by millimetres. Returns the angles at the goal too.

    Raises:
        UnreachablePose: the joints cannot follow.
    """
    start = nominal_poses(q_start[None])[0]
    line = StraightLine(start, T_base_goal @ np.linalg.inv(T_base_start) @ start)
    if line.length_m < 1e-9:
        return 0.0, q_start
    count = math.ceil(line.length_m / _STEP_M)
    q, largest = q_start, 0.0
    for T_base_tcp in line.poses(np.linspace(0.0, 1.0, count + 1)[1:]):
        after = _solve(nominal_poses, q, T_base_tcp)
        largest = max(largest, float(np.abs(after - q).max()))
        q = after
    return largest * count / line.length_m, q


def _solve(
    nominal_poses: Callable[[Float64Array], Float64Array], q: Float64Array, T_base_tcp: Float64Array
) -> Float64Array:
    """Joint angles near q at the pose, by Newton's method with the Jacobian at q."""
    poses = nominal_poses(np.vstack([q, q + _EPSILON_RAD * np.eye(len(q))]))
    jacobian = _twist(poses[:1], poses[1:]).T / _EPSILON_RAD  # (6, joints)
    backwards = np.linalg.pinv(jacobian, rcond=1e-6)
    error = _twist(poses[:1], T_base_tcp)[0]
    for _ in range(_CORRECTIONS):
        q = q + backwards @ error
        error = _twist(nominal_poses(q[None]), T_base_tcp)[0]
        if np.linalg.norm(error[:3]) < _REACHED_M and np.linalg.norm(error[3:]) < _REACHED_RAD:
            return q
    where = ", ".join(f"{value:.3f}" for value in T_base_tcp[:3, 3])
    raise UnreachablePose(f"on the line the arm does not reach ({where}) m: choose another pose")


def _twist(T_base_from: Float64Array, T_base_to: Float64Array) -> Float64Array:
    """(N, 6) way in metres and rotation vector in base from poses (1 or N, 4, 4) to poses (N, 4, 4)."""
    to = T_base_to.reshape(-1, 4, 4)
    turn = to[:, :3, :3] @ T_base_from[:, :3, :3].swapaxes(1, 2)
    way = to[:, :3, 3] - T_base_from[:, :3, 3]
    return np.concatenate([way, Rotation.from_matrix(turn).as_rotvec()], axis=1)
