# SPDX-License-Identifier: Apache-2.0
"""What one attempt did: the stages of a pick and its record, as in PickRecord.msg."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from anygrasp_perception.grasp_group import GraspGroup
from robot_drivers.executors.pick_errors import PickError

__all__ = ["PickRecord", "PickStage"]


class PickStage(str, Enum):
    """Where an attempt is; the names of the feedback of `pick` and `clear_bin`."""

    PERCEIVE = "perceive"
    TRANSFORM = "transform"
    CHECK = "check"
    APPROACH = "approach"
    CLOSE = "close"
    LIFT = "lift"
    PLACE = "place"
    DONE = "done"


@dataclass(frozen=True, eq=False)
class PickRecord:
    """One attempt, under way or finished. Stamps are ROS-clock seconds; 0 where not reached."""

    attempt: int = 0  # 1, 2, ... within a run
    frame_id: str = ""  # frame of `grasp`: the optical frame of the image it was detected in
    stamp_s: float = 0.0  # stamp of that image
    grasp: GraspGroup = field(default_factory=GraspGroup.empty)  # group of one, in `frame_id`
    started_s: float = 0.0  # attempt began, perception excluded
    closed_s: float = 0.0  # fingers were told to close
    ended_s: float = 0.0  # object released or attempt given up
    gripper_holds: bool = False  # the gripper reported an object after the lift
    placed: bool = False  # the gripper still held it when it was told to release it at the bin
    error_code: PickError | None = None
    error_msg: str = ""
    decision_s: float = 0.0  # wall time, image to chosen grasp
    stages_s: dict[str, float] = field(default_factory=dict)  # ROS-clock seconds a stage

    def with_stage(self, stage: PickStage, duration_s: float) -> PickRecord:
        """The same record with the time of one more stage."""
        return replace(self, stages_s={**self.stages_s, stage.value: duration_s})

    def failed(self, error_code: PickError, error_msg: str, ended_s: float) -> PickRecord:
        """The same record, given up."""
        return replace(self, error_code=error_code, error_msg=error_msg, ended_s=ended_s)
