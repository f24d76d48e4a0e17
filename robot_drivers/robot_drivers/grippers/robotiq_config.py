# SPDX-License-Identifier: Apache-2.0
"""How to reach a Robotiq gripper, and how its counts become widths and forces."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RobotiqConfig"]

_TRANSPORTS = ("urcap", "modbus_tcp", "modbus_serial")


@dataclass(frozen=True)
class RobotiqConfig:
    """Address, calibration and time limits.

    Raises:
        ValueError: a value outside its range.
    """

    # "urcap": the text socket of the Robotiq URCap; "modbus_tcp": Modbus RTU through the controller's bridge
    # to the tool connector; "modbus_serial": Modbus RTU through a USB adapter on this machine.
    transport: str = "urcap"
    robot_ip: str = "127.0.0.1"  # address of the UR controller that the gripper hangs on
    port: int = 63352  # of the URCap
    modbus_port: int = 54321  # of the bridge
    device: str = "/dev/ttyUSB0"  # of the USB adapter
    modbus_address: int = 9  # of the gripper, as delivered
    open_width_m: float = 0.085  # between the fingertips of the open gripper; 0.140 for a 2F-140
    open_count: int = 3  # register POS of the open gripper; `measure_stroke` finds both
    closed_count: int = 230  # register POS where the fingertips meet
    min_force_n: float = 20.0  # at force 0
    max_force_n: float = 235.0  # at force 1; 125 for a 2F-140
    answer_timeout_s: float = 2.0  # longest wait for an answer
    move_timeout_s: float = 8.0  # longest motion of the fingers; a slow full stroke takes 4.3 s
    activation_timeout_s: float = 12.0  # longest activation, which opens and closes the fingers once

    def __post_init__(self) -> None:
        if self.transport not in _TRANSPORTS:
            raise ValueError(f"unknown transport {self.transport!r}; choose from {list(_TRANSPORTS)}")
        if not 0 <= self.open_count < self.closed_count <= 255:
            raise ValueError(
                f"open_count {self.open_count} must be below closed_count {self.closed_count}, both 0 to 255"
            )
        if not 1 <= self.modbus_address <= 247:
            raise ValueError(f"modbus_address is {self.modbus_address}; it takes 1 to 247")
        if not 0.0 <= self.min_force_n < self.max_force_n:
            raise ValueError(f"min_force_n {self.min_force_n} must be below max_force_n {self.max_force_n}")
        for name in ("open_width_m", "answer_timeout_s", "move_timeout_s", "activation_timeout_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")
