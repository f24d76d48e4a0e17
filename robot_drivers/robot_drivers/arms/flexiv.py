# SPDX-License-Identifier: Apache-2.0
"""Flexiv Rizon 4 through flexivrdk 1.9.1, in its non-real-time modes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.se3 import check_transform
from robot_drivers.arms.arm import ArmError, ArmLost, ArmState, ArmStopped, UnreachablePose
from robot_drivers.arms.flexiv_config import FlexivArmConfig, load_flexivrdk
from robot_drivers.arms.flexiv_pose import flexiv_pose, transform_from_flexiv_pose
from robot_drivers.arms.flexiv_session import FlexivSession, FlexivSnapshot
from robot_drivers.arms.rizon_kinematics import RIZON4_JOINT_LIMITS_RAD, rizon4_flange_pose
from robot_drivers.arms.straight_line import SpeedProfile, StraightLine
from robot_drivers.clock import Clock, WallClock

__all__ = ["FlexivArm", "FlexivArmConfig"]

_LOG = logging.getLogger(__name__)

_ARRIVED_M, _ARRIVED_RAD = 0.005, 0.03

_NO_WRENCH = [0.0] * 6
_NO_VELOCITY = [0.0] * 6


class FlexivArm:
    """An `Arm` of seven joints behind flexivrdk.

    Moves are streamed: the calling thread sends the points of a straight line, in the tool's or the joints'
    space, by the robot's own clock. So the way is known, `stop` takes effect within a command period, and a
    simulated robot may run faster than the clock on the wall.

    Args:
        rdk: an object with the API of flexivrdk; None imports it when connecting.
        clock: what it waits by between two commands.
    """

    def __init__(
        self, config: FlexivArmConfig | None = None, rdk: Any = None, clock: Clock | None = None
    ) -> None:
        self.config = config or FlexivArmConfig()
        self._rdk = rdk
        self._clock = clock or WallClock()
        self._session: FlexivSession | None = None
        self._stop_requested = threading.Event()
        self._one_move = threading.Lock()
        self._servoing = False

    @property
    def robot(self) -> Any:
        """The connected flexivrdk.Robot, for the gripper on it. Raises ArmLost when not connected."""
        return self._connected().robot

    @property
    def rdk(self) -> Any:
        """The module flexivrdk. Raises ArmError when it is not installed."""
        if self._rdk is None:
            self._rdk = load_flexivrdk()
        return self._rdk

    def connect(self) -> None:
        """See Arm; also enables the robot and sets TCP and payload. ArmStopped while its safety holds it."""
        if self._session is None or not self._session.robot.connected():
            self._session = FlexivSession(self.config, self.rdk, self._clock)

    def close(self) -> None:
        """See Arm."""
        session, self._session, self._servoing = self._session, None, False
        if session is not None and session.robot.connected():
            self._halt(session)

    def state(self) -> ArmState:
        """See Arm."""
        return ArmState.DISCONNECTED if self._session is None else self._session.state()

    def joint_positions(self) -> Float64Array:
        """See Arm; (7,)."""
        return np.array(self._snapshot().q_rad)

    def tcp_pose(self) -> Float64Array:
        """See Arm."""
        return transform_from_flexiv_pose(self._snapshot().tcp_pose)

    def forward_kinematics(self, q_rad: Float64Array) -> Float64Array:
        """See Arm; by the published figures of the Rizon 4, since flexivrdk hands out no poses."""
        self._connected()
        return rizon4_flange_pose(q_rad) @ self.config.T_flange_tcp

    def nominal_poses(self, q_rad: Float64Array) -> Float64Array:
        """See Arm."""
        return np.array([rizon4_flange_pose(q) @ self.config.T_flange_tcp for q in q_rad])

    def inverse_kinematics(self, T_base_tcp: Float64Array) -> Float64Array:
        """See Arm; the robot's model works it out, near the present joints."""
        pose = flexiv_pose(check_transform(T_base_tcp, "T_base_tcp"))
        return np.array(self._connected().inverse(pose, self._snapshot().q_rad))

    def is_reachable(self, T_base_tcp: Float64Array) -> bool:
        """See Arm."""
        try:
            self.inverse_kinematics(T_base_tcp)
        except UnreachablePose:
            return False
        return True

    def move_linear(self, T_base_tcp: Float64Array, *, speed_m_s: float, acceleration_m_s2: float) -> None:
        """See Arm."""
        T_goal = check_transform(T_base_tcp, "T_base_tcp")
        with self._one_at_a_time() as session:
            self.inverse_kinematics(T_goal)  # raises where it cannot go
            line = StraightLine(self.tcp_pose(), T_goal)
            turning = (self.config.max_angular_speed_rad_s, self.config.max_angular_acceleration_rad_s2)
            profile = SpeedProfile((line.length_m, speed_m_s, acceleration_m_s2), (line.angle_rad, *turning))
            session.enter("NRT_CARTESIAN_MOTION_FORCE")

            def send(done: float) -> None:
                self._send_pose(session, line.at(done), speed_m_s, acceleration_m_s2)

            def is_there(now: FlexivSnapshot) -> bool:
                rest = StraightLine(transform_from_flexiv_pose(now.tcp_pose), T_goal)
                return rest.length_m < _ARRIVED_M and rest.angle_rad < _ARRIVED_RAD

            self._follow(session, profile, send, is_there)

    def move_joints(self, q_rad: Float64Array, *, speed_rad_s: float, acceleration_rad_s2: float) -> None:
        """See Arm."""
        q_goal = np.asarray(q_rad, dtype=float)
        if q_goal.shape != (7,) or not np.isfinite(q_goal).all():
            raise ValueError(f"joint angles are {q_rad}; give seven finite numbers in rad")
        low, high = RIZON4_JOINT_LIMITS_RAD.T
        if np.any(q_goal < low) or np.any(q_goal > high):
            raise UnreachablePose(
                f"joint angles {np.round(q_goal, 3)} rad exceed {low.tolist()} to {high.tolist()} rad"
            )
        with self._one_at_a_time() as session:
            q_start = self.joint_positions()
            way_rad = q_goal - q_start
            profile = SpeedProfile((float(np.abs(way_rad).max()), speed_rad_s, acceleration_rad_s2))
            session.enter("NRT_JOINT_POSITION")
            speeds, accelerations = [float(speed_rad_s)] * 7, [float(acceleration_rad_s2)] * 7

            def send(done: float) -> None:
                target = [float(angle) for angle in q_start + done * way_rad]
                session.call(
                    lambda: session.robot.SendJointPosition(target, [0.0] * 7, speeds, accelerations)
                )

            def is_there(now: FlexivSnapshot) -> bool:
                return bool(np.abs(np.subtract(now.q_rad, q_goal)).max() < _ARRIVED_RAD)

            self._follow(session, profile, send, is_there)

    def servo(self, T_base_tcp: Float64Array, *, duration_s: float) -> None:
        """See Arm; the robot's own motion generator smooths the steps."""
        T_goal = check_transform(T_base_tcp, "T_base_tcp")
        session = self._connected()
        if self._one_move.locked():
            raise ArmError("the arm is moving already: wait for the move or stop it")
        if self._stop_requested.is_set():
            self.end_servo()
            raise ArmStopped("stopped by request: call clear_stop() before the next move")
        session.check_ready()
        session.enter("NRT_CARTESIAN_MOTION_FORCE")
        rest = StraightLine(self.tcp_pose(), T_goal)
        self._servoing = True
        # Never faster than what closes the gap in time.
        self._send_pose(session, T_goal, max(rest.length_m / duration_s, 1e-3), None)

    def end_servo(self) -> None:
        """See Arm."""
        session, servoing, self._servoing = self._session, self._servoing, False
        if session is not None and servoing:
            session.call(session.robot.Stop)

    def stop(self) -> None:
        """See Arm."""
        self._stop_requested.set()
        if self._servoing:  # nobody may call again
            threading.Thread(target=self._halt_servo, name="halt servo", daemon=True).start()

    def clear_stop(self) -> None:
        """See Arm."""
        if self._session is not None:
            self._session.check_ready()
        self._stop_requested.clear()

    def recover(self) -> str:
        """See Arm: clears a minor fault, enables the robot."""
        return self._connected().recover()

    def __enter__(self) -> FlexivArm:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connected(self) -> FlexivSession:
        if self._session is None:
            raise ArmLost(f"not connected to the Rizon {self.config.serial_number}: call connect first")
        self._session.check_connected()
        return self._session

    def _snapshot(self) -> FlexivSnapshot:
        session = self._connected()
        try:
            return session.snapshot()
        except ArmLost:
            self._session = None
            raise

    @contextmanager
    def _one_at_a_time(self) -> Iterator[FlexivSession]:
        session = self._connected()
        if not self._one_move.acquire(blocking=False):
            raise ArmError("the arm is moving already: wait for the other move or stop it")
        try:
            if self._stop_requested.is_set():
                raise ArmStopped("a stop was requested: call clear_stop() before the next move")
            session.check_ready()
            self._servoing = False
            yield session
        finally:
            self._one_move.release()

    def _send_pose(
        self, session: FlexivSession, T_base_tcp: Float64Array, speed_m_s: float, acceleration: float | None
    ) -> None:
        config = self.config
        limits: dict[str, float] = {
            "max_linear_vel": float(speed_m_s),
            "max_angular_vel": config.max_angular_speed_rad_s,
            "max_angular_acc": config.max_angular_acceleration_rad_s2,
        }
        if acceleration is not None:
            limits["max_linear_acc"] = float(acceleration)
        pose = flexiv_pose(T_base_tcp)
        session.call(lambda: session.robot.SendCartesianMotionForce(pose, _NO_WRENCH, _NO_VELOCITY, **limits))

    def _follow(
        self,
        session: FlexivSession,
        profile: SpeedProfile,
        send: Callable[[float], None],
        is_there: Callable[[FlexivSnapshot], bool],
    ) -> None:
        """Send the way point by point; returns when the robot rests at its end."""
        period_s = 1.0 / self.config.command_hz
        begin_s = self._snapshot().time_s
        previous: FlexivSnapshot | None = None
        while not self._clock.wait(self._stop_requested, period_s):
            now = self._snapshot()
            state = session.state()
            if state is not ArmState.RUNNING:
                raise session.explained(state)
            passed_s = now.time_s - begin_s + period_s
            send(profile.at(passed_s))
            stands = previous is not None and _speed(previous, now) < self.config.standing_rad_s
            if passed_s > profile.duration_s and stands and is_there(now):
                return
            if passed_s > profile.duration_s + self.config.settle_timeout_s:
                self._halt(session)
                raise ArmError(
                    f"the move did not arrive within {self.config.settle_timeout_s:.1f} s of its time: is "
                    "something in the way?"
                )
            previous = now
        self._halt(session)
        raise ArmStopped("stopped by request: call clear_stop() before the next move")

    def _halt_servo(self) -> None:
        try:
            self.end_servo()
        except ArmError as error:
            _LOG.error("the Rizon did not take the stop: %s", error)

    def _halt(self, session: FlexivSession) -> None:
        try:
            session.call(session.robot.Stop)
        except ArmError as error:
            _LOG.error("the Rizon did not take the stop: %s", error)


def _speed(before: FlexivSnapshot, now: FlexivSnapshot) -> float:
    """Largest speed of a joint, rad/s; infinite when the robot has not measured since."""
    if now.time_s <= before.time_s:
        return float("inf")
    return float(np.abs(np.subtract(now.q_rad, before.q_rad)).max()) / (now.time_s - before.time_s)
