# SPDX-License-Identifier: Apache-2.0
"""Everything that a bin-picking robot is set up with: arm, gripper, limits, executor, detection."""

from __future__ import annotations

from dataclasses import dataclass, field

from robot_drivers.arms.ur_config import UrArmConfig
from robot_drivers.executors.bin_picking_config import BinPickingConfig
from robot_drivers.executors.grasp_request import GraspClientConfig
from robot_drivers.grippers.robotiq_config import RobotiqConfig
from robot_drivers.safety import SafetyLimits
from robot_drivers.safety.watchdog import WatchdogConfig

__all__ = ["BinPickingNodeConfig"]


@dataclass(frozen=True)
class BinPickingNodeConfig:
    """Everything of the node; raises ValueError where a part refuses its values."""

    base_frame: str = "base"  # the UR controller's base frame
    tool_rate_hz: float = 20.0  # how often `base` -> `tool0` is published
    retry_s: float = 2.0  # pause before a lost robot is connected again
    dry_run: bool = False  # log what would move, and move nothing
    arm: UrArmConfig = field(default_factory=UrArmConfig)
    gripper: RobotiqConfig = field(default_factory=RobotiqConfig)
    limits: SafetyLimits = field(default_factory=SafetyLimits)
    watchdog: WatchdogConfig = field(default_factory=WatchdogConfig)
    picking: BinPickingConfig = field(default_factory=BinPickingConfig)
    detection: GraspClientConfig = field(default_factory=GraspClientConfig)

    def __post_init__(self) -> None:
        if min(self.tool_rate_hz, self.retry_s) <= 0:
            raise ValueError(f"tool_rate_hz {self.tool_rate_hz} and retry_s {self.retry_s} must be positive")
