# SPDX-License-Identifier: Apache-2.0
"""Drives an arm from one view of the calibration board to the next."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import Float64Array, Uint8Array
from anygrasp_perception.calibration.guide import same_pose
from anygrasp_perception.calibration.session import CaptureSession
from anygrasp_perception.calibration.views import CalibrationError
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.se3 import inverse, rotation_angle
from robot_drivers.arms.arm import ArmError, ArmState, ArmStopped, UnreachablePose
from robot_drivers.safety import LimitViolation, SafeArm
from robot_drivers.safety.motion_check import MotionCheck

__all__ = ["CalibrationDrive", "DriveConfig"]

_REST_M, _REST_RAD = 0.0003, math.radians(0.05)


@dataclass(frozen=True)
class DriveConfig:
    """How fast, and when to give up. Raises ValueError on values that are not positive."""

    joint_speed_rad_s: float = 0.2  # of the fastest joint
    joint_acceleration_rad_s2: float = 0.5
    max_joint_change_rad: float = 1.2  # a pose that turns a joint further is left out
    max_failures: int = 4  # poses in a row that could not be reached or showed no board

    def __post_init__(self) -> None:
        for name in (
            "joint_speed_rad_s",
            "joint_acceleration_rad_s2",
            "max_joint_change_rad",
            "max_failures",
        ):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")


class CalibrationDrive:
    """Views from poses that the arm may and can go to, each confirmed before it is gone to.

    It goes by joint moves: a line between two such poses may lead through a singularity. Poses lie in the
    limits' workspace, ways in their transit box.

    Args:
        arm: connected; its limits hold for every move.
        T_tool0_tcp: (4, 4) of the tool that the arm moves.
        see: the next image from now on, with the camera's intrinsics.
        confirm: whether to make the move that the text describes.
        say: for the person beside the robot.
    """

    def __init__(
        self,
        session: CaptureSession,
        arm: SafeArm,
        T_tool0_tcp: Float64Array,
        see: Callable[[], tuple[Uint8Array, CameraIntrinsics]],
        confirm: Callable[[str], bool],
        say: Callable[[str], None],
        config: DriveConfig = DriveConfig(),
    ) -> None:
        self._session, self._arm, self._see, self._confirm, self._say = session, arm, see, confirm, say
        self._config = config
        self._T_tool0_tcp, self._T_tcp_tool0 = T_tool0_tcp, inverse(T_tool0_tcp)
        self._check = MotionCheck(arm.limits)
        self._useless: list[Float64Array] = []  # T_base_tool0 from where nothing came

    def run(self) -> bool:
        """Take views until there are enough, True, or a move is not confirmed, False.

        The first view is taken from where the arm stands.

        Raises:
            CalibrationError: no board in the first view, no pose left, or too many failures in a row.
            ArmError: the arm was stopped or lost.
        """
        self._say(self._take())
        failures = 0
        while (target := self._session.next_pose(self._is_possible)) is not None:
            if not self._confirm(target.text):
                self._say("not moved")
                return False
            try:
                self._arm.move_joints(
                    self._arm.inverse_kinematics(target.T_base_tool @ self._T_tool0_tcp),
                    speed_rad_s=self._config.joint_speed_rad_s,
                    acceleration_rad_s2=self._config.joint_acceleration_rad_s2,
                )
                self._say(self._take())
                failures = 0
            except (CalibrationError, UnreachablePose, LimitViolation) as error:
                self._say(f"no view from there: {error}")
                self._useless.append(target.T_base_tool)
                failures += 1
                if failures >= self._config.max_failures:
                    raise CalibrationError(
                        f"{failures} poses in a row gave no view: see above; start from another pose"
                    ) from error
            except ArmError as error:
                state = self._arm.state()
                if state is ArmState.RUNNING or isinstance(error, ArmStopped):
                    raise
                raise ArmStopped(f"the arm's state is {state.value}, see the pendant: {error}") from error
        return True

    def _is_possible(self, T_base_tool: Float64Array) -> bool:
        if any(same_pose(T_base_tool, useless) for useless in self._useless):
            return False
        T_base_tcp = T_base_tool @ self._T_tool0_tcp
        if not self._check.allows(self._arm.tcp_pose(), T_base_tcp):
            return False
        try:
            change_rad = self._arm.inverse_kinematics(T_base_tcp) - self._arm.joint_positions()
        except UnreachablePose:
            return False
        return bool(np.abs(change_rad).max() <= self._config.max_joint_change_rad)

    def _take(self) -> str:
        T_before = self._arm.tcp_pose()
        image, intrinsics = self._see()
        T_base_tcp = self._arm.tcp_pose()
        moved_m = float(np.linalg.norm(T_base_tcp[:3, 3] - T_before[:3, 3]))
        if moved_m > _REST_M or rotation_angle(T_base_tcp[:3, :3], T_before[:3, :3]) > _REST_RAD:
            raise CalibrationError(f"the arm moved by {1e3 * moved_m:.1f} mm while the image was taken")
        return self._session.take(image, intrinsics, T_base_tcp @ self._T_tcp_tool0)
