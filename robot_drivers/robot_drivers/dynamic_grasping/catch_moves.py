# SPDX-License-Identifier: Apache-2.0
"""The moves and grips that catching is made of."""

from __future__ import annotations

import numpy as np

from anygrasp_perception.arrays import Float64Array
from robot_drivers.arms.arm import Arm
from robot_drivers.arms.straight_line import lifted
from robot_drivers.dynamic_grasping.catch_config import CatchMotionConfig
from robot_drivers.executors.stop_switch import StopSwitch
from robot_drivers.grippers.gripper import Gripper

__all__ = ["CatchMoves"]


class CatchMoves:
    """Moves of one arm and gripper; each starts only while nothing has been stopped.

    Every method raises PickFailed when stopped, ArmError or GripperError when a device refuses or is lost.
    """

    def __init__(self, arm: Arm, gripper: Gripper, config: CatchMotionConfig, stop: StopSwitch) -> None:
        self._arm = arm
        self._gripper = gripper
        self._config = config
        self._stop = stop
        self._T_base_ready: Float64Array | None = None

    def tcp_pose(self) -> Float64Array:
        """Measured T_base_tcp (4, 4)."""
        return self._arm.tcp_pose()

    def ready_pose(self) -> Float64Array:
        """T_base_tcp (4, 4) of the ready pose."""
        if self._T_base_ready is None:
            self._T_base_ready = self._arm.forward_kinematics(np.array(self._config.ready_joints_rad))
        return self._T_base_ready

    def initialise(self) -> None:
        """Line 1: to the ready pose, straight up first, fingers open."""
        self._lift()
        self._joints(self._config.ready_joints_rad)
        self.release()

    def servo_ready(self) -> None:
        """Line 8: on the way to the ready pose; returns at once."""
        self.servo(self.ready_pose())

    def servo(self, T_base_tcp: Float64Array) -> None:
        """Line 25: on the way to a pose, no faster than allowed; returns at once."""
        self._stop.check()
        config = self._config
        way_m = float(np.linalg.norm(T_base_tcp[:3, 3] - self._arm.tcp_pose()[:3, 3]))
        self._arm.servo(T_base_tcp, duration_s=max(config.servo_period_s, way_m / config.servo_speed_m_s))

    def stand(self) -> None:
        """Bring a servoing arm to rest."""
        self._arm.end_servo()

    def grasp(self, T_base_tcp: Float64Array) -> bool:
        """Line 20: to the pose, and close; whether something is between the fingers."""
        self._linear(T_base_tcp, self._config.grasp_speed_m_s)
        return self._grip(0.0)

    def throw(self) -> bool:
        """Line 21: up, over the bin, and open; whether something was still held there."""
        self._lift()
        self._joints(self._config.throw_joints_rad)
        held = self._gripper.state().object_detected
        self.release()
        return held

    def release(self) -> None:
        """Let go of what is held, where the fingers are."""
        self._grip(self._config.open_width_m)

    def _lift(self) -> None:
        T_now = self._arm.tcp_pose()
        if T_now[2, 3] < self._config.lift_height_m - 1e-3:
            self._linear(lifted(T_now, self._config.lift_height_m), self._config.lift_speed_m_s)

    def _linear(self, T_base_tcp: Float64Array, speed_m_s: float) -> None:
        self._stop.check()
        self._arm.move_linear(
            T_base_tcp, speed_m_s=speed_m_s, acceleration_m_s2=self._config.linear_acceleration_m_s2
        )

    def _joints(self, joints_rad: tuple[float, ...]) -> None:
        self._stop.check()
        self._arm.move_joints(
            np.array(joints_rad),
            speed_rad_s=self._config.joint_speed_rad_s,
            acceleration_rad_s2=self._config.joint_acceleration_rad_s2,
        )

    def _grip(self, width_m: float) -> bool:
        self._stop.check()
        config = self._config
        state = self._gripper.move(width_m, speed=config.closing_speed, force=config.closing_force)
        return state.object_detected
