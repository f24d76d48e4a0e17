# SPDX-License-Identifier: Apache-2.0
"""The `rtde_control()` program that ur_rtde uploads, mirrored: commands in, motions and answers out.

The URScript itself is not interpreted. Registers, command numbers and their order are those of the script of
ur_rtde 1.6.5 (it calls itself 14.02.2024); its quirks are kept.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_sim.emulators.rotation_vector import pose_to_transform, transform_to_pose
from anygrasp_sim.emulators.ur_kinematics import JOINT_LIMIT_RAD
from anygrasp_sim.emulators.ur_robot import ProgramError, UrRobot

__all__ = ["ControlProgram"]

# Answers in output_int_register_0.
_READY, _DONE = 1, 2

# Commands that the script carries out every cycle until the client writes another.
_REALTIME = frozenset({6, 9, 10, 11, 24, 25, 26, 27, 38, 58, 66, 67, 68, 69, 70, 71})

_STOP_SCRIPT = 255


class ControlProgram:
    """Main loop and commands of the uploaded script, one `step` a controller period."""

    def __init__(self, robot: UrRobot, source: str) -> None:
        self.running = True
        self._robot = robot
        self._motion = robot.motion
        self._float_offset, self._int_offset = (
            int(re.findall(rf"{kind} register offset\s*\n\s*(\d+)", source)[0]) for kind in ("float", "int")
        )
        self._executing = False
        self._waiting = False  # the script's main thread is inside a move or stop
        self._thread_running = False  # an asynchronous move or stop
        self._stop_is_linear = False  # the script's stop_type: stopL means stopj until one was asynchronous
        self._speed_is_linear = False
        self._max_silence_s = math.inf
        self._progress_writes = 0
        self._operation_id = 0
        self._commands: dict[int, Callable[[], None]] = {
            1: lambda: self._move_joints(self._input(0)),
            2: lambda: self._move_joints(self._solve(self._input(0))),
            3: lambda: self._move_linear(pose_to_transform(self._input(0))),
            4: lambda: self._move_linear(self._forward(self._input(0))),
            9: lambda: self._hold_speed(linear=False),
            10: lambda: self._hold_speed(linear=True),
            11: lambda: self._motion.servoj(self._input(0), self._number(9)),
            15: lambda: self._stop(self._speed_is_linear, wait=True),
            16: lambda: self._stop(linear=True, wait=True),
            17: self._set_payload,
            24: lambda: self._motion.servoj(self._solve(self._input(0)), self._number(9)),
            26: lambda: self._output([robot.period_s]),
            27: lambda: self._output(robot.actual.q),
            29: self._set_tcp,
            30: lambda: self._output(self._solve(self._input(0), self._input(6))),
            31: lambda: robot.protective_stop("requested by the client"),
            33: self._stop_move,
            34: self._stop_move,
            35: self._set_watchdog,
            36: lambda: self._output_flag(self._is_allowed(self._motion.inverse(self._input(0)))),
            37: lambda: self._output_flag(self._is_allowed(self._input(0))),
            39: self._pose_trans,
            40: lambda: self._output(transform_to_pose(self._motion.T_flange_tcp)),
            43: lambda: self._output(robot.actual.tcp_pose),
            44: self._forward_with_tcp,
            46: lambda: self._output(self._solve(self._input(0))),
            47: lambda: self._output_flag(not self._motion.moving),
            58: lambda: self._output(transform_to_pose(robot.kinematics.forward(robot.actual.q))),
            60: lambda: self._output_flag(self._motion.inverse(self._input(0)) is not None),
            61: lambda: self._output_flag(self._motion.inverse(self._input(0), self._input(6)) is not None),
        }
        self._write_progress(-1)
        self._answer(_READY)

    def step(self) -> None:
        """Process the command register as the script does between two calls of its sync()."""
        silence_s = time.monotonic() - self._robot.input_at_s
        if silence_s > self._max_silence_s:
            raise ProgramError(
                f"rtde_set_watchdog: no input for {silence_s:.1f} s, limit {self._max_silence_s} s"
            )
        if self._thread_running and not self._motion.moving:
            self._thread_running = False
            self._write_progress(-1)
        if self._waiting:
            if not self._motion.moving:
                self._waiting = False
                self._answer(_DONE)
            return
        command = self._robot.input_ints[self._int_offset]
        if command == _STOP_SCRIPT:
            self.running = False
        elif command in _REALTIME:
            self._process(command)
            self._answer(_READY)
        elif command == 0:
            self._executing = False
            self._answer(_READY)
        elif not self._executing:
            self._executing = True
            self._process(command)
            if not self._waiting:
                self._answer(_DONE)

    def _process(self, command: int) -> None:
        if command not in self._commands:
            raise ProgramError(f"ur_rtde command {command} is not emulated")
        self._commands[command]()

    # Motions

    def _move_joints(self, q_goal: Float64Array) -> None:
        self._begin_move()
        self._motion.movej(q_goal, self._positive(6), self._positive(7))

    def _move_linear(self, T_base_goal: Float64Array) -> None:
        self._begin_move()
        self._motion.movel(T_base_goal, self._positive(6), self._positive(7))

    def _begin_move(self) -> None:
        self._end_thread()
        if self._asynchronous():
            self._begin_thread()
        else:
            self._waiting = True

    def _stop_move(self) -> None:
        self._end_thread()
        if self._asynchronous():
            self._stop_is_linear = True
            self._begin_thread()
        self._stop(self._stop_is_linear, wait=not self._asynchronous())

    def _stop(self, linear: bool, wait: bool) -> None:
        stop = self._motion.stopl if linear else self._motion.stopj
        stop(self._positive(0))
        self._waiting = wait

    def _hold_speed(self, linear: bool) -> None:
        self._speed_is_linear = linear
        hold = self._motion.speedl if linear else self._motion.speedj
        hold(self._input(0), self._positive(6))

    def _begin_thread(self) -> None:
        self._thread_running = True
        self._write_progress(0)

    def _end_thread(self) -> None:
        if self._thread_running:
            self._thread_running = False
            self._write_progress(-1)

    # Settings and kinematics

    def _set_payload(self) -> None:
        self._robot.payload_kg = self._number(0)

    def _set_tcp(self) -> None:
        self._motion.T_flange_tcp = pose_to_transform(self._input(0))

    def _set_watchdog(self) -> None:
        self._max_silence_s = 1.0 / self._positive(0)

    def _forward(self, q: Float64Array) -> Float64Array:
        return self._robot.kinematics.forward(q) @ self._motion.T_flange_tcp

    def _forward_with_tcp(self) -> None:
        T_flange_tcp = pose_to_transform(self._input(6))
        self._output(transform_to_pose(self._robot.kinematics.forward(self._input(0)) @ T_flange_tcp))

    def _pose_trans(self) -> None:
        self._output(transform_to_pose(pose_to_transform(self._input(0)) @ pose_to_transform(self._input(6))))

    def _solve(self, pose: Float64Array, q_near: Float64Array | None = None) -> Float64Array:
        q = self._motion.inverse(pose, q_near)
        if q is None:
            raise ProgramError(f"get_inverse_kin: no solution for p{np.round(pose, 4).tolist()}")
        return q

    @staticmethod
    def _is_allowed(q: Float64Array | None) -> bool:
        return q is not None and bool(np.all(np.abs(q) <= JOINT_LIMIT_RAD))

    # Registers

    def _input(self, first: int) -> Float64Array:
        first += self._float_offset
        values = np.array(self._robot.input_doubles[first : first + 6])
        if not np.isfinite(values).all():
            raise ProgramError(f"inputs {values.tolist()} are not finite")
        return values

    def _number(self, index: int) -> float:
        return self._robot.input_doubles[self._float_offset + index]

    def _positive(self, index: int) -> float:
        value = self._number(index)
        if not 0.0 < value < math.inf:
            raise ProgramError(f"speed or acceleration must be positive, got {value}")
        return value

    def _asynchronous(self) -> bool:
        return self._robot.input_ints[self._int_offset + 1] == 1

    def _output(self, values: Iterable[float]) -> None:
        for index, value in enumerate(values, start=self._float_offset):
            self._robot.output_doubles[index] = float(value)

    def _output_flag(self, value: bool) -> None:
        self._robot.output_ints[self._int_offset + 1] = int(value)

    def _answer(self, value: int) -> None:
        self._robot.output_ints[self._int_offset] = value

    def _write_progress(self, progress: int) -> None:
        """Write count in bits 16-22, operation id in 24-30, running flag in 15, progress below."""
        self._progress_writes = (self._progress_writes + 1) % 128
        if progress == 0:
            self._operation_id = (self._operation_id + 1) % 128
        value = self._progress_writes << 16 | self._operation_id << 24
        self._robot.output_ints[self._int_offset + 2] = value | (1 << 15 | progress if progress >= 0 else 0)
