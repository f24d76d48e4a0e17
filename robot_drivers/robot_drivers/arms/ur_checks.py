# SPDX-License-Identifier: Apache-2.0
"""What is asked of a UR before a move, whichever way it is connected."""

from __future__ import annotations

import numpy as np

from anygrasp_perception.arrays import Float64Array
from robot_drivers.arms.arm import ArmError, ArmState, ArmStopped, UnreachablePose
from robot_drivers.arms.ur_config import UrArmConfig
from robot_drivers.arms.ur_snapshot import UrSnapshot

__all__ = ["check_joints", "check_running"]


def check_joints(q_rad: Float64Array, q_now: Float64Array, where: str, config: UrArmConfig) -> None:
    """Raise UnreachablePose when joint angles (6,) rad are beyond a limit or far from the present ones."""
    joint, limit_rad = int(np.argmax(np.abs(q_rad))), config.joint_limit_rad
    if abs(q_rad[joint]) > limit_rad:
        raise UnreachablePose(
            f"{where} needs joint {joint + 1} at {q_rad[joint]:.2f} rad (limit {limit_rad:.2f}): "
            "choose another"
        )
    turn_rad, limit_rad = q_rad - q_now, config.max_joint_change_rad
    joint = int(np.argmax(np.abs(turn_rad)))
    if abs(turn_rad[joint]) > limit_rad:
        raise UnreachablePose(
            f"{where} needs joint {joint + 1} to turn by {turn_rad[joint]:.2f} rad "
            f"(limit {limit_rad:.2f}): choose another"
        )


def check_running(snapshot: UrSnapshot) -> None:
    """Raise ArmStopped when the safety holds the arm, ArmError when it is not ready."""
    if snapshot.state is ArmState.RUNNING:
        return
    if snapshot.state is ArmState.NOT_READY:
        raise ArmError(snapshot.explain())
    raise ArmStopped(snapshot.explain())
