# SPDX-License-Identifier: Apache-2.0
"""How a bin-picking run is set up."""

from __future__ import annotations

from dataclasses import dataclass, field

from robot_drivers.executors.failure_memory import FailureMemoryConfig
from robot_drivers.executors.grasp_target import TargetConfig
from robot_drivers.executors.motion import MotionConfig
from robot_drivers.executors.pick import GripConfig

__all__ = ["BinPickingConfig"]


@dataclass(frozen=True)
class BinPickingConfig:
    """Everything a run is set up with, but for the safety limits.

    Raises:
        ValueError: a value outside its range, or two that contradict each other.
    """

    target: TargetConfig = field(default_factory=TargetConfig)
    motion: MotionConfig = field(default_factory=MotionConfig)
    grip: GripConfig = field(default_factory=GripConfig)
    memory: FailureMemoryConfig = field(default_factory=FailureMemoryConfig)
    max_empty_perceptions: int = 10  # the run ends after so many without a grasp in a row (paper V-B)
    max_failed_perceptions: int = 3  # and with NO_PERCEPTION after so many in a row that gave no answer
    settle_s: float = 0.2  # images younger than this after the arm has left the view show moving objects

    def __post_init__(self) -> None:
        if self.max_empty_perceptions < 1 or self.max_failed_perceptions < 1:
            raise ValueError(
                f"max_empty_perceptions {self.max_empty_perceptions} and max_failed_perceptions "
                f"{self.max_failed_perceptions} must be at least 1"
            )
        if not self.settle_s >= 0.0:
            raise ValueError(f"settle_s is {self.settle_s}; use 0 or more")
        if not self.motion.final_distance_m < self.target.retreat_m:
            raise ValueError(
                f"motion.final_distance_m {self.motion.final_distance_m} must be less than "
                f"target.retreat_m {self.target.retreat_m}: the slow part begins after the waypoint"
            )
