# SPDX-License-Identifier: Apache-2.0
"""Servo steps towards a moving goal that begin, turn and end gently, and never leave the limits."""

from __future__ import annotations

import logging
import math
import threading
from types import TracebackType

import numpy as np
from scipy.spatial.transform import Rotation

from anygrasp_perception.arrays import Float64Array
from robot_drivers.arms.arm import Arm, ArmError
from robot_drivers.arms.straight_line import StraightLine
from robot_drivers.clock import Clock, WallClock
from robot_drivers.safety.limits import SafetyLimits
from robot_drivers.safety.motion_check import MotionCheck

__all__ = ["ServoStepper", "Steering", "SteppedSteering"]

_LOG = logging.getLogger(__name__)

# Share of the acceleration that is used: what is measured and how steps are timed is not exact.
_RESERVE = 0.8

_NEVER = threading.Event()  # never set: a step is not cut short


class ServoStepper:
    """Poses one period apart, from `T_base_tcp` at rest towards goals that may jump.

    From every pose the tool could come to rest within the limits: a step after which it could not is replaced
    by braking. A goal outside is approached as far as it goes.
    """

    def __init__(self, T_base_tcp: Float64Array, limits: SafetyLimits, period_s: float) -> None:
        self.T_base_tcp = T_base_tcp  # (4, 4) latest pose
        self._velocity = np.zeros(3)  # m/s
        self._turning = np.zeros(3)  # rad/s, in base
        self._limits = limits
        self._check = MotionCheck(limits)
        self._braking = _RESERVE * limits.max_acceleration_m_s2
        self._turn_braking = _RESERVE * limits.max_turn_acceleration_rad_s2
        self._period_s = period_s

    @property
    def rests(self) -> bool:
        """Whether the latest step was none."""
        return not (self._velocity.any() or self._turning.any())

    def step(self, T_base_goal: Float64Array, speed_m_s: float, acceleration_m_s2: float) -> Float64Array:
        """The next pose (4, 4) on the way to a goal."""
        limits = self._limits
        acceleration = min(acceleration_m_s2, self._braking)
        rest = StraightLine(self.T_base_tcp, T_base_goal)
        speed_m_s = min(speed_m_s, limits.max_speed_m_s)
        velocity = self._towards(rest.way_m, self._velocity, speed_m_s, acceleration)
        turning = self._towards(rest.turn_rad, self._turning, limits.max_turn_speed_rad_s, self._turn_braking)
        T_rest = _displaced(
            self.T_base_tcp,
            self._until_rest(velocity, self._braking),
            self._until_rest(turning, self._turn_braking),
        )
        if not self._check.allows(self.T_base_tcp, T_rest):
            return self.brake()
        return self._go(velocity, turning)

    def brake(self) -> Float64Array:
        """The next pose (4, 4) on the way to rest, as fast as the limits allow."""
        return self._go(
            self._slowed(self._velocity, self._braking), self._slowed(self._turning, self._turn_braking)
        )

    def _go(self, velocity: Float64Array, turning: Float64Array) -> Float64Array:
        self._velocity, self._turning = velocity, turning
        self.T_base_tcp = _displaced(self.T_base_tcp, self._period_s * velocity, self._period_s * turning)
        return self.T_base_tcp

    def _towards(
        self, way: Float64Array, present: Float64Array, speed: float, acceleration: float
    ) -> Float64Array:
        """Speed (3,) of the next step: to the goal, in time to stop there, within the acceleration."""
        distance = float(np.linalg.norm(way))
        wanted = np.zeros(3)
        if distance > 1e-9:
            speed = min(speed, math.sqrt(2.0 * _RESERVE * acceleration * distance), distance / self._period_s)
            wanted = speed / distance * way
        change = wanted - present
        change_rate = float(np.linalg.norm(change)) / self._period_s
        return present + change * min(1.0, acceleration / change_rate if change_rate > 0 else 1.0)

    def _slowed(self, present: Float64Array, acceleration: float) -> Float64Array:
        speed = float(np.linalg.norm(present))
        left = speed - acceleration * self._period_s
        return present * (left / speed) if left > 0.0 else np.zeros(3)

    def _until_rest(self, velocity: Float64Array, acceleration: float) -> Float64Array:
        """Way (3,) of the step and of the braking after it, with a step to spare."""
        speed = float(np.linalg.norm(velocity))
        return velocity * (2.0 * self._period_s + speed / (2.0 * acceleration))


