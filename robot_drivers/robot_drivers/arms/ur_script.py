# SPDX-License-Identifier: Apache-2.0
"""URScript programs for the transport over port 30002; they report through RTDE output registers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the worker process reads the registers' numbers from here, and starts quickly
    from robot_drivers.arms.ur_config import UrArmConfig

__all__ = [
    "BEGUN_REGISTER",
    "ENDED_REGISTER",
    "RESULT_REGISTERS",
    "compute_program",
    "halt_program",
    "move_program",
]

# Those that ur_rtde reads: six doubles with a result, and integers that count programs begun and ended.
RESULT_REGISTERS = (12, 13, 14, 15, 16, 17)
BEGUN_REGISTER, ENDED_REGISTER = 18, 19


def move_program(
    number: int,
    config: UrArmConfig,
    tcp: Sequence[float],
    call: str,
    target: Sequence[float],
    v: float,
    a: float,
) -> str:
    """A movel to a UR pose or a movej to joint angles, with the tool set before."""
    goal = f"{'p' if call == 'movel' else ''}{_numbers(target)}"
    return _program(number, config, tcp, f"{call}({goal}, a={a:.6f}, v={v:.6f})")


def compute_program(number: int, config: UrArmConfig, tcp: Sequence[float], expression: str) -> str:
    """Six numbers of a list or pose into the registers."""
    writes = [
        f"write_output_float_register({register}, result[{index}])"
        for index, register in enumerate(RESULT_REGISTERS)
    ]
    return _program(number, config, tcp, f"result = {expression}", *writes)


def halt_program(number: int, deceleration_rad_s2: float) -> str:
    """Bring the joints to rest, ending whatever program runs."""
    lines = [
        f"stopj({deceleration_rad_s2:.6f})",
        f"write_output_integer_register({BEGUN_REGISTER}, {number})",
    ]
    return _block(*lines, f"write_output_integer_register({ENDED_REGISTER}, {number})")


def _program(number: int, config: UrArmConfig, tcp: Sequence[float], *work: str) -> str:
    return _block(
        f"set_tcp(p{_numbers(tcp)})",
        f"set_payload({config.payload_kg:.6f}, {_numbers(config.payload_center_m)})",
        f"write_output_integer_register({BEGUN_REGISTER}, {number})",
        *work,
        f"write_output_integer_register({ENDED_REGISTER}, {number})",
    )


def _block(*lines: str) -> str:
    return "def anygrasp():\n" + "".join(f"  {line}\n" for line in lines) + "end\n"


def _numbers(values: Sequence[float]) -> str:
    return "[" + ", ".join(f"{value:.9f}" for value in values) + "]"
