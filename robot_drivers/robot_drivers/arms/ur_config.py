# SPDX-License-Identifier: Apache-2.0
"""How to reach a UR and what is mounted on it."""

from __future__ import annotations

from dataclasses import dataclass

from anygrasp_perception.arrays import Float64Array
from robot_drivers.arms.ur_pose import transform_from_ur_pose

__all__ = ["UrArmConfig"]

_HIGHEST_HZ = {"ur5": 125.0, "ur5e": 500.0}
_TRANSPORTS = ("rtde", "urscript")


@dataclass(frozen=True)
class UrArmConfig:
    """Address, tool and limits of patience.

    Raises:
        ValueError: a value outside its range.
    """

    robot_ip: str = "127.0.0.1"  # address of the controller; the cell's emulated one listens on loopback
    model: str = "ur5e"  # "ur5" or "ur5e"; compared with what the controller says it is
    # "rtde": ur_rtde, moves and servoing; "urscript": programs sent to port 30002, moves only (paper V-A).
    transport: str = "rtde"
    frequency_hz: float = 125.0  # rate of the state stream: at most 125 on a UR5, 500 on a UR5e
    tcp_offset_m: tuple[float, float, float] = (0.0, 0.0, 0.1725)  # fingertips in tool0
    tcp_rotation_rad: tuple[float, float, float] = (0.0, 0.0, 0.0)  # rotation vector of the TCP in tool0
    payload_kg: float = 0.95  # gripper with its coupling
    payload_center_m: tuple[float, float, float] = (0.0, 0.0, 0.055)  # centre of mass in tool0
    joint_limit_rad: float = 6.2  # either way, for every joint
    max_joint_change_rad: float = 3.6  # a pose that asks more of any joint counts as out of reach
    data_timeout_s: float = 2.0  # silence of the controller after which the arm is lost
    request_timeout_s: float = 8.0  # longest wait for an answer of the controller, also while connecting
    stall_timeout_s: float = 10.0  # a move that stands still so long is given up
    servo_lookahead_s: float = 0.1  # smooths servoing, 0.03 to 0.2
    servo_gain: float = 300.0  # stiffness of servoing, 100 to 2000
    recover_timeout_s: float = 30.0  # powering on and releasing the brakes take up to about ten seconds
    watchdog_hz: float = 1.0  # the controller stops when it hears from us less often; 0 switches this off

    def __post_init__(self) -> None:
        if self.model not in _HIGHEST_HZ:
            raise ValueError(f"unknown UR model {self.model!r}; choose from {sorted(_HIGHEST_HZ)}")
        if self.transport not in _TRANSPORTS:
            raise ValueError(f"unknown transport {self.transport!r}; choose from {list(_TRANSPORTS)}")
        if not (0.03 <= self.servo_lookahead_s <= 0.2 and 100.0 <= self.servo_gain <= 2000.0):
            raise ValueError(
                f"servo_lookahead_s {self.servo_lookahead_s} takes 0.03 to 0.2, servo_gain {self.servo_gain} "
                "100 to 2000"
            )
        highest_hz = _HIGHEST_HZ[self.model]
        if not 1.0 <= self.frequency_hz <= highest_hz:
            raise ValueError(
                f"frequency_hz is {self.frequency_hz}; a {self.model} takes 1 to {highest_hz:.0f}"
            )
        for name in ("tcp_offset_m", "tcp_rotation_rad", "payload_center_m"):
            if len(getattr(self, name)) != 3:
                raise ValueError(f"{name} is {getattr(self, name)}; it takes three numbers")
        for name in (
            "joint_limit_rad",
            "max_joint_change_rad",
            "data_timeout_s",
            "request_timeout_s",
            "stall_timeout_s",
            "recover_timeout_s",
        ):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")
        for name in ("payload_kg", "watchdog_hz"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or more")

    @property
    def T_tool0_tcp(self) -> Float64Array:
        """Tool centre point in the flange frame `tool0`, (4, 4)."""
        return transform_from_ur_pose((*self.tcp_offset_m, *self.tcp_rotation_rad))
