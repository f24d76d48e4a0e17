# SPDX-License-Identifier: Apache-2.0
"""Universal Robots UR5 and UR5e through ur_rtde."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.se3 import check_transform
from robot_drivers.arms.arm import ArmError, ArmLost, ArmState, ArmStopped, UnreachablePose
from robot_drivers.arms.ur_config import UrArmConfig
from robot_drivers.arms.ur_pose import transform_from_ur_pose, ur_pose_from_transform
from robot_drivers.arms.ur_session import UrLink, UrSession
from robot_drivers.arms.ur_snapshot import UrSnapshot
from robot_drivers.clock import Clock, WallClock

__all__ = ["UrArm", "UrArmConfig"]

_LOG = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")

_POLL_S = 0.005

# The measured joints follow the commanded ones: they rest a little later, and near the target.
_REST_TIMEOUT_S = 0.3
_REST_RAD_S = 0.01
_ARRIVED_M, _ARRIVED_RAD = 0.02, 0.1

_STANDING_RAD = 1e-5


class UrArm:
    """An `Arm` behind the real-time data exchange of a UR controller, real or emulated.

    Moves run asynchronously on the controller while the calling thread watches them, so `stop` takes effect
    within a few controller periods. When the connection breaks during a move, a stop program goes out over
    another port; where that is gone too, the controller's watchdog halts the arm.

    Args:
        open_link: connects to the controller; over the network by default.
        clock: what moves are watched by.
    """

    def __init__(
        self,
        config: UrArmConfig | None = None,
        open_link: Callable[[UrArmConfig], UrLink] = UrSession,
        clock: Clock | None = None,
    ) -> None:
        self.config = config or UrArmConfig()
        self._open_link = open_link
        self._clock = clock or WallClock()
        self._session: UrLink | None = None
        self._stop_requested = threading.Event()
        self._one_move = threading.Lock()

    def connect(self) -> None:
        """See Arm; also sets TCP and payload. Raises ArmStopped while the robot's safety holds it."""
        if self._session is None:
            self._session = self._open_link(self.config)

    def close(self) -> None:
        """See Arm."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def state(self) -> ArmState:
        """See Arm."""
        try:
            return self._ask(lambda session: session.snapshot()).state
        except ArmError:
            return ArmState.DISCONNECTED

    def joint_positions(self) -> Float64Array:
        """See Arm."""
        return np.array(self._ask(lambda session: session.snapshot()).q_rad)

    def tcp_pose(self) -> Float64Array:
        """See Arm."""
        return transform_from_ur_pose(self._ask(lambda session: session.snapshot()).tcp_pose)

    def forward_kinematics(self, q_rad: Float64Array) -> Float64Array:
        """See Arm; the controller works it out, with the calibration of its arm."""

        def forward(session: UrLink) -> Sequence[float]:
            session.prepare()
            return session.forward(_six_joints(q_rad))

        return transform_from_ur_pose(self._ask(forward))

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
        q_goal = _six_joints(q_rad)
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

    def stop(self) -> None:
        """See Arm."""
        self._stop_requested.set()

    def clear_stop(self) -> None:
        """See Arm."""
        if self._session is not None:
            self._ask(lambda session: session.prepare())
        self._stop_requested.clear()

    def unlock_protective_stop(self) -> None:
        """Unlock after a protective stop, once a person has seen the cause and removed it.

        Raises:
            ArmStopped: the robot is not unlocked, e.g. within the first five seconds.
        """
        self._ask(lambda session: session.unlock())

    def __enter__(self) -> UrArm:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, request: Callable[[UrLink], _Answer]) -> _Answer:
        session = self._session
        if session is None:
            raise ArmLost(f"not connected to the UR at {self.config.robot_ip}: call connect first")
        try:
            return request(session)
        except ArmLost as lost:
            _LOG.error("%s", lost)
            if self._session is session:  # else another thread has noticed, and maybe connected again
                self._session = None
            session.abandon()
            raise

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        if not self._one_move.acquire(blocking=False):
            raise ArmError("the arm is moving already: wait for the other move or stop it")
        try:
            yield
        finally:
            self._one_move.release()

    def _run(self, method: str, target: Sequence[float], speed: float, acceleration: float) -> None:
        """Begin a move and watch it until it has ended."""
        if self._stop_requested.is_set():
            raise ArmStopped("a stop was requested: call clear_stop() before the next move")
        before = self._ask(lambda session: session.prepare())
        if not self._ask(lambda session: session.begin(method, target, speed, acceleration)):
            self._ask(lambda session: session.prepare())  # says why
            raise ArmError(f"the UR did not begin {method}: try again")
        stood_s, q_rad = self._clock.now_s(), before.q_rad
        while not self._clock.wait(self._stop_requested, _POLL_S):
            now = self._ask(lambda session: session.snapshot())
            if now.state is not ArmState.RUNNING:
                self._end_program()
                raise ArmStopped(now.explain())
            if not now.program_running:
                raise ArmStopped(
                    "the control program on the UR ended during the move: it was stopped on the pendant, "
                    "or ran into an error that the pendant shows"
                )
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
            snapshot = self._ask(lambda session: session.snapshot())
            if np.abs(snapshot.qd_rad_s).max() < _REST_RAD_S or self._clock.now_s() > deadline_s:
                return snapshot
            self._clock.wait(self._stop_requested, _POLL_S)


def _six_joints(q_rad: Float64Array) -> list[float]:
    """Joint angles as plain numbers; ValueError unless they are six finite ones."""
    q = np.asarray(q_rad, dtype=float)
    if q.shape != (6,) or not np.isfinite(q).all():
        raise ValueError(f"joint angles are {q_rad}; give six finite numbers in rad")
    return [float(angle) for angle in q]
