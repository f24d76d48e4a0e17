# SPDX-License-Identifier: Apache-2.0
"""RTDE variables: wire types, outputs read from the robot, inputs written to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import attrgetter

from anygrasp_sim.emulators.ur_robot import UrRobot
from anygrasp_sim.emulators.ur_safety import RobotMode

__all__ = ["WIRE_FORMATS", "Getter", "Setter", "find_input", "find_output"]

Getter = Callable[[UrRobot], Sequence[float]]
Setter = Callable[[UrRobot, Sequence[float]], None]

# RTDE guide: type name to struct format, big endian.
WIRE_FORMATS = {
    "BOOL": "?",
    "UINT8": "B",
    "UINT32": "I",
    "UINT64": "Q",
    "INT32": "i",
    "DOUBLE": "d",
    "VECTOR3D": "3d",
    "VECTOR6D": "6d",
    "VECTOR6INT32": "6i",
}

_POWER_ON, _PROGRAM_RUNNING = 1, 2  # robot_status_bits
_RUNTIME_STOPPED, _RUNTIME_PLAYING = 1, 2
_JOINT_RUNNING = 253

_SIMULATED: dict[str, tuple[str, Getter]] = {
    "timestamp": ("DOUBLE", lambda robot: (robot.time_s,)),
    "actual_q": ("VECTOR6D", lambda robot: robot.actual.q.tolist()),
    "actual_qd": ("VECTOR6D", lambda robot: robot.actual.qd.tolist()),
    "actual_TCP_pose": ("VECTOR6D", lambda robot: robot.actual.tcp_pose.tolist()),
    "actual_TCP_speed": ("VECTOR6D", lambda robot: robot.actual.tcp_speed.tolist()),
    "target_q": ("VECTOR6D", lambda robot: robot.target.q.tolist()),
    "target_qd": ("VECTOR6D", lambda robot: robot.target.qd.tolist()),
    "target_TCP_pose": ("VECTOR6D", lambda robot: robot.target.tcp_pose.tolist()),
    "target_TCP_speed": ("VECTOR6D", lambda robot: robot.target.tcp_speed.tolist()),
    "robot_mode": ("INT32", lambda robot: (int(robot.safety.robot_mode),)),
    "safety_mode": ("INT32", lambda robot: (int(robot.safety.mode),)),
    "safety_status": ("INT32", lambda robot: (int(robot.safety.mode),)),
    "safety_status_bits": ("UINT32", lambda robot: (robot.safety.status_bits,)),
    "robot_status_bits": ("UINT32", lambda robot: (_robot_status_bits(robot),)),
    "runtime_state": (
        "UINT32",
        lambda robot: (_RUNTIME_PLAYING if robot.program_running else _RUNTIME_STOPPED,),
    ),
    "speed_scaling": ("DOUBLE", lambda robot: (robot.motion.scaling,)),
    "speed_scaling_combined": ("DOUBLE", lambda robot: (robot.motion.scaling,)),
    "target_speed_fraction": ("DOUBLE", lambda robot: (robot.speed_slider,)),
    "joint_mode": ("VECTOR6INT32", lambda robot: (_JOINT_RUNNING,) * 6),
    "payload": ("DOUBLE", lambda robot: (robot.payload_kg,)),
}

# Sent because clients ask for them, but not simulated: always zero.
_CONSTANT_ZERO = {
    "DOUBLE": (
        "actual_execution_time actual_momentum actual_main_voltage actual_robot_voltage actual_robot_current "
        "standard_analog_input0 standard_analog_input1 standard_analog_output0 standard_analog_output1"
    ),
    "VECTOR3D": "actual_tool_accelerometer payload_cog",
    "VECTOR6D": (
        "target_qdd target_current target_moment actual_current joint_control_output actual_TCP_force "
        "joint_temperatures actual_joint_voltage ft_raw_wrench payload_inertia actual_current_as_torque"
    ),
    "UINT64": "actual_digital_input_bits actual_digital_output_bits",
}
_ZERO_TYPES = {name: kind for kind, names in _CONSTANT_ZERO.items() for name in names.split()}

# Inputs that are taken and have no effect: the emulated controller has no wiring.
_IGNORED_INPUTS = {
    "standard_digital_output_mask": "UINT8",
    "standard_digital_output": "UINT8",
    "configurable_digital_output_mask": "UINT8",
    "configurable_digital_output": "UINT8",
    "tool_digital_output_mask": "UINT8",
    "tool_digital_output": "UINT8",
    "standard_analog_output_mask": "UINT8",
    "standard_analog_output_type": "UINT8",
    "standard_analog_output_0": "DOUBLE",
    "standard_analog_output_1": "DOUBLE",
    "external_force_torque": "VECTOR6D",
    "speed_slider_mask": "UINT32",  # clients set the fraction only together with the mask
}

_REGISTER = re.compile(r"(input|output)_(int|double)_register_([0-3]?\d|4[0-7])")
_REGISTER_TYPES = {"int": "INT32", "double": "DOUBLE"}


def find_output(name: str) -> tuple[str, Getter] | None:
    """Type and reader of an output variable, or None where there is no such output."""
    if name in _SIMULATED:
        return _SIMULATED[name]
    if name in _ZERO_TYPES:
        kind = _ZERO_TYPES[name]
        zeros = (0,) * int(WIRE_FORMATS[kind][:-1] or 1)
        return kind, lambda robot: zeros
    if (register := _REGISTER.fullmatch(name)) is None:
        return None
    direction, kind, index = register[1], register[2], int(register[3])
    bank: Callable[[UrRobot], Sequence[float]] = attrgetter(f"{direction}_{kind}s")
    return _REGISTER_TYPES[kind], lambda robot: (bank(robot)[index],)


def find_input(name: str) -> tuple[str, Setter] | None:
    """Type and writer of an input variable, or None where there is no such input."""
    if name in _IGNORED_INPUTS:
        return _IGNORED_INPUTS[name], lambda robot, values: None
    if name == "speed_slider_fraction":
        return "DOUBLE", _set_speed_slider
    register = _REGISTER.fullmatch(name)
    if register is None or register[1] != "input":
        return None
    kind, index = register[2], int(register[3])
    bank: Callable[[UrRobot], list[float]] = attrgetter(f"input_{kind}s")

    def write(robot: UrRobot, values: Sequence[float]) -> None:
        bank(robot)[index] = values[0]

    return _REGISTER_TYPES[kind], write


def _set_speed_slider(robot: UrRobot, values: Sequence[float]) -> None:
    robot.speed_slider = min(1.0, max(0.0, values[0]))


def _robot_status_bits(robot: UrRobot) -> int:
    powered = robot.safety.robot_mode is not RobotMode.POWER_OFF
    return (_POWER_ON if powered else 0) | (_PROGRAM_RUNNING if robot.program_running else 0)
