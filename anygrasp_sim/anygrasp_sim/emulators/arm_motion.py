# SPDX-License-Identifier: Apache-2.0
"""The commanded joints of the emulated arm: one trajectory at a time, scaled by the speed slider."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import Float64Array
from anygrasp_sim.emulators.continuous_motion import (
    JointServo,
    JointSpeed,
    JointStop,
    LinearSpeed,
    LinearStop,
)
from anygrasp_sim.emulators.rotation_vector import pose_to_transform
from anygrasp_sim.emulators.trajectory import JointMove, LinearMove, MotionFault, ToolPath, Trajectory
from anygrasp_sim.emulators.ur_kinematics import JOINT_LIMIT_RAD, UrKinematics

__all__ = ["ArmMotion"]

# Time in which the speed goes from full to nothing when motion is paused: nothing stops at once.
_FULL_RAMP_S = 0.1


class ArmMotion:
    """Starts the motions of URScript from where the arm is and advances them tick by tick.

    `q` and `qd` are the commanded joint angles (6,) rad and speeds (6,) rad/s; `T_flange_tcp` is the tool.
    """

    def __init__(self, kinematics: UrKinematics, q_start: ArrayLike) -> None:
        self.kinematics = kinematics
        self.T_flange_tcp = np.eye(4)
        self.q = np.array(q_start, dtype=float)
        self.qd = np.zeros(6)
        self.scaling = 1.0
        self._trajectory: Trajectory | None = None

    @property
    def moving(self) -> bool:
        """Whether a trajectory is being executed."""
        return self._trajectory is not None

    @property
    def T_base_tcp(self) -> Float64Array:
        """Commanded tool pose (4,4)."""
        return self.kinematics.forward(self.q) @ self.T_flange_tcp

    def inverse(self, pose: ArrayLike, q_near: ArrayLike | None = None) -> Float64Array | None:
        """Joint angles (6,) of a UR pose (6,) of the TCP nearest to `q_near` (else to the present ones)."""
        T_base_flange = pose_to_transform(pose) @ np.linalg.inv(self.T_flange_tcp)
        return self.kinematics.inverse(T_base_flange, self.q if q_near is None else q_near)

    def movej(self, q_goal: ArrayLike, speed: float, acceleration: float) -> None:
        """Move to joint angles (6,) rad."""
        self._trajectory = JointMove(self.q, q_goal, speed, acceleration)

    def movel(self, T_base_goal: Float64Array, speed: float, acceleration: float) -> None:
        """Move the TCP to a pose (4,4) along a line."""
        self._trajectory = LinearMove(self._path(), T_base_goal, speed, acceleration)

    def stopj(self, deceleration: float) -> None:
        """Decelerate the joints to rest."""
        self._trajectory = JointStop(self.q, self.qd, deceleration)

    def stopl(self, deceleration: float) -> None:
        """Decelerate the TCP to rest along its direction."""
        self._trajectory = LinearStop(self._path(), self._twist(), deceleration)

    def speedj(self, qd_goal: ArrayLike, acceleration: float) -> None:
        """Hold joint speeds (6,) rad/s."""
        self._trajectory = JointSpeed(self.q, self.qd, qd_goal, acceleration)

    def speedl(self, twist_goal: ArrayLike, acceleration: float) -> None:
        """Hold a TCP twist (6,) in m/s and rad/s."""
        self._trajectory = LinearSpeed(self._path(), self._twist(), twist_goal, acceleration)

    def servoj(self, q_goal: ArrayLike, lookahead_s: float) -> None:
        """Follow joint angles (6,) rad that are renewed every few ticks."""
        self._trajectory = JointServo(self.q, q_goal, lookahead_s)

    def step(self, dt_s: float, wanted_scaling: float) -> None:
        """Advance the commanded joints by one period, slowed down to `wanted_scaling` (0 pauses).

        Raises:
            MotionFault: the motion cannot go on; the joints keep their last speed for the stop to come.
        """
        change = dt_s / _FULL_RAMP_S
        self.scaling += float(np.clip(wanted_scaling - self.scaling, -change, change))
        if self._trajectory is None:
            self.qd = np.zeros(6)
            return
        q = self._trajectory.step(dt_s * self.scaling)
        if not float(np.abs(q).max()) <= JOINT_LIMIT_RAD:  # also catches NaN
            raise MotionFault(f"joint angles {np.round(q, 3)} rad are beyond +-{JOINT_LIMIT_RAD:.3f} rad")
        self.qd = (q - self.q) / dt_s
        self.q = q
        if self._trajectory.finished:
            self._trajectory = None

    def _path(self) -> ToolPath:
        return ToolPath(self.kinematics, self.T_flange_tcp, self.q)

    def _twist(self) -> Float64Array:
        """Commanded twist (6,) of the TCP."""
        return self.kinematics.jacobian(self.q, self.T_flange_tcp) @ self.qd
