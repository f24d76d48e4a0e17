# SPDX-License-Identifier: Apache-2.0
"""An arm without hardware, for dry runs and for tests of what is built on arms."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.se3 import check_transform, inverse
from robot_drivers.arms.arm import ArmError, ArmLost, ArmState, ArmStopped, UnreachablePose
from robot_drivers.arms.straight_line import StraightLine

__all__ = ["KinematicArm", "Kinematics"]

_STEP_S = 0.002


class Kinematics(Protocol):
    """Joint angles (6,) rad to the pose of the flange (4, 4) in `base`, and back."""

    def forward(self, q: ArrayLike) -> Float64Array:
        """T_base_flange."""
        ...

    def inverse(self, T_base_flange: Float64Array, q_near: ArrayLike) -> Float64Array | None:
        """The solution nearest to `q_near`, None where there is none."""
        ...


class KinematicArm:
    """An `Arm` that is exactly where its moves take it, in the time a real arm would take.

    Args:
        q_start_rad: (6,) joint angles on connecting for the first time.
        T_tool0_tcp: (4, 4) tool centre point in the flange frame.
        time_scale: seconds of the clock for a second of motion; 0 moves in no time.
    """

    def __init__(
        self,
        kinematics: Kinematics,
        q_start_rad: ArrayLike,
        T_tool0_tcp: Float64Array | None = None,
        time_scale: float = 1.0,
    ) -> None:
        self._kinematics = kinematics
        self._q = np.array(q_start_rad, dtype=float)
        self._T_tool0_tcp = np.eye(4) if T_tool0_tcp is None else check_transform(T_tool0_tcp, "T_tool0_tcp")
        self._time_scale = time_scale
        self._connected = False
        self._stop_requested = threading.Event()
        self._one_move = threading.Lock()

    def connect(self) -> None:
        """See Arm."""
        self._connected = True

    def close(self) -> None:
        """See Arm."""
        self._connected = False

    def state(self) -> ArmState:
        """See Arm."""
        return ArmState.RUNNING if self._connected else ArmState.DISCONNECTED

    def joint_positions(self) -> Float64Array:
        """See Arm."""
        self._check_connected()
        return self._q.copy()

    def tcp_pose(self) -> Float64Array:
        """See Arm."""
        return self.forward_kinematics(self.joint_positions())

    def forward_kinematics(self, q_rad: Float64Array) -> Float64Array:
        """See Arm."""
        self._check_connected()
        return self._kinematics.forward(q_rad) @ self._T_tool0_tcp

    def nominal_poses(self, q_rad: Float64Array) -> Float64Array:
        """See Arm."""
        return np.array([self._kinematics.forward(q) @ self._T_tool0_tcp for q in q_rad])

    def inverse_kinematics(self, T_base_tcp: Float64Array) -> Float64Array:
        """See Arm."""
        self._check_connected()
        T = check_transform(T_base_tcp, "T_base_tcp")
        q = self._kinematics.inverse(T @ inverse(self._T_tool0_tcp), self._q)
        if q is None:
            raise UnreachablePose(f"no joint angles for {np.round(T[:3, 3], 3)} m: choose another pose")
        return q

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
        line = StraightLine(self.tcp_pose(), T_goal)

        def joints_at(done: float) -> Float64Array:
            return self.inverse_kinematics(line.at(done))

        joints_at(1.0)
        self._follow(joints_at, line.length_m, speed_m_s, acceleration_m_s2)

    def move_joints(self, q_rad: Float64Array, *, speed_rad_s: float, acceleration_rad_s2: float) -> None:
        """See Arm."""
        q_start, q_goal = self.joint_positions(), np.array(q_rad, dtype=float)
        if q_goal.shape != (6,) or not np.isfinite(q_goal).all():
            raise ValueError(f"joint angles are {q_rad}; give six finite numbers in rad")
        way = q_goal - q_start
        self._follow(
            lambda done: q_start + done * way, float(np.abs(way).max()), speed_rad_s, acceleration_rad_s2
        )

    def servo(self, T_base_tcp: Float64Array, *, duration_s: float) -> None:
        """See Arm; this one is there at once."""
        if self._stop_requested.is_set():
            raise ArmStopped("stopped by request: call clear_stop() before the next move")
        self._q = self.inverse_kinematics(T_base_tcp)

    def end_servo(self) -> None:
        """See Arm."""
        self._check_connected()

    def recover(self) -> str:
        """See Arm; nothing ever holds this one."""
        self._check_connected()
        return "the arm is ready"

    def stop(self) -> None:
        """See Arm."""
        self._stop_requested.set()

    def clear_stop(self) -> None:
        """See Arm."""
        self._stop_requested.clear()

    def __enter__(self) -> KinematicArm:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _follow(
        self, joints_at: Callable[[float], Float64Array], length: float, speed: float, acceleration: float
    ) -> None:
        """Move along `joints_at(0 to 1)`; a stop, or `close`, leaves the arm where it is."""
        duration_s = (length / speed + speed / acceleration) * self._time_scale
        if not self._one_move.acquire(blocking=False):
            raise ArmError("the arm is moving already: wait for the other move or stop it")
        try:
            begin_s, done = time.monotonic(), 0.0
            while done < 1.0:
                if self._stop_requested.wait(_STEP_S if duration_s > 0 else 0.0):
                    raise ArmStopped("stopped by request: call clear_stop() before the next move")
                self._check_connected()
                done = min(1.0, (time.monotonic() - begin_s) / duration_s) if duration_s > 0 else 1.0
                self._q = joints_at(done)
        finally:
            self._one_move.release()

    def _check_connected(self) -> None:
        if not self._connected:
            raise ArmLost("not connected: call connect first")
