# SPDX-License-Identifier: Apache-2.0
"""The numbers of Algorithm 1 (paper V-B) and of the arm that executes it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from anygrasp_tracking.motion_prediction import MotionConfig
from anygrasp_tracking.seen_body import BodyConfig
from anygrasp_tracking.switch_guard import SwitchGuardConfig
from anygrasp_tracking.tracker import TrackerConfig

__all__ = ["FISH_TRACKER", "CatchConfig", "CatchMotionConfig", "ServoConfig", "catching_with"]

_Corner = tuple[float, float, float]

# Fish are slow and close together, and grasps slide along them, and turn: of like ones the better lie across.
FISH_TRACKER = TrackerConfig(
    motion_weight=1.0,
    guard=SwitchGuardConfig(reach_m=0.035, reach_speed_m_s=0.05),
    score_weight=0.5,
    motion=MotionConfig(buffer=10, max_turn_rate_rad_s=1.2),  # paper V-B
)


@dataclass(frozen=True)
class ServoConfig:
    """When to grasp, and where to wait for it. Raises ValueError on values out of range."""

    pregrasp_m: float = 0.035  # d_pregrasp: back along the tool's z from the predicted grasp
    max_rotation_rad: float = math.radians(20.0)  # delta_R: grasp when the tool is turned by no more,
    max_distance_m: float = 0.055  # delta_t: is no further in space,
    max_distance_xy_m: float = 0.02  # delta_t_xOy: and in the horizontal plane
    predict: bool = True  # False servoes to the grasp as it was seen last
    # From the decision until the fingers meet the object: coming to rest, the way down, and most of the
    # closing; in the simulated cell they begin to close after 0.3 to 0.5 s and touch after 0.5 to 0.75 s.
    closing_latency_s: float = 0.6
    # The fingers close only on what went where its motion led: the prediction of so long ago may be off by
    # no more than these from where the grasp is now. 0 s: without that, as in the paper.
    proof_s: float = 0.0
    max_surprise_m: float = 0.02
    max_surprise_rad: float = math.radians(20.0)
    min_poses: int = 4  # in the buffer before the fingers may close: no momentum is known earlier
    max_turn_rad: float = math.radians(110.0)  # of the tool about the vertical from its ready pose
    reach_beyond_m: float = 0.010  # fingertips go so much deeper than the grasp asks: fish are slippery
    # And at least so far past the grasp's origin: a network's grasps are shallow, as for fingers on a table.
    min_reach_m: float = 0.055
    # Grasp across the middle of the body that the followed grasp is on, and take the motion from it: a grasp
    # among dense ones slides and turns on a body, whose outline does not.
    aim_at_body: bool = True
    min_looks: int = 3  # at a body before it is aimed at
    body: BodyConfig = field(default_factory=BodyConfig)
    # The tool is straight down when the fingers close, as it is while it waits: tilting it takes longer than
    # the way down.
    upright: bool = True
    # Where the open fingers may go, base frame: inside the tank's walls, above its floor.
    workspace_min_m: _Corner = (0.305, -0.275, -0.160)
    workspace_max_m: _Corner = (0.695, 0.275, 0.0)
    fingers_m: float = 0.0425  # outside of an open finger from the tool's middle, along the closing direction
    rim_m: float = 0.10  # so far up the fingers, along the approach, they still are between the walls
    middle_weight: float = 4.0  # score that a new target gains for each metre that it is from the walls ...
    middle_m: float = 0.08  # ... up to here: what is near them turns, or leaves
    selection_margin_m: float = 0.02  # a new target is so much further from the walls: it is about to move

    def __post_init__(self) -> None:
        for name in (
            "pregrasp_m",
            "max_rotation_rad",
            "max_distance_m",
            "max_distance_xy_m",
            "max_surprise_m",
            "max_surprise_rad",
        ):
            if not getattr(self, name) > 0:
                raise ValueError(f"ServoConfig.{name} is {getattr(self, name)}; it must be positive")
        for name in ("closing_latency_s", "reach_beyond_m", "min_reach_m", "proof_s"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"ServoConfig.{name} is {getattr(self, name)}; use 0 or more")
        for name in ("fingers_m", "rim_m", "selection_margin_m", "middle_weight", "middle_m"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"ServoConfig.{name} is {getattr(self, name)}; use 0 or more")
        if not math.pi / 2 < self.max_turn_rad < math.pi:
            raise ValueError(
                f"ServoConfig.max_turn_rad is {self.max_turn_rad}; use more than pi/2, so that one of the "
                "half turns of any grasp is within it, and less than pi"
            )
        for name in ("min_poses", "min_looks"):
            if getattr(self, name) < 1:
                raise ValueError(f"ServoConfig.{name} is {getattr(self, name)}; use 1 or more")
        if not self.pregrasp_m < self.max_distance_m:
            raise ValueError(
                f"ServoConfig.pregrasp_m {self.pregrasp_m} must be below max_distance_m "
                f"{self.max_distance_m}: the arm waits there and would never grasp"
            )
        if not all(a < b for a, b in zip(self.workspace_min_m, self.workspace_max_m, strict=True)):
            raise ValueError(
                f"ServoConfig: workspace {self.workspace_min_m} to {self.workspace_max_m} is empty"
            )


@dataclass(frozen=True)
class CatchMotionConfig:
    """Where the arm waits and throws, and how fast it goes. Raises ValueError on values out of range."""

    # The tool straight down over the middle of the tank, the camera sees all of it.
    ready_joints_rad: tuple[float, ...] = (0.1353, -0.0699, 0.1031, 2.167, -0.0091, 0.6657, 0.2439)
    # The tool over the bin.
    throw_joints_rad: tuple[float, ...] = (-0.5466, -0.2204, -0.6142, 2.2783, 0.1987, 0.8788, -1.3030)
    servo_speed_m_s: float = 0.35  # fastest that the tool follows
    servo_period_s: float = 0.2  # a target is to be reached in this time where the speed allows
    grasp_speed_m_s: float = 0.7  # down to the fish
    lift_speed_m_s: float = 0.35
    lift_height_m: float = 0.15  # fingertips rise to it, base frame, before the arm swings to the bin
    linear_acceleration_m_s2: float = 5.0
    joint_speed_rad_s: float = 1.5
    joint_acceleration_rad_s2: float = 5.0
    open_width_m: float = 0.065  # narrower closes sooner; half of it is what the aim may be off
    closing_speed: float = 1.0  # 0 to 1 of the gripper's range
    closing_force: float = 0.15  # 0 to 1 of the gripper's range

    def __post_init__(self) -> None:
        for name in ("ready_joints_rad", "throw_joints_rad"):
            joints = getattr(self, name)
            if len(joints) not in (6, 7) or not np.all(np.isfinite(joints)):
                raise ValueError(f"CatchMotionConfig.{name} is {joints}; give the arm's joint angles in rad")
        for name in (
            "servo_speed_m_s",
            "servo_period_s",
            "grasp_speed_m_s",
            "lift_speed_m_s",
            "linear_acceleration_m_s2",
            "joint_speed_rad_s",
            "joint_acceleration_rad_s2",
            "open_width_m",
        ):
            if not getattr(self, name) > 0:
                raise ValueError(f"CatchMotionConfig.{name} is {getattr(self, name)}; it must be positive")
        for name in ("closing_speed", "closing_force"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"CatchMotionConfig.{name} is {getattr(self, name)}; use 0 to 1")


@dataclass(frozen=True)
class CatchConfig:
    """Everything of the executor; each part checks its own."""

    servo: ServoConfig = field(default_factory=ServoConfig)
    motion: CatchMotionConfig = field(default_factory=CatchMotionConfig)
    tracker: TrackerConfig = FISH_TRACKER
    give_up_s: float = 20.0  # a target that is not in reach by then is let go
    max_failed_perceptions: int = 5  # in a row: the run ends

    def __post_init__(self) -> None:
        if not self.give_up_s > 0 or self.max_failed_perceptions < 1:
            raise ValueError(
                f"CatchConfig needs give_up_s > 0 and max_failed_perceptions >= 1, got {self.give_up_s} "
                f"and {self.max_failed_perceptions}"
            )


def catching_with(policy: str) -> CatchConfig:
    """The defaults for a tracking policy.

    `nearest` is the heuristic that the paper compares with: it aims at its grasp, and knows of no body.
    """
    config = CatchConfig()
    if policy != "nearest":
        return config
    return replace(config, servo=replace(config.servo, aim_at_body=False))
