# SPDX-License-Identifier: Apache-2.0
"""Universal Robots UR5 and UR5e through ur_rtde."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.se3 import check_transform
from robot_drivers.arms.arm import ArmError, ArmState, ArmStopped, UnreachablePose
from robot_drivers.arms.straight_line import StraightLine
from robot_drivers.arms.ur_checks import six_joints
from robot_drivers.arms.ur_config import UrArmConfig
from robot_drivers.arms.ur_connection import UrConnection
from robot_drivers.arms.ur_kinematics import ur_flange_poses
from robot_drivers.arms.ur_link import UrLink
from robot_drivers.arms.ur_pose import transform_from_ur_pose, ur_pose_from_transform
from robot_drivers.arms.ur_recovery import recover_ur
from robot_drivers.arms.ur_rtde_session import UrRtdeSession
from robot_drivers.arms.ur_script_session import UrScriptSession
from robot_drivers.arms.ur_snapshot import UrSnapshot
from robot_drivers.clock import Clock, WallClock

__all__ = ["UrArm", "UrArmConfig"]

_LOG = logging.getLogger(__name__)

_POLL_S = 0.005
_STANDING_RAD = 1e-5

# The measured joints follow the commanded ones: they rest a little later, and near the target.
_REST_TIMEOUT_S = 0.3
_REST_RAD_S = 0.01
_ARRIVED_M, _ARRIVED_RAD = 0.02, 0.1

# States and the control program's end come over two connections.
_STATE_LAG_S = 0.5

_SESSIONS: dict[str, Callable[[UrArmConfig], UrLink]] = {"rtde": UrRtdeSession, "urscript": UrScriptSession}

_PROGRAM_ENDED = (
    "the control program on the UR ended during the move: it was stopped on the pendant, "
    "or ran into an error that the pendant shows"
)

_SLOWED = 0.95  # a controller that moves slower than it was asked to is worth a word


class UrArm:
    """An `Arm` behind the real-time data exchange of a UR controller, real or emulated.

    Moves run asynchronously on the controller while the calling thread watches them, so `stop` takes effect
    within a few controller periods. When the connection breaks during a move, a stop program goes out over
    another port; where that is gone too, the controller's watchdog halts the arm.

    Args:
        open_link: connects to the controller; by default over the transport that the config names.
        recover: what `recover` does.
        clock: what moves are watched by.
    """

    def __init__(
        self,
        config: UrArmConfig | None = None,
        open_link: Callable[[UrArmConfig], UrLink] | None = None,
        recover: Callable[[UrArmConfig], str] = recover_ur,
        clock: Clock | None = None,
    ) -> None:
        self.config = config or UrArmConfig()
        self._connection = UrConnection(self.config, open_link or _SESSIONS[self.config.transport])
        self._ask = self._connection.ask
        self._recover = recover
        self._clock = clock or WallClock()
        self._stop_requested = threading.Event()
        self._one_move = threading.Lock()
        self._servo_from: Float64Array | None = None  # last pose sent while servoing

    def connect(self) -> None:
        """See Arm; also sets TCP and payload. Raises ArmStopped while the robot's safety holds it."""
        if not self._connection.is_open:
            self._servo_from = None
            self._connection.open()

    def close(self) -> None:
        """See Arm."""
        self._connection.close()

    def state(self) -> ArmState:
        """See Arm."""
        try:
            return self._ask(_snapshot).state
        except ArmError:
            return ArmState.DISCONNECTED

    def joint_positions(self) -> Float64Array:
        """See Arm."""
        return np.array(self._ask(_snapshot).q_rad)

    def tcp_pose(self) -> Float64Array:
        """See Arm."""
        return transform_from_ur_pose(self._ask(_snapshot).tcp_pose)

    def forward_kinematics(self, q_rad: Float64Array) -> Float64Array:
        """See Arm; the controller works it out, with the calibration of its arm."""
        q = six_joints(q_rad)
        return transform_from_ur_pose(self._ask(lambda session: session.forward(q)))

    def nominal_poses(self, q_rad: Float64Array) -> Float64Array:
        """See Arm."""
        return ur_flange_poses(self.config.model, q_rad) @ self.config.T_tool0_tcp

    def inverse_kinematics(self, T_base_tcp: Float64Array) -> Float64Array:
        """See Arm; the controller works it out, with the calibration of its arm."""
        pose = ur_pose_from_transform(check_transform(T_base_tcp, "T_base_tcp"))
        return np.array(self._ask(lambda session: session.inverse(pose)))

    def is_reachable(self, T_base_tcp: Float64Array) -> bool:
        """See Arm; by the controller's inverse kinematics near the present joints."""
        try:
            self.inverse_kinematics(T_base_tcp)
        except UnreachablePose:
            return False
        return True

    def move_linear(self, T_base_tcp: Float64Array, *, speed_m_s: float, acceleration_m_s2: float) -> None:
        """See Arm."""
        T_base_goal = check_transform(T_base_tcp, "T_base_tcp")
        pose = ur_pose_from_transform(T_base_goal)
        with self._one_at_a_time():
            self._ask(lambda session: session.inverse(pose))  # raises where it cannot go
            self._run("moveL", pose, speed_m_s, acceleration_m_s2)
            off_m = float(np.linalg.norm(self._rest().tcp_pose[:3] - T_base_goal[:3, 3]))
            if off_m > _ARRIVED_M:
                raise ArmError(f"the move ended {off_m:.3f} m from its target: is something in the way?")

    def move_joints(self, q_rad: Float64Array, *, speed_rad_s: float, acceleration_rad_s2: float) -> None:
        """See Arm."""
        q_goal = six_joints(q_rad)
        limit_rad = self.config.joint_limit_rad
        if max(map(abs, q_goal)) > limit_rad:
            raise UnreachablePose(
                f"joint angles {np.round(q_goal, 3)} rad exceed {limit_rad:.2f} rad: turn back"
            )
        with self._one_at_a_time():
            self._run("moveJ", q_goal, speed_rad_s, acceleration_rad_s2)
            off_rad = float(np.abs(np.subtract(self._rest().q_rad, q_goal)).max())
            if off_rad > _ARRIVED_RAD:
                raise ArmError(f"the move ended {off_rad:.3f} rad from its target: is something in the way?")

    def servo(self, T_base_tcp: Float64Array, *, duration_s: float) -> None:
        """See Arm; a pose out of reach ends the control program and is an ArmStopped here."""
        T_goal = check_transform(T_base_tcp, "T_base_tcp")
        if self._one_move.locked():
            raise ArmError("the arm is moving already: wait for the move or stop it")
        if self._stop_requested.is_set():
            self.end_servo()
            raise ArmStopped("stopped by request: call clear_stop() before the next move")
        T_from = self._servo_from
        if T_from is None:
            self._ask(_prepare)
            T_from = self.tcp_pose()
        count = max(1, round(duration_s * self.config.frequency_hz))
        line = StraightLine(T_from, T_goal)
        poses = [ur_pose_from_transform(T) for T in line.poses(np.arange(1, count + 1) / count)]
        now = self._ask(lambda session: session.servo(poses))
        self._servo_from = T_goal
        if now.state is not ArmState.RUNNING or not now.program_running:
            self._servo_from = None
            self._end_program()
            raise ArmStopped(self._why_program_ended())

    def end_servo(self) -> None:
        """See Arm."""
        if self._servo_from is not None:
            self._servo_from = None
            self._ask(lambda session: session.end_servo())

    def stop(self) -> None:
        """See Arm."""
        self._stop_requested.set()
        if self._servo_from is not None:  # nobody may call again
            threading.Thread(target=self._halt_servo, name="halt servo", daemon=True).start()

    def clear_stop(self) -> None:
        """See Arm."""
        if self._connection.is_open:
            self._ask(_prepare)
        self._stop_requested.clear()

    def recover(self) -> str:
        """See Arm: unlocks a protective stop, after 5 s at the earliest, or powers the arm on."""
        return self._recover(self.config)

    def details(self) -> dict[str, str]:
        """The controller's modes and speed in words, for diagnostics; empty while not connected."""
        try:
            return self._ask(_snapshot).details()
        except ArmError:
            return {}

    def __enter__(self) -> UrArm:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _halt_servo(self) -> None:
        try:
            self.end_servo()
        except ArmError as error:
            _LOG.error("the UR did not take the stop: %s", error)

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        if not self._one_move.acquire(blocking=False):
            raise ArmError("the arm is moving already: wait for the other move or stop it")
        try:
            self.end_servo()
            yield
        finally:
            self._one_move.release()

    def _run(self, method: str, target: Sequence[float], speed: float, acceleration: float) -> None:
        """Begin a move and watch it until it has ended."""
        if self._stop_requested.is_set():
            raise ArmStopped("a stop was requested: call clear_stop() before the next move")
        before = self._ask(_prepare)
        if not self._ask(lambda session: session.begin(method, target, speed, acceleration)):
            self._ask(_prepare)  # says why
            raise ArmError(f"the UR did not begin {method}: try again")
        if before.speed_scaling < _SLOWED:
            _LOG.warning(
                "the UR moves at %.0f %% of its speed: turn up the speed slider on the pendant, or its "
                "safety reduces it",
                100.0 * before.speed_scaling,
            )
        stood_s, q_rad = self._clock.now_s(), before.q_rad
        while not self._clock.wait(self._stop_requested, _POLL_S):
            now = self._ask(_snapshot)
            if now.state is not ArmState.RUNNING:
                self._end_program()
                raise ArmStopped(now.explain())
            if not now.program_running:
                raise ArmStopped(self._why_program_ended())
            if now.operation_id != before.operation_id and not now.operation_running:
                return
            if np.abs(np.subtract(now.q_rad, q_rad)).max() > _STANDING_RAD:
                stood_s, q_rad = self._clock.now_s(), now.q_rad
            elif self._clock.now_s() - stood_s > self.config.stall_timeout_s:
                self._end_program()
                raise ArmStopped(
                    f"the move stood still for {self.config.stall_timeout_s:.1f} s: is the program paused, "
                    "or the speed slider at 0?"
                )
        self._ask(lambda session: session.brake())
        raise ArmStopped("stopped by request: call clear_stop() before the next move")

    def _why_program_ended(self) -> str:
        """What stopped it: the end of the program may be seen a moment before the state that ended it."""
        deadline_s = self._clock.now_s() + _STATE_LAG_S
        while (now := self._ask(_snapshot)).state is ArmState.RUNNING:
            if self._clock.now_s() > deadline_s:
                return _PROGRAM_ENDED
            self._clock.wait(self._stop_requested, _POLL_S)
        return now.explain()

    def _end_program(self) -> None:
        """Nothing may go on by itself when a stop is released; the stop is what the caller hears of."""
        try:
            self._ask(lambda session: session.end_program())
        except ArmError as error:
            _LOG.error("could not end the control program: %s", error)

    def _rest(self) -> UrSnapshot:
        """State once the measured joints rest, at the latest after a moment."""
        deadline_s = self._clock.now_s() + _REST_TIMEOUT_S
        while True:
            snapshot = self._ask(_snapshot)
            if np.abs(snapshot.qd_rad_s).max() < _REST_RAD_S or self._clock.now_s() > deadline_s:
                return snapshot
            self._clock.wait(self._stop_requested, _POLL_S)


def _snapshot(session: UrLink) -> UrSnapshot:
    return session.snapshot()


def _prepare(session: UrLink) -> UrSnapshot:
    now = session.prepare()
    session.check_control()
    return now
