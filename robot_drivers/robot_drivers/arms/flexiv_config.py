# SPDX-License-Identifier: Apache-2.0
"""How to reach a Flexiv Rizon and what is mounted on it, and the module that speaks to it."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import Any

from anygrasp_perception.arrays import Float64Array
from robot_drivers.arms.arm import ArmError
from robot_drivers.arms.ur_pose import transform_from_ur_pose

__all__ = ["FLEXIVRDK_VERSION", "FlexivArmConfig", "load_flexivrdk"]

FLEXIVRDK_VERSION = "1.9.1"

# RDK manual: discrete commands at up to 100 a second.
_HIGHEST_COMMAND_HZ = 100.0


@dataclass(frozen=True)
class FlexivArmConfig:
    """Identity, tool and limits of patience.

    Raises:
        ValueError: a value outside its range.
    """

    serial_number: str = "Rizon4-000000"  # as on the robot's base, without the space
    # Addresses of this machine through which the robot may be found; empty: any. Give the one on its network.
    network_interfaces: tuple[str, ...] = ()
    tool_name: str = "anygrasp_tool"  # the robot keeps TCP and payload under this name
    tcp_offset_m: tuple[float, float, float] = (0.0, 0.0, 0.1725)  # fingertips in the flange
    tcp_rotation_rad: tuple[float, float, float] = (0.0, 0.0, 0.0)  # rotation vector of the TCP in the flange
    payload_kg: float = 0.95  # gripper with its coupling
    payload_center_m: tuple[float, float, float] = (0.0, 0.0, 0.055)  # centre of mass in the flange
    payload_inertia: tuple[float, float, float, float, float, float] = (1e-3, 1e-3, 1e-3, 0.0, 0.0, 0.0)
    command_hz: float = 50.0  # how often targets of a move are sent
    max_angular_speed_rad_s: float = 1.0  # of the tool in linear moves and while servoing
    max_angular_acceleration_rad_s2: float = 5.0  # likewise
    max_contact_force_n: float = 60.0  # the controller yields rather than press harder; 0: its own limit
    max_contact_torque_nm: float = 15.0  # likewise
    enable_timeout_s: float = 30.0  # releasing the brakes takes up to about ten seconds
    data_timeout_s: float = 1.0  # states that stay the same so long mean that the robot is lost
    settle_timeout_s: float = 3.0  # after a move, in the robot's own time
    standing_rad_s: float = 0.005  # a move has ended once it is there and no joint is faster

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\w+-\w+", self.serial_number):
            raise ValueError(
                f"serial_number is {self.serial_number!r}; write it as on the robot, like Rizon4-062016"
            )
        if not 1.0 <= self.command_hz <= _HIGHEST_COMMAND_HZ:
            raise ValueError(f"command_hz is {self.command_hz}; use 1 to {_HIGHEST_COMMAND_HZ:.0f}")
        for name in ("max_contact_force_n", "max_contact_torque_nm", "payload_kg"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or more")
        for name in (
            "max_angular_speed_rad_s",
            "max_angular_acceleration_rad_s2",
            "enable_timeout_s",
            "data_timeout_s",
            "settle_timeout_s",
            "standing_rad_s",
        ):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")

    @property
    def T_flange_tcp(self) -> Float64Array:
        """Tool centre point in the flange frame, (4, 4)."""
        return transform_from_ur_pose((*self.tcp_offset_m, *self.tcp_rotation_rad))


def load_flexivrdk() -> Any:
    """The module flexivrdk, of the one version that serves a Rizon from Python.

    Raises:
        ArmError: it is not installed, or of another version.
    """
    fix = (
        f"pip install flexivrdk=={FLEXIVRDK_VERSION} (it has wheels for Python 3.10 and 3.12 on Linux; 2.x "
        "drives newer robots by other calls and refuses the Rizon)"
    )
    try:
        module = importlib.import_module("flexivrdk")
    except ImportError as error:
        raise ArmError(f"flexivrdk is not installed ({error}): {fix}") from error
    version = getattr(module, "__version__", "unknown")
    if version != FLEXIVRDK_VERSION:
        raise ArmError(f"flexivrdk {version} is installed, the Rizon takes {FLEXIVRDK_VERSION}: {fix}")
    return module
