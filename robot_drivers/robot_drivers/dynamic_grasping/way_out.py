# SPDX-License-Identifier: Apache-2.0
"""Whether what is caught somewhere can be lifted and carried to where it is thrown."""

from __future__ import annotations

import numpy as np

from anygrasp_perception.arrays import Float64Array
from robot_drivers.arms.arm import Arm, UnreachablePose
from robot_drivers.arms.straight_line import lifted
from robot_drivers.dynamic_grasping.catch_config import CatchMotionConfig
from robot_drivers.safety import LimitViolation, SafetyLimits
from robot_drivers.safety.motion_check import MotionCheck

__all__ = ["WayOut"]


class WayOut:
    """Looks at the whole way from a tool pose to the throw before the arm takes any of it.

    Args:
        arm: whose kinematics tell what it reaches.
        limits: those that hold for its moves; None looks at its reach alone.
    """

    def __init__(self, arm: Arm, motion: CatchMotionConfig, limits: SafetyLimits | None) -> None:
        self._arm = arm
        self._motion = motion
        self._check = None if limits is None else MotionCheck(limits)

    def leads_from(self, T_base_tcp: Float64Array) -> bool:
        """Whether the arm can go to a tool pose (4, 4), straight up from it, and from there to the throw.

        Raises:
            ArmLost: nobody can say.
        """
        T_base_up = lifted(T_base_tcp, self._motion.lift_height_m)
        q_throw = np.array(self._motion.throw_joints_rad)
        try:
            self._arm.inverse_kinematics(T_base_tcp)
            q_up = self._arm.inverse_kinematics(T_base_up)
            if self._check is not None:
                self._check.line(T_base_tcp, T_base_up)
                T_base_throw = self._arm.forward_kinematics(q_throw)
                self._check.joints(self._arm.nominal_poses, q_up, q_throw, T_base_throw)
        except (UnreachablePose, LimitViolation):
            return False
        return True
