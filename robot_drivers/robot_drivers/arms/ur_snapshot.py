# SPDX-License-Identifier: Apache-2.0
"""State of a UR controller at one moment, and what it means."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from robot_drivers.arms.arm import ArmState

__all__ = ["UrSnapshot", "braking_rad_s2"]

# RTDE guide: robot_mode and the safety_mode values that stop the arm.
_ROBOT_MODES = {
    -1: "no controller",
    0: "disconnected",
    1: "confirm safety",
    2: "booting",
    3: "power off",
    4: "power on",
    5: "idle, brakes on",
    6: "backdrive",
    7: "running",
    8: "updating firmware",
}
_SAFETY_MODES = {
    1: "normal",
    2: "reduced",
    3: "protective stop",
    4: "recovery",
    5: "safeguard stop",
    6: "system emergency stop",
    7: "robot emergency stop",
    8: "violation",
    9: "fault",
    10: "validate joint id",
    11: "undefined",
}
_RESTARTS = (8, 9)
_RUNNING = 7

# No joint, speed or pose of a UR comes near.
_ABSURD = 1000.0
_NORMAL, _REDUCED = 1, 2
_STOPS = {
    3: ArmState.PROTECTIVE_STOP,
    5: ArmState.SAFEGUARD_STOP,
    6: ArmState.EMERGENCY_STOP,  # through the system's input
    7: ArmState.EMERGENCY_STOP,  # the robot's own button
}
_ADVICE = {
    ArmState.PROTECTIVE_STOP: (
        "the UR made a protective stop, after a collision, near a singularity or out of reach: "
        "remove the cause, then unlock it on the pendant"
    ),
    ArmState.SAFEGUARD_STOP: "a safeguard stops the UR: leave its area or close its door",
    ArmState.EMERGENCY_STOP: (
        "the UR's emergency stop is pressed: release the button, then power the arm on and release its brakes"
    ),
}

# A stop takes this long from whatever joint speed, within what a UR takes without a protective stop.
_STOP_S = 0.04
_MIN_STOP_RAD_S2, _MAX_STOP_RAD_S2 = 5.0, 40.0


class UrSnapshot(NamedTuple):
    """Measured by the controller; plain numbers, since it travels between processes."""

    q_rad: list[float]  # 6 joint angles
    qd_rad_s: list[float]  # 6 joint speeds
    tcp_pose: list[float]  # x, y, z in metres, then the rotation vector in rad
    robot_mode: int
    safety_mode: int
    age_s: float  # since the controller sent anything new
    connected: bool
    program_running: bool  # the control program that executes the moves
    operation_id: int  # counts the moves the program has begun
    operation_running: bool  # the latest of them is under way
    speed_scaling: float = 1.0  # share of the programmed speed at which it moves, 0 to 1
    results: tuple[float, ...] = ()  # what a script of ours has computed, six numbers

    @property
    def state(self) -> ArmState:
        """What the modes mean."""
        if self.safety_mode in _STOPS:
            return _STOPS[self.safety_mode]
        ready = self.robot_mode == _RUNNING and self.safety_mode in (_NORMAL, _REDUCED)
        return ArmState.RUNNING if ready else ArmState.NOT_READY

    @property
    def mode_name(self) -> str:
        """The robot mode in words."""
        return _ROBOT_MODES.get(self.robot_mode, f"robot mode {self.robot_mode}")

    @property
    def safety_name(self) -> str:
        """The safety mode in words."""
        return _SAFETY_MODES.get(self.safety_mode, f"safety mode {self.safety_mode}")

    def details(self) -> dict[str, str]:
        """Modes and speed in words, for diagnostics."""
        return {
            "robot_mode": self.mode_name,
            "safety_mode": self.safety_name,
            "speed_scaling": f"{self.speed_scaling:.2f}",
            "control_program": "running" if self.program_running else "ended",
        }

    def explain(self) -> str:
        """Why the arm does not move, and what to do about it."""
        if self.state in _ADVICE:
            return _ADVICE[self.state]
        modes = f"robot mode: {self.mode_name}, safety mode: {self.safety_name}"
        if self.safety_mode in _RESTARTS:
            return f"the UR's safety system has failed ({modes}): restart the safety on the pendant"
        return (
            f"the UR is not running ({modes}): power the arm on and release its brakes on the pendant, or "
            "recover it from here"
        )

    def check_numbers(self) -> None:
        """Raise ValueError when what the controller sent cannot be a measurement."""
        numbers = (*self.q_rad, *self.qd_rad_s, *self.tcp_pose, self.speed_scaling)
        if len(numbers) != 19 or not all(abs(number) < _ABSURD for number in numbers):  # also catches NaN
            raise ValueError(f"joints {self.q_rad} rad, pose {self.tcp_pose}, speed {self.speed_scaling}")
        if self.robot_mode not in _ROBOT_MODES or self.safety_mode not in _SAFETY_MODES:
            raise ValueError(f"robot mode {self.robot_mode}, safety mode {self.safety_mode}")


def braking_rad_s2(qd_rad_s: Iterable[float]) -> float:
    """Deceleration that brings joints at these speeds to rest as fast as the arm takes it."""
    return min(_MAX_STOP_RAD_S2, max(_MIN_STOP_RAD_S2, max(map(abs, qd_rad_s)) / _STOP_S))
