# SPDX-License-Identifier: Apache-2.0
"""What is asked of a UR before a move, whichever way it is connected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anygrasp_perception.arrays import Float64Array
from robot_drivers.arms.arm import ArmError, ArmState, ArmStopped, UnreachablePose
from robot_drivers.arms.ur_config import UrArmConfig
from robot_drivers.arms.ur_snapshot import UrSnapshot

__all__ = ["check_joints", "check_running", "six_joints"]


def check_joints(
    q_rad: Sequence[float], q_now_rad: Sequence[float], where: str, config: UrArmConfig
) -> list[float]:
    """The joint angles (6,) rad of a pose; UnreachablePose beyond a limit or far from the present ones."""
    q, limit_rad = np.array(q_rad), config.joint_limit_rad
    joint = int(np.argmax(np.abs(q)))
    if not abs(q[joint]) <= limit_rad:
        raise UnreachablePose(
            f"{where} needs joint {joint + 1} at {q[joint]:.2f} rad (limit {limit_rad:.2f}): choose another"
        )
    turn_rad, limit_rad = q - np.array(q_now_rad), config.max_joint_change_rad
    joint = int(np.argmax(np.abs(turn_rad)))
    if abs(turn_rad[joint]) > limit_rad:
        raise UnreachablePose(
            f"{where} needs joint {joint + 1} to turn by {turn_rad[joint]:.2f} rad "
            f"(limit {limit_rad:.2f}): choose another"
        )
    return [float(angle) for angle in q]


def check_running(snapshot: UrSnapshot) -> None:
    """Raise ArmStopped when the safety holds the arm, ArmError when it is not ready."""
    if snapshot.state is ArmState.RUNNING:
        return
    if snapshot.state is ArmState.NOT_READY:
        raise ArmError(snapshot.explain())
    raise ArmStopped(snapshot.explain())


def six_joints(q_rad: Float64Array) -> list[float]:
    """Joint angles as plain numbers; ValueError unless they are six finite ones."""
    q = np.asarray(q_rad, dtype=float)
    if q.shape != (6,) or not np.isfinite(q).all():
        raise ValueError(f"joint angles are {q_rad}; give six finite numbers in rad")
    return [float(angle) for angle in q]
