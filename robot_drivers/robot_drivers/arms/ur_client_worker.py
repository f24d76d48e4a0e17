# SPDX-License-Identifier: Apache-2.0
"""Process that holds the ur_rtde interfaces; `ur_client` says why they have one of their own."""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import dashboard_client
import rtde_control
import rtde_receive

from robot_drivers.arms.ur_script import BEGUN_REGISTER, ENDED_REGISTER, RESULT_REGISTERS
from robot_drivers.arms.ur_snapshot import UrSnapshot, braking_rad_s2

__all__ = ["UrClientWorker", "main"]

_VARIABLES = [
    *("timestamp", "actual_q", "actual_qd", "actual_TCP_pose", "robot_mode", "safety_mode"),
    *("speed_scaling", "runtime_state"),
]
_REGISTERS = [
    *(f"output_int_register_{number}" for number in (BEGUN_REGISTER, ENDED_REGISTER)),
    *(f"output_double_register_{number}" for number in RESULT_REGISTERS),
]

# Values of runtime_state: the program on the controller is neither stopped nor stopping.
_PLAYING = (2, 3, 4, 5)

_SERVO_DECELERATION_M_S2 = 10.0

# How often the controller's watchdog hears that its client lives.
_KICK_PERIOD_S = 0.1

_HALT_TIMEOUT_S = 2


