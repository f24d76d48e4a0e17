# SPDX-License-Identifier: Apache-2.0
"""The moves a pick is made of; none drags the tool through the scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import Float64Array
from robot_drivers.arms.arm import Arm
from robot_drivers.arms.straight_line import lifted
from robot_drivers.executors.grasp_target import GraspTarget, backed_off
from robot_drivers.executors.stop_switch import StopSwitch

__all__ = ["MotionConfig", "PickMotion"]

_GOLDEN_RATIO = (1.0 + np.sqrt(5.0)) / 2.0


@dataclass(frozen=True)
class MotionConfig:
    """Where the arm rests and drops, and how fast it goes; the safety limits cap the speeds.

    Raises:
        ValueError: a value outside its range.
    """

    # Tool above the bin, out of the camera's view: opening the gripper is safe here.
    home_joints_rad: tuple[float, ...] = (-0.24517, -1.60518, -1.31834, -1.78887, 1.57080, -0.24517)
    # Tool above the bin, low enough that objects survive the fall, high enough for what hangs down.
    drop_joints_rad: tuple[float, ...] = (-0.24517, -1.58708, -1.64475, -1.48056, 1.57080, -0.24517)
    drop_spread_rad: float = 0.06  # base joint turns up to this to either side: drops do not pile up
    approach_speed_m_s: float = 0.5  # from the waypoint down
    final_speed_m_s: float = 0.1  # the last part, between the objects
    final_distance_m: float = 0.03  # length of that part
    lift_speed_m_s: float = 0.5  # straight up to travel height
    linear_acceleration_m_s2: float = 2.5  # of all moves along a line
    joint_speed_rad_s: float = 2.0  # travelling over, to the bin and home
    joint_acceleration_rad_s2: float = 5.0

    def __post_init__(self) -> None:
        for name in ("home_joints_rad", "drop_joints_rad"):
            joints = getattr(self, name)
            if len(joints) != 6 or not np.all(np.isfinite(joints)):
                raise ValueError(f"{name} is {joints}; give six joint angles in rad")
        for name in ("drop_spread_rad", "final_distance_m"):
            if not getattr(self, name) >= 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}; use 0 or more")
        for name in (
            "approach_speed_m_s",
            "final_speed_m_s",
            "lift_speed_m_s",
            "linear_acceleration_m_s2",
            "joint_speed_rad_s",
            "joint_acceleration_rad_s2",
        ):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}; use more than 0")


class PickMotion:
    """Moves of one arm. Each blocks until done, and starts only while nothing has been stopped.

    Every method raises PickFailed when stopped and ArmError when the arm refuses, stops or is lost.
    """

    def __init__(self, arm: Arm, config: MotionConfig, transit_height_m: float, stop: StopSwitch) -> None:
        self._arm = arm
        self._config = config
        self._transit_height_m = transit_height_m
        self._stop = stop

    def to_waypoint(self, target: GraspTarget) -> None:
        """Straight up to travel height, then over; both ends are at that height or above.

        Over by joints: on a line that turns the wrist far, or passes near the base, a UR makes a protective
        stop. Between such poses over plate and bin the joints' way is no lower than its lower end.
        """
        self.lift()
        self._joints(self._arm.inverse_kinematics(target.T_base_waypoint))

    def to_grasp(self, target: GraspTarget) -> None:
        """Along the approach, the last part slowly."""
        if self._config.final_distance_m > 0.0:
            T_base_near = backed_off(target.T_base_tcp, self._config.final_distance_m)
            self._linear(T_base_near, self._config.approach_speed_m_s)
        self._linear(target.T_base_tcp, self._config.final_speed_m_s)

    def lift(self) -> None:
        """Straight up to travel height without turning; nothing when the tool is there already."""
        T_base_tcp = self._arm.tcp_pose()
        if T_base_tcp[2, 3] < self._transit_height_m - 1e-3:
            self._linear(lifted(T_base_tcp, self._transit_height_m), self._config.lift_speed_m_s)

    def to_drop(self, attempt: int) -> None:
        """Over the bin, a little to one side: evenly spread over the attempts, the same in every run."""
        joints_rad = np.array(self._config.drop_joints_rad)
        joints_rad[0] += self._config.drop_spread_rad * (2.0 * (attempt * _GOLDEN_RATIO % 1.0) - 1.0)
        self._joints(joints_rad)

    def home(self) -> None:
        """Straight up, then to the home joints."""
        self.lift()
        self._joints(np.array(self._config.home_joints_rad))

    def _linear(self, T_base_tcp: Float64Array, speed_m_s: float) -> None:
        self._stop.check()
        self._arm.move_linear(
            T_base_tcp,
            speed_m_s=speed_m_s,
            acceleration_m_s2=self._config.linear_acceleration_m_s2,
        )

    def _joints(self, joints_rad: Float64Array) -> None:
        self._stop.check()
        self._arm.move_joints(
            joints_rad,
            speed_rad_s=self._config.joint_speed_rad_s,
            acceleration_rad_s2=self._config.joint_acceleration_rad_s2,
        )
