# SPDX-License-Identifier: Apache-2.0
"""An emulated UR robot without its network: joints, motion, safety, registers, the running program."""

from __future__ import annotations

import logging
import threading
import time
from functools import cached_property
from typing import Protocol

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_sim.emulators.arm_motion import ArmMotion
from anygrasp_sim.emulators.robot_backend import RobotBackend
from anygrasp_sim.emulators.robotiq_gripper import RobotiqGripper
from anygrasp_sim.emulators.rotation_vector import transform_to_pose
from anygrasp_sim.emulators.trajectory import MotionFault
from anygrasp_sim.emulators.ur_kinematics import UrKinematics
from anygrasp_sim.emulators.ur_safety import RobotMode, SafetyMode, UrSafety

__all__ = ["Measurement", "Program", "ProgramError", "UrRobot"]

_LOG = logging.getLogger(__name__)

_REGISTER_COUNT = 48

# Joint decelerations, rad/s^2: of a program that is ended, and of a stop for safety.
_PROGRAM_STOP = 8.0
_SAFETY_STOP = 30.0

# A joint further than this from its command was blocked; a real controller stops for less.
_MAX_TRACKING_ERROR_RAD = 0.35


class ProgramError(Exception):
    """The program did what the controller cannot do: it ends with a runtime error."""


class Program(Protocol):
    """A program on the controller; it has ended when `running` is false."""

    running: bool

    def step(self) -> None:
        """Advance by one controller period.

        Raises:
            ProgramError: the program cannot go on.
        """
        ...


class Measurement:
    """Joints of one tick; the tool's pose and speed are worked out when a client asks for them."""

    def __init__(
        self, kinematics: UrKinematics, T_flange_tcp: Float64Array, q: Float64Array, qd: Float64Array
    ) -> None:
        self._kinematics = kinematics
        self._T_flange_tcp = T_flange_tcp
        self.q = q  # (6,) rad
        self.qd = qd  # (6,) rad/s

    @cached_property
    def tcp_pose(self) -> Float64Array:
        """UR pose (6,) of the TCP in `base`."""
        return transform_to_pose(self._kinematics.forward(self.q) @ self._T_flange_tcp)

    @cached_property
    def tcp_speed(self) -> Float64Array:
        """Twist (6,) of the TCP in `base`, m/s and rad/s."""
        return self._kinematics.jacobian(self.q, self._T_flange_tcp) @ self.qd


class UrRobot:
    """Everything the servers read and write; they hold `lock` meanwhile, and so does `tick`."""

    def __init__(self, model: str, backend: RobotBackend) -> None:
        self.model = model
        self.period_s = 0.008  # of the latest tick
        self.lock = threading.RLock()
        self.kinematics = UrKinematics(model)
        self.motion = ArmMotion(self.kinematics, backend.joint_positions())
        self.safety = UrSafety()
        self.gripper = RobotiqGripper(backend)
        self.program: Program | None = None
        self.time_s = 0.0
        self.speed_slider = 1.0
        self.payload_kg = 0.0
        self.remote_control = True  # the switch on an e-Series pendant; a CB3 has none
        self.input_ints = [0] * _REGISTER_COUNT
        self.input_doubles = [0.0] * _REGISTER_COUNT
        self.output_ints = [0] * _REGISTER_COUNT
        self.output_doubles = [0.0] * _REGISTER_COUNT
        # Wall-clock time of the latest input: silence is measured on the network, however fast we simulate.
        self.input_at_s = time.monotonic()
        self._backend = backend
        self.actual = self._measure()
        self.target = self.actual

    @property
    def program_running(self) -> bool:
        """Whether a program is on the controller, paused or not."""
        return self.program is not None

    def tick(self, dt_s: float) -> None:
        """Advance by one controller period: measure, run the program, move joints and fingers."""
        with self.lock:
            self.period_s = dt_s
            self.time_s += dt_s
            self.actual = self._measure()
            lag = float(np.abs(self.actual.q - self.motion.q).max())
            if lag > _MAX_TRACKING_ERROR_RAD and self.safety.can_move:
                self.protective_stop(f"a joint is {lag:.2f} rad from its command: the arm is blocked")
            self._run_program()
            self._move()
            self.gripper.tick()

    def start_program(self, program: Program) -> bool:
        """Replace the running program; False, and nothing changes, while the arm may not move."""
        if not (self.safety.can_move and self.remote_control):
            mode = "remote" if self.remote_control else "local"
            _LOG.warning("program not started: %s control, robot %s, safety %s", mode, *self._modes())
            return False
        self.stop_program()
        self.program = program
        return True

    def stop_program(self) -> None:
        """End the running program and bring the arm to rest."""
        self.program = None
        if self.motion.moving:
            self.motion.stopj(_PROGRAM_STOP)

    def protective_stop(self, reason: str) -> None:
        """Halt at once, end the program, and stay locked."""
        _LOG.warning("protective stop: %s", reason)
        self.safety.protective_stop(reason, self.time_s)
        self._halt()

    def emergency_stop(self) -> None:
        """Press the emergency stop: halt, end the program, cut the power."""
        self.safety.emergency_stop()
        self._halt()

    def _halt(self) -> None:
        self.program = None
        self.motion.stopj(_SAFETY_STOP)

    def _run_program(self) -> None:
        if self.program is None or self.safety.mode is SafetyMode.SAFEGUARD_STOP:
            return
        try:
            self.program.step()
        except ProgramError as error:
            _LOG.warning("program ended with a runtime error: %s", error)
            self.stop_program()
            return
        if not self.program.running:
            self.stop_program()

    def _move(self) -> None:
        # Stops decelerate on their own; only the safeguard pauses, and only what a program has begun.
        paused = self.safety.mode is SafetyMode.SAFEGUARD_STOP and self.program is not None
        slider = self.speed_slider if self.safety.can_move else 1.0
        try:
            self.motion.step(self.period_s, 0.0 if paused else slider)
        except MotionFault as fault:
            self.protective_stop(str(fault))
            self.motion.step(self.period_s, 1.0)
        self._backend.command_joints(self.motion.q)
        self.target = Measurement(self.kinematics, self.motion.T_flange_tcp, self.motion.q, self.motion.qd)

    def _measure(self) -> Measurement:
        return Measurement(
            self.kinematics,
            self.motion.T_flange_tcp,
            self._backend.joint_positions(),
            self._backend.joint_velocities(),
        )

    def _modes(self) -> tuple[str, str]:
        return RobotMode(self.safety.robot_mode).name, SafetyMode(self.safety.mode).name