class Steering:
    """Steers an arm from a thread of its own towards the latest goal, until the context ends.

    A goal that is not renewed in time brings the arm to rest, and so does the end of the context. What the
    arm raises comes out of the next `towards`.

    Args:
        arm: wrapped in the same safety limits, connected.
        period_s: between servo steps.
        goal_timeout_s: age at which a goal counts no more.
        clock: what steps and ages are timed by.
    """

    def __init__(
        self,
        arm: Arm,
        limits: SafetyLimits,
        period_s: float = 0.02,
        goal_timeout_s: float = 0.5,
        clock: Clock | None = None,
    ) -> None:
        if not 0.0 < period_s <= limits.max_servo_period_s or not goal_timeout_s > 0.0:
            raise ValueError(
                f"period_s {period_s} must be 0 to {limits.max_servo_period_s}, goal_timeout_s "
                f"{goal_timeout_s} positive"
            )
        self._arm = arm
        self._limits = limits
        self._check = MotionCheck(limits)
        self._period_s = period_s
        self._goal_timeout_s = goal_timeout_s
        self._clock = clock or WallClock()
        self._goal: tuple[Float64Array, float, float, float] | None = None  # pose, speed, acceleration, when
        self._error: ArmError | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="steering", daemon=True)

    def towards(self, T_base_tcp: Float64Array, *, speed_m_s: float, acceleration_m_s2: float) -> None:
        """Steer to this pose (4, 4) from now on; returns at once.

        Raises:
            LimitViolation: not a pose.
            ValueError: speed or acceleration is not positive.
            ArmError: what the arm raised meanwhile; it has come to rest.
        """
        if self._error is not None:
            raise self._error
        for name, value in (("speed_m_s", speed_m_s), ("acceleration_m_s2", acceleration_m_s2)):
            if not value > 0.0:
                raise ValueError(f"{name} is {value}; it must be positive")
        T = self._check.pose(T_base_tcp)
        self._goal = (T, speed_m_s, acceleration_m_s2, self._clock.now_s())

    def __enter__(self) -> Steering:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            stepper = ServoStepper(self._arm.tcp_pose(), self._limits, self._period_s)
            due_s = self._clock.now_s()
            while not (self._ending.is_set() and stepper.rests):
                self._step(stepper)
                due_s = max(due_s + self._period_s, self._clock.now_s())
                self._clock.wait(_NEVER, max(0.0, due_s - self._clock.now_s()))
        except ArmError as error:
            self._error = error
        self._end()

    def _step(self, stepper: ServoStepper) -> None:
        goal = self._goal
        fresh = goal is not None and self._clock.now_s() - goal[3] <= self._goal_timeout_s
        if goal is not None and fresh and not self._ending.is_set():
            T_base_tcp = stepper.step(goal[0], goal[1], goal[2])
        elif stepper.rests:
            return
        else:
            T_base_tcp = stepper.brake()
        self._arm.servo(T_base_tcp, duration_s=self._period_s)

    def _end(self) -> None:
        try:
            self._arm.end_servo()
        except ArmError as error:
            _LOG.error("the servo did not end: %s", error)
            self._error = self._error or error


class SteppedSteering(Steering):
    """Steering in lock-step: whoever lets time pass calls `step` once in every `period_s`."""

    def __enter__(self) -> SteppedSteering:
        self._stepper: ServoStepper | None = ServoStepper(self._arm.tcp_pose(), self._limits, self._period_s)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        while self._stepper is not None and not self._stepper.rests:
            self.step()
            self._clock.wait(_NEVER, self._period_s)
        if self._stepper is not None:
            self._end()
        self._stepper = None

    def step(self) -> None:
        """Send the step of one period; nothing after the end of the context, or once the arm has refused."""
        if self._stepper is None:
            return
        try:
            self._step(self._stepper)
        except ArmError as refusal:
            self._error, self._stepper = refusal, None
            self._end()


def _displaced(T: Float64Array, way_m: Float64Array, turn_rad: Float64Array) -> Float64Array:
    """Pose (4, 4) moved by `way_m` (3,) and turned by the rotation vector `turn_rad` (3,), both in base."""
    moved = np.eye(4)
    moved[:3, :3] = Rotation.from_rotvec(turn_rad).as_matrix() @ T[:3, :3]
    moved[:3, 3] = T[:3, 3] + way_m
    return moved
