# SPDX-License-Identifier: Apache-2.0
"""Moves by URScript over port 30002, as the paper's robot was moved: a program for each move."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence

import numpy as np

from robot_drivers.arms.arm import ArmError, ArmLost, UnreachablePose
from robot_drivers.arms.ur_checks import check_joints, check_running
from robot_drivers.arms.ur_script import compute_program, halt_program, move_program
from robot_drivers.arms.ur_session import (
    REMOTE_CONTROL_ADVICE,
    SECONDARY_PORT,
    UrSession,
    open_receive,
)
from robot_drivers.arms.ur_snapshot import UrSnapshot, braking_rad_s2

__all__ = ["UrScriptSession"]

_CALLS = {"moveL": "movel", "moveJ": "movej"}

_POLL_S = 0.005
_START_TIMEOUT_S = 2.0
_REST_TIMEOUT_S = 2.0
_REST_RAD_S = 0.01


class UrScriptSession(UrSession):
    """See UrSession; state still comes over RTDE, which nobody can switch off by mistake.

    When this process dies during a move, the move goes on to its end: there is no watchdog in a script.
    """

    def prepare(self) -> UrSnapshot:
        """See UrLink; there is no program to start before a move."""
        snapshot = self.snapshot()
        check_running(snapshot)
        return snapshot

    def forward(self, q_rad: Sequence[float]) -> Sequence[float]:
        """See UrLink."""
        joints, tcp = ([*map(float, values)] for values in (q_rad, self._tcp))
        results = self._compute(f"get_forward_kin({joints}, p{tcp})")
        if results is None:
            raise ArmError(f"the UR did not compute the pose at joints {joints} rad: see its log")
        return results

    def inverse(self, pose: Sequence[float]) -> list[float]:
        """See UrLink; a program that ends with an error has found no solution."""
        q_now = [float(angle) for angle in self.prepare().q_rad]
        where = f"position {np.round(pose[:3], 3)} m"
        results = self._compute(f"get_inverse_kin(p{[*map(float, pose)]}, {q_now})")
        if results is None:
            raise UnreachablePose(f"{where} is out of the arm's reach: choose another pose")
        return check_joints(results, q_now, where, self._config)

    def begin(self, method: str, target: Sequence[float], speed: float, acceleration: float) -> bool:
        """See UrLink."""
        number = _next_number(self.snapshot())
        arguments = (self._config, self._tcp, _CALLS[method], target, speed, acceleration)
        self._send(move_program(number, *arguments))
        self._wait_begun(number)
        return True

    def servo(self, poses: list[list[float]]) -> UrSnapshot:
        """Refused: a program for each step would be too slow."""
        raise ArmError('servoing needs the transport "rtde"; this arm is set up for "urscript"')

    def end_servo(self) -> None:
        """See UrLink."""

    def brake(self) -> None:
        """See UrLink."""
        now = self.snapshot()
        self._send(halt_program(_next_number(now), braking_rad_s2(now.qd_rad_s)))
        self._wait(lambda now: max(map(abs, now.qd_rad_s)) < _REST_RAD_S, _REST_TIMEOUT_S)

    def close(self) -> None:
        """See UrLink."""
        try:
            if self.snapshot().operation_running:
                self.brake()
        except ArmError:
            pass  # gone, or held by its safety: at rest either way
        super().close()

    def _open_receive(self) -> None:
        open_receive(self._client, self._config.robot_ip, registers=True)

    def _open(self) -> None:
        """Find out now whether programs run here."""
        self.forward([0.0] * 6)

    def _compute(self, expression: str) -> tuple[float, ...] | None:
        """Six numbers; None when the program ended with an error."""
        number = _next_number(self.prepare())
        self._send(compute_program(number, self._config, self._tcp, expression))
        self._wait_begun(number)
        done = self._wait(lambda now: not (now.operation_running and now.program_running), _START_TIMEOUT_S)
        return None if done.operation_running else done.results

    def _send(self, program: str) -> None:
        address = (self._config.robot_ip, SECONDARY_PORT)
        try:
            with socket.create_connection(address, timeout=self._config.request_timeout_s) as connection:
                connection.sendall(program.encode("ascii"))
        except OSError as error:
            raise ArmLost(
                f"the UR at {address[0]} refuses programs on port {address[1]} ({error}): "
                f"{REMOTE_CONTROL_ADVICE}; allow the port under Settings, Security"
            ) from error

    def _wait_begun(self, number: int) -> None:
        if self._wait(lambda now: now.operation_id == number, _START_TIMEOUT_S).operation_id != number:
            check_running(self.snapshot())
            self._check_remote_control()
            raise ArmError(
                f"the UR did not start a program within {_START_TIMEOUT_S:.0f} s: look at its log on the "
                f"pendant, and {REMOTE_CONTROL_ADVICE}"
            )

    def _wait(self, condition: Callable[[UrSnapshot], bool], limit_s: float) -> UrSnapshot:
        """The first state for which the condition holds, or the last within the limit."""
        deadline_s = time.monotonic() + limit_s
        while not condition(now := self.snapshot()) and time.monotonic() < deadline_s:
            time.sleep(_POLL_S)
        return now


def _next_number(now: UrSnapshot) -> int:
    """Number of the next program; the last one's when it ended early is not taken again."""
    return now.operation_id % 1_000_000 + 1