class UrClientWorker:
    """Executes the requests of the parent process one after the other.

    A request is a name and arguments, the answer (True, result) or (False, error text). A call of ur_rtde
    that takes longer than `timeout_s` ends the process by SIGALRM: the parent has given up, or is gone.
    """

    def __init__(self, pipe: Connection, robot_ip: str, frequency_hz: float, timeout_s: float) -> None:
        self._pipe = pipe
        self._robot_ip = robot_ip
        self._frequency_hz = frequency_hz
        self._patience_s = math.ceil(timeout_s) + 1
        self._receive: Any = None
        self._control: Any = None
        self._registers = False
        self._servo_poses: deque[list[float]] = deque()  # ahead of the arm; empty while not servoing
        self._servo_settings = (0.1, 300.0)
        self._servo_due_s = 0.0
        self._watchdog_hz = 0.0
        self._timestamp = -1.0
        self._heard_s = time.monotonic()
        self._kicked_s = time.monotonic()
        self._requests: dict[str, Callable[..., Any]] = {
            "open_receive": self._open_receive,
            "open_control": self._open_control,
            "snapshot": self._snapshot,
            "control": lambda method, *arguments: getattr(self._control, method)(*arguments),
            "servo": self._servo,
            "end_servo": self._end_servo,
            "brake": self._brake,
            "upload": self._upload,
            "dashboard": self._dashboard,
            "close": self._halt,
        }

    def run(self) -> None:
        """Serve until the parent asks to close or is gone."""
        request = ""
        try:
            while request != "close":
                signal.alarm(self._patience_s)
                if self._pipe.poll(self._patience()):
                    request, arguments = self._pipe.recv()
                    self._pipe.send(self._answer(request, arguments))
                self._step_servo()
                self._listen()
                self._kick()
        except (EOFError, OSError):
            self._halt()

    def _answer(self, request: str, arguments: tuple[Any, ...]) -> tuple[bool, Any]:
        try:
            return True, self._requests[request](*arguments)
        except Exception as error:  # ur_rtde raises what boost raises; all of it is the parent's to explain
            return False, f"{type(error).__name__}: {error}"

    def _open_receive(self, registers: bool) -> None:
        variables = [*_VARIABLES, *(_REGISTERS if registers else [])]
        self._receive = rtde_receive.RTDEReceiveInterface(self._robot_ip, self._frequency_hz, variables)
        self._registers = registers
        self._heard_s = time.monotonic()

    def _open_control(self, watchdog_hz: float) -> None:
        self._control = rtde_control.RTDEControlInterface(self._robot_ip, self._frequency_hz)
        self._watchdog_hz = watchdog_hz
        self._arm_watchdog()

    def _servo(self, poses: list[list[float]], lookahead_s: float, gain: float) -> UrSnapshot:
        """Queue poses; those that are late by more than the new ones take are left out."""
        self._servo_settings = (lookahead_s, gain)
        self._servo_poses.extend(poses)
        while len(self._servo_poses) > 2 * len(poses):
            self._servo_poses.popleft()
        self._step_servo()
        return self._snapshot()

    def _step_servo(self) -> None:
        """Send the next pose when a controller period has passed, the last again and again."""
        now_s, period_s = time.monotonic(), 1.0 / self._frequency_hz
        if not self._servo_poses or now_s < self._servo_due_s:
            return
        self._servo_due_s = max(self._servo_due_s + period_s, now_s)
        pose = self._servo_poses.popleft() if len(self._servo_poses) > 1 else self._servo_poses[0]
        if not self._control.servoL(pose, 0.0, 0.0, period_s, *self._servo_settings):
            self._servo_poses.clear()  # the program has ended; the parent sees it in the next snapshot

    def _end_servo(self) -> None:
        if self._servo_poses:
            self._servo_poses.clear()
            self._control.servoStop(_SERVO_DECELERATION_M_S2)

    def _patience(self) -> float:
        """How long the next request may be waited for."""
        if not self._servo_poses:
            return _KICK_PERIOD_S
        return max(0.0, min(_KICK_PERIOD_S, self._servo_due_s - time.monotonic()))

    def _brake(self) -> None:
        """Bring the joints to rest; returns when they are."""
        self._servo_poses.clear()
        self._control.stopJ(braking_rad_s2(self._receive.getActualQd()))

    def _upload(self) -> bool:
        """Start the control program anew; the old one ended with a stop."""
        uploaded = bool(self._control.reuploadScript())
        deadline_s = time.monotonic() + 2.0
        while uploaded and not self._control.isProgramRunning():
            if time.monotonic() > deadline_s:
                return False
            time.sleep(0.01)
        self._arm_watchdog()
        return uploaded

    def _arm_watchdog(self) -> None:
        if self._watchdog_hz > 0:
            self._control.setWatchdog(self._watchdog_hz)

    def _snapshot(self) -> UrSnapshot:
        self._listen()
        receive, control = self._receive, self._control
        operation = control.getAsyncOperationProgressEx() if control is not None else None
        snapshot = UrSnapshot(
            q_rad=receive.getActualQ(),
            qd_rad_s=receive.getActualQd(),
            tcp_pose=receive.getActualTCPPose(),
            robot_mode=receive.getRobotMode(),
            safety_mode=receive.getSafetyMode(),
            age_s=time.monotonic() - self._heard_s,
            connected=receive.isConnected() and (control is None or control.isConnected()),
            program_running=control is not None and control.isProgramRunning(),
            operation_id=operation.operationId() if operation is not None else 0,
            operation_running=operation is not None and operation.isAsyncOperationRunning(),
            speed_scaling=receive.getSpeedScaling(),
        )
        return self._with_registers(snapshot) if self._registers else snapshot

    def _with_registers(self, snapshot: UrSnapshot) -> UrSnapshot:
        """What our scripts have written, see `ur_script`.

        A new state may come between two reads. The program's state is read first: one that is seen to have
        ended has by then written that it did its work, unless it was stopped.
        """
        receive = self._receive
        playing = receive.getRuntimeState() in _PLAYING
        begun, ended = map(receive.getOutputIntRegister, (BEGUN_REGISTER, ENDED_REGISTER))
        return snapshot._replace(
            operation_id=begun,
            operation_running=begun != ended,
            # A program that has done its work has not been stopped.
            program_running=begun == ended or playing,
            results=tuple(map(receive.getOutputDoubleRegister, RESULT_REGISTERS)),
        )

    def _dashboard(self, method: str) -> Any:
        client = dashboard_client.DashboardClient(self._robot_ip)
        client.connect()
        try:
            return getattr(client, method)()
        finally:
            client.disconnect()

    def _listen(self) -> None:
        """Note when the controller last sent anything new."""
        if self._receive is not None and (timestamp := self._receive.getTimestamp()) != self._timestamp:
            self._timestamp = timestamp
            self._heard_s = time.monotonic()

    def _kick(self) -> None:
        if self._watchdog_hz > 0 and time.monotonic() - self._kicked_s >= _KICK_PERIOD_S:
            self._kicked_s = time.monotonic()
            if self._control.isProgramRunning():
                self._control.kickWatchdog()

    def _halt(self) -> None:
        """Bring the arm to rest and end the control program, if there still is a controller to do it."""
        signal.alarm(_HALT_TIMEOUT_S)
        if self._control is None or time.monotonic() - self._heard_s > _KICK_PERIOD_S * 5:
            return
        if self._control.isProgramRunning():
            self._brake()
            self._control.stopScript()


def main(pipe_fd: int, robot_ip: str, frequency_hz: float, timeout_s: float) -> None:
    """Serve the parent at the other end of `pipe_fd`."""
    UrClientWorker(Connection(pipe_fd), robot_ip, frequency_hz, timeout_s).run()
    # The destructors of ur_rtde sleep a second each, or for ever where the controller is silent.
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))
