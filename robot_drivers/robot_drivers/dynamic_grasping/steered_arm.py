# SPDX-License-Identifier: Apache-2.0
"""An arm whose servo targets may jump: a steering thread makes steps of them within the safety limits."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

import numpy as np

from anygrasp_perception.arrays import Float64Array
from robot_drivers.arms.arm import Arm, ArmError, ArmState
from robot_drivers.clock import Clock, WallClock
from robot_drivers.safety import SafetyLimits
from robot_drivers.safety.steering import Steering

__all__ = ["SteeredArm"]

_SLOWEST_M_S = 0.02  # a target that is hardly away, or only turned, still gets there


class SteeredArm:
    """An `Arm` for a slow decision loop; a target that is not renewed in time brings it to rest.

    Args:
        arm: wrapped in the same limits.
        period_s: between the servo steps that the arm gets.
        goal_timeout_s: age at which a target counts no more.
        clock: what steps and ages are timed by.
        steering: makes what steers; another in lock-step.
    """

    def __init__(
        self,
        arm: Arm,
        limits: SafetyLimits,
        period_s: float = 0.02,
        goal_timeout_s: float = 1.0,
        clock: Clock | None = None,
        steering: Callable[[Arm, SafetyLimits, float, float, Clock], Steering] = Steering,
    ) -> None:
        self._arm = arm
        self._limits = limits
        self._period_s = period_s
        self._goal_timeout_s = goal_timeout_s
        self._clock = clock or WallClock()
        self._make_steering = steering
        self._steering: Steering | None = None

    def servo(self, T_base_tcp: Float64Array, *, duration_s: float) -> None:
        """See Arm; the target may be far."""
        way_m = float(np.linalg.norm(T_base_tcp[:3, 3] - self._arm.tcp_pose()[:3, 3]))
        if self._steering is None:
            steering = self._make_steering(
                self._arm, self._limits, self._period_s, self._goal_timeout_s, self._clock
            )
            self._steering = steering.__enter__()
        try:
            self._steering.towards(
                T_base_tcp,
                speed_m_s=max(way_m / duration_s, _SLOWEST_M_S),
                acceleration_m_s2=self._limits.max_acceleration_m_s2,
            )
        except ArmError:
            self.end_servo()  # the next target begins anew, from rest
            raise

    def end_servo(self) -> None:
        """See Arm."""
        steering, self._steering = self._steering, None
        if steering is not None:
            steering.__exit__(None, None, None)

    def move_linear(self, T_base_tcp: Float64Array, *, speed_m_s: float, acceleration_m_s2: float) -> None:
        """See Arm."""
        self.end_servo()
        self._arm.move_linear(T_base_tcp, speed_m_s=speed_m_s, acceleration_m_s2=acceleration_m_s2)

    def move_joints(self, q_rad: Float64Array, *, speed_rad_s: float, acceleration_rad_s2: float) -> None:
        """See Arm."""
        self.end_servo()
        self._arm.move_joints(q_rad, speed_rad_s=speed_rad_s, acceleration_rad_s2=acceleration_rad_s2)

    def connect(self) -> None:
        """See Arm."""
        self._arm.connect()

    def close(self) -> None:
        """See Arm."""
        self.end_servo()
        self._arm.close()

    def state(self) -> ArmState:
        """See Arm."""
        return self._arm.state()

    def joint_positions(self) -> Float64Array:
        """See Arm."""
        return self._arm.joint_positions()

    def tcp_pose(self) -> Float64Array:
        """See Arm."""
        return self._arm.tcp_pose()

    def forward_kinematics(self, q_rad: Float64Array) -> Float64Array:
        """See Arm."""
        return self._arm.forward_kinematics(q_rad)

    def nominal_poses(self, q_rad: Float64Array) -> Float64Array:
        """See Arm."""
        return self._arm.nominal_poses(q_rad)

    def inverse_kinematics(self, T_base_tcp: Float64Array) -> Float64Array:
        """See Arm."""
        return self._arm.inverse_kinematics(T_base_tcp)

    def is_reachable(self, T_base_tcp: Float64Array) -> bool:
        """See Arm."""
        return self._arm.is_reachable(T_base_tcp)

    def recover(self) -> str:
        """See Arm."""
        return self._arm.recover()

    def stop(self) -> None:
        """See Arm."""
        self._arm.stop()

    def clear_stop(self) -> None:
        """See Arm."""
        self._arm.clear_stop()

    def __enter__(self) -> SteeredArm:
        self._arm.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end_servo()
        self._arm.__exit__(kind, error, trace)
