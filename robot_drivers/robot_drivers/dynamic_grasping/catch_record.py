# SPDX-License-Identifier: Apache-2.0
"""What one attempt to catch something did."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from anygrasp_perception.arrays import Float64Array
from robot_drivers.executors.pick_errors import PickError

__all__ = ["CatchRecord", "CatchStage", "TrackedPose"]


class CatchStage(str, Enum):
    """Where a run is; the stages of the action's feedback."""

    READY = "ready"  # nothing to follow: at or on the way to the ready pose
    TRACK = "track"  # servoing above the predicted grasp
    GRASP = "grasp"  # down and closing
    THROW = "throw"  # to the bin, and back


@dataclass(frozen=True, eq=False)
class TrackedPose:
    """The followed grasp in one frame."""

    time_s: float  # stamp of the image
    T_base_grasp: Float64Array  # (4, 4)
    correspondence: float


@dataclass(frozen=True, eq=False)
class CatchRecord:
    """One attempt: a target that the fingers closed on. Times in seconds of the executor's clock."""

    attempt: int  # 1, 2, ...
    track_id: int
    track: tuple[TrackedPose, ...]  # all frames in which the target was seen
    selected_s: float  # stamp of the frame in which it was selected
    decided_s: float  # thresholds met: the arm goes down
    T_base_target: Float64Array  # (4, 4) tool pose of the predicted grasp
    closed_s: float = 0.0  # the fingers have come to rest
    ended_s: float = 0.0  # released over the bin
    held: bool = False  # the gripper reported something after closing
    kept: bool = False  # and still did over the bin
    error_code: PickError | None = None  # why the attempt was broken off
    error_msg: str = ""

    @property
    def tracking_s(self) -> float:
        """From selection to decision: the time to enter the grasping state (paper VI-B)."""
        return self.decided_s - self.selected_s

    def failed(self, code: PickError, message: str, time_s: float) -> CatchRecord:
        """The same attempt, broken off."""
        return replace(self, error_code=code, error_msg=message, ended_s=time_s)
