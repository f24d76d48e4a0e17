# SPDX-License-Identifier: Apache-2.0
"""The last step before any arm: passes on what the limits allow, and nothing else."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import numpy as np

from anygrasp_perception.arrays import Float64Array
from robot_drivers.arms.arm import Arm, ArmState
from robot_drivers.arms.straight_line import StraightLine
from robot_drivers.clock import Clock, WallClock
from robot_drivers.safety.limits import LimitViolation, SafetyLimits
from robot_drivers.safety.motion_check import MotionCheck

__all__ = ["SafeArm"]

_LOG = logging.getLogger(__name__)

# A servo that pauses for longer begins anew, from rest and from where the arm is.
_SERVO_PAUSE_S = 0.5

# Speeds and accelerations of servo steps are differences of poses: rounding adds up.
_SLACK = 1.0 + 1e-6


class SafeArm:
    """An `Arm` that passes on only what the limits allow, with speeds and accelerations cut down to them.

    A move is never bent to fit: it goes where it was sent or, as LimitViolation says, nowhere. Linear moves
    and servo steps are checked along their whole line, joint moves at their exact end by the arm's own
    kinematics and on the way by nominal ones.
    """

    def __init__(self, arm: Arm, limits: SafetyLimits, clock: Clock | None = None) -> None:
        self.limits = limits
        self._clock = clock or WallClock()
        self._arm = arm
        self._check = MotionCheck(limits)
        self._servo: _ServoState | None = None
        self._servo_lock = threading.Lock()

    def move_linear(self, T_base_tcp: Float64Array, *, speed_m_s: float, acceleration_m_s2: float) -> None:
        """See Arm.

        Raises:
            LimitViolation: not a pose, or a point of the way outside the workspace, too low or tilted.
            ValueError: speed or acceleration is not positive.
        """
        limits = self.limits
        speed_m_s = _at_most(speed_m_s, limits.max_speed_m_s, "speed_m_s")
        acceleration_m_s2 = _at_most(acceleration_m_s2, limits.max_acceleration_m_s2, "acceleration_m_s2")
        with _refusals_logged():
            T = self._check.pose(T_base_tcp)
            self._check.line(self._arm.tcp_pose(), T)
        self._servo = None
        self._arm.move_linear(T, speed_m_s=speed_m_s, acceleration_m_s2=acceleration_m_s2)

    def move_joints(self, q_rad: Float64Array, *, speed_rad_s: float, acceleration_rad_s2: float) -> None:
        """See Arm.

        Raises:
            LimitViolation: not finite angles, too far, or they put the TCP outside the transit box, too low
                or into a keep-out box, at the end or on the way.
            ValueError: speed or acceleration is not positive.
        """
        limits = self.limits
        speed_rad_s = _at_most(speed_rad_s, limits.max_joint_speed_rad_s, "speed_rad_s")
        acceleration_rad_s2 = _at_most(
            acceleration_rad_s2, limits.max_joint_acceleration_rad_s2, "acceleration_rad_s2"
        )
        with _refusals_logged():
            q = self._checked_joints(q_rad)
        self._servo = None
        self._arm.move_joints(q, speed_rad_s=speed_rad_s, acceleration_rad_s2=acceleration_rad_s2)

    def servo(self, T_base_tcp: Float64Array, *, duration_s: float) -> None:
        """See Arm.

        Raises:
            LimitViolation: not a pose, a point of the step outside the limits of linear moves, faster or a
                sharper change of speed than they allow, or a step that takes too long.
        """
        with self._servo_lock:
            before, now_s = self._servo, self._clock.now_s()
            if before is None or now_s > before.at_s + _SERVO_PAUSE_S:
                before = _ServoState(self._arm.tcp_pose(), np.zeros(3), np.zeros(3), now_s)
            with _refusals_logged():
                T = self._check.pose(T_base_tcp)
                self._check_duration(duration_s)
                line = self._check.line(before.T_base_tcp, T)
                after = before.moved(T, line, duration_s, now_s)
                self._check_step(before, after, duration_s)
            self._servo = None  # what the arm refuses ends the servo
            self._arm.servo(T, duration_s=duration_s)
            self._servo = after

    def end_servo(self) -> None:
        """See Arm."""
        with self._servo_lock:
            self._servo = None
            self._arm.end_servo()

    def connect(self) -> None:
        """See Arm."""
        self._arm.connect()

    def close(self) -> None:
        """See Arm."""
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
        """See Arm; says nothing about the limits."""
        return self._arm.inverse_kinematics(T_base_tcp)

    def is_reachable(self, T_base_tcp: Float64Array) -> bool:
        """See Arm; says nothing about the limits."""
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
        self._servo = None

    def __enter__(self) -> SafeArm:
        self._arm.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._arm.__exit__(kind, error, trace)

    def _checked_joints(self, q_rad: Float64Array) -> Float64Array:
        """The joints, if the way to them is allowed."""
        q_now = self._arm.joint_positions()
        try:
            q = np.asarray(q_rad, dtype=float)
        except (ValueError, TypeError) as error:
            raise LimitViolation("UNREACHABLE", f"joint angles {q_rad!r} are no numbers") from error
        if q.shape != q_now.shape or not np.isfinite(q).all():
            raise LimitViolation(
                "OUTSIDE_WORKSPACE", f"joint angles {q_rad} are not {len(q_now)} finite numbers in rad"
            )
        T_base_goal = self._check.pose(self._arm.forward_kinematics(q))
        self._check.joints(self._arm.nominal_poses, q_now, q, T_base_goal)
        return q

    def _check_duration(self, duration_s: float) -> None:
        longest_s = self.limits.max_servo_period_s
        if not 0.0 < duration_s <= longest_s:
            raise LimitViolation("TOO_FAST", f"a servo step of {duration_s} s; steps take 0 to {longest_s} s")

    def _check_step(self, before: _ServoState, after: _ServoState, duration_s: float) -> None:
        limits = self.limits
        _check_change(
            "m/s",
            (before.velocity, after.velocity),
            duration_s,
            (limits.max_speed_m_s, limits.max_acceleration_m_s2),
        )
        _check_change(
            "rad/s",
            (before.turning, after.turning),
            duration_s,
            (limits.max_turn_speed_rad_s, limits.max_turn_acceleration_rad_s2),
        )


class _ServoState:
    """Where the servo has been sent last, and how fast."""

    def __init__(
        self, T_base_tcp: Float64Array, velocity: Float64Array, turning: Float64Array, at_s: float
    ) -> None:
        self.T_base_tcp = T_base_tcp
        self.velocity = velocity  # (3,) m/s
        self.turning = turning  # (3,) rad/s in base
        self.at_s = at_s

    def moved(self, T: Float64Array, line: StraightLine, duration_s: float, at_s: float) -> _ServoState:
        """The state after going evenly along the line to `T`."""
        return _ServoState(T, line.way_m / duration_s, line.turn_rad / duration_s, at_s)


def _check_change(
    unit: str, speeds: tuple[Float64Array, Float64Array], duration_s: float, limits: tuple[float, float]
) -> None:
    """Refuse a speed (3,) beyond the first limit, or a change of it in a second beyond the second."""
    before, after = speeds
    speed, change = float(np.linalg.norm(after)), float(np.linalg.norm(after - before)) / duration_s
    if not speed <= limits[0] * _SLACK:
        raise LimitViolation(
            "TOO_FAST", f"the tool would do {speed:.2f} {unit}, limit {limits[0]:.2f}: take smaller steps"
        )
    if not change <= limits[1] * _SLACK + 1e-6:
        raise LimitViolation(
            "TOO_FAST",
            f"the tool would change its speed by {change:.2f} {unit} in a second, limit {limits[1]:.2f}: "
            "take gentler steps",
        )


@contextmanager
def _refusals_logged() -> Iterator[None]:
    try:
        yield
    except LimitViolation as violation:
        _LOG.warning("move refused: %s", violation)
        raise


def _at_most(value: float, limit: float, name: str) -> float:
    if not value > 0.0:
        raise ValueError(f"{name} is {value}; it must be positive")
    if value > limit:
        _LOG.info("%s cut down from %.2f to its limit %.2f", name, value, limit)
    return min(value, limit)
