# SPDX-License-Identifier: Apache-2.0
"""Arm and gripper that say what would move, and move nothing."""

from __future__ import annotations

import logging
import math
import threading
from types import TracebackType

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.se3 import check_transform
from robot_drivers.arms.arm import Arm, ArmState, ArmStopped, UnreachablePose
from robot_drivers.arms.straight_line import SpeedProfile, StraightLine
from robot_drivers.grippers.gripper import Gripper, GripperError, GripperState

__all__ = ["DryRunArm", "DryRunGripper"]

_LOG = logging.getLogger(__name__)


class DryRunArm:
    """An `Arm` that believes it has moved; state, kinematics and the place to begin are the real arm's.

    `clear_stop`, with which every goal begins, brings the belief back to where the real arm is.
    """

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self._believed: tuple[Float64Array, Float64Array] | None = None  # joints, T_base_tcp
        self._stop_requested = threading.Event()

    def connect(self) -> None:
        """See Arm."""
        self._arm.connect()

    def close(self) -> None:
        """See Arm."""
        self._believed = None
        self._arm.close()

    def state(self) -> ArmState:
        """See Arm."""
        return self._arm.state()

    def joint_positions(self) -> Float64Array:
        """See Arm; where the moves so far would have taken it."""
        return self._arm.joint_positions() if self._believed is None else self._believed[0].copy()

    def tcp_pose(self) -> Float64Array:
        """See Arm; likewise."""
        return self._arm.tcp_pose() if self._believed is None else self._believed[1].copy()

    def forward_kinematics(self, q_rad: Float64Array) -> Float64Array:
        """See Arm."""
        return self._arm.forward_kinematics(q_rad)

    def nominal_poses(self, q_rad: Float64Array) -> Float64Array:
        """See Arm."""
        return self._arm.nominal_poses(q_rad)

    def inverse_kinematics(self, T_base_tcp: Float64Array) -> Float64Array:
        """See Arm; near the joints of the real arm."""
        return self._arm.inverse_kinematics(T_base_tcp)

    def is_reachable(self, T_base_tcp: Float64Array) -> bool:
        """See Arm."""
        try:
            self.inverse_kinematics(T_base_tcp)
        except UnreachablePose:
            return False
        return True

    def move_linear(self, T_base_tcp: Float64Array, *, speed_m_s: float, acceleration_m_s2: float) -> None:
        """See Arm; logged."""
        T = check_transform(T_base_tcp, "T_base_tcp")
        self._check_stop()
        line = StraightLine(self.tcp_pose(), T)
        q = self.inverse_kinematics(T)
        duration_s = SpeedProfile((line.length_m, speed_m_s, acceleration_m_s2)).duration_s
        _LOG.info(
            "dry run: would move %.3f m in a line to %s m, turning by %.0f deg, at %.2f m/s: %.1f s",
            line.length_m,
            _rounded(T[:3, 3]),
            math.degrees(line.angle_rad),
            speed_m_s,
            duration_s,
        )
        self._believed = (q, T)

    def move_joints(self, q_rad: Float64Array, *, speed_rad_s: float, acceleration_rad_s2: float) -> None:
        """See Arm; logged."""
        q = np.array(q_rad, dtype=float)
        self._check_stop()
        T = self.forward_kinematics(q)
        way_rad = float(np.abs(q - self.joint_positions()).max())
        duration_s = SpeedProfile((way_rad, speed_rad_s, acceleration_rad_s2)).duration_s
        _LOG.info(
            "dry run: would move the joints to %s rad, the tool to %s m, at %.2f rad/s: %.1f s",
            _rounded(q),
            _rounded(T[:3, 3]),
            speed_rad_s,
            duration_s,
        )
        self._believed = (q, T)

    def servo(self, T_base_tcp: Float64Array, *, duration_s: float) -> None:
        """See Arm; logged when debugging: there are many."""
        T = check_transform(T_base_tcp, "T_base_tcp")
        self._check_stop()
        _LOG.debug("dry run: would servo to %s m in %.3f s", _rounded(T[:3, 3]), duration_s)
        self._believed = (self.inverse_kinematics(T), T)

    def end_servo(self) -> None:
        """See Arm."""

    def recover(self) -> str:
        """See Arm; refused: releasing brakes is not dry."""
        raise ArmStopped("this is a dry run: recover the robot on its pendant, or start without dry_run")

    def stop(self) -> None:
        """See Arm; the real arm is stopped too."""
        self._stop_requested.set()
        self._arm.stop()

    def clear_stop(self) -> None:
        """See Arm."""
        self._arm.clear_stop()
        self._believed = None
        self._stop_requested.clear()

    def __enter__(self) -> DryRunArm:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_stop(self) -> None:
        if self._stop_requested.is_set():
            raise ArmStopped("a stop was requested: call clear_stop() before the next move")
        self._arm.joint_positions()  # raises when the real arm is lost


class DryRunGripper:
    """A `Gripper` that believes its fingers went where they were told, and met an object when they closed."""

    def __init__(self, gripper: Gripper, open_width_m: float = 0.085) -> None:
        self._gripper = gripper
        self._open_width_m = open_width_m
        self._state = GripperState(open_width_m, object_detected=False, moving=False)

    @property
    def force_range_n(self) -> tuple[float, float]:
        """See Gripper."""
        return self._gripper.force_range_n

    def connect(self) -> None:
        """See Gripper; a gripper that is not there is no obstacle."""
        try:
            self._gripper.connect()
        except GripperError as error:
            _LOG.warning("dry run without the gripper: %s", error)

    def close(self) -> None:
        """See Gripper."""
        self._gripper.close()

    def activate(self) -> None:
        """See Gripper; logged."""
        _LOG.info("dry run: would activate the gripper, which opens and closes its fingers")

    def move(self, width_m: float, *, speed: float, force: float) -> GripperState:
        """See Gripper; logged."""
        try:
            low_n, high_n = self.force_range_n
            pressing = f"{low_n + force * (high_n - low_n):.0f} N"
        except GripperError:  # of one that tells it only once it is active
            pressing = f"{force:.0%} of its force"
        _LOG.info("dry run: would move the fingers to %.3f m with %s", width_m, pressing)
        closed = width_m == 0.0
        self._state = GripperState(
            self._state.width_m / 2.0 if closed else width_m, object_detected=closed, moving=False
        )
        return self._state

    def state(self) -> GripperState:
        """See Gripper."""
        return self._state

    def stop(self) -> None:
        """See Gripper; nothing moves."""

    def __enter__(self) -> DryRunGripper:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _rounded(values: Float64Array) -> str:
    return "(" + ", ".join(f"{value:.3f}" for value in values) + ")"
