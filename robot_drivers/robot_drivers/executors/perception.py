# SPDX-License-Identifier: Apache-2.0
"""What an executor asks of the perception: grasps of an image newer than a moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from anygrasp_perception.grasp_group import GraspGroup
from robot_drivers.executors.pick_errors import PickError
from robot_drivers.executors.pick_record import PickRecord

__all__ = ["Perceive", "Perception", "PerceptionError"]


@dataclass(frozen=True, eq=False)
class Perception:
    """Grasps of one image, in the robot's base frame and, in the same order, in the image's frame.

    Raises:
        ValueError: the two groups differ in length.
    """

    grasps_base: GraspGroup
    grasps_image: GraspGroup
    frame_id: str  # frame of `grasps_image`
    stamp_s: float  # ROS-clock stamp of the image
    decision_s: float = 0.0  # wall time from image to grasps
    rejected: dict[str, int] = field(default_factory=dict)  # the detector's dropped candidates by reason

    def __post_init__(self) -> None:
        if len(self.grasps_base) != len(self.grasps_image):
            raise ValueError(
                f"{len(self.grasps_base)} grasps in base but {len(self.grasps_image)} in {self.frame_id!r}: "
                "they must be the same grasps in the same order"
            )

    def record(self, index: int, attempt: int) -> PickRecord:
        """The record of an attempt with the grasp at `index`, before it begins."""
        return PickRecord(
            attempt=attempt,
            frame_id=self.frame_id,
            stamp_s=self.stamp_s,
            grasp=self.grasps_image[index],
            decision_s=self.decision_s,
        )


class PerceptionError(RuntimeError):
    """No perception could be had: no image in time, a bad image, a detector that failed, no transform."""

    def __init__(self, message: str, code: PickError = PickError.NO_PERCEPTION) -> None:
        super().__init__(message)
        self.code = code


class Perceive(Protocol):
    """Blocks until grasps of a new image are there, within a time limit of its own."""

    def __call__(self, newer_than_s: float) -> Perception:
        """Grasps of an image stamped later than `newer_than_s` (ROS clock).

        Raises:
            PerceptionError: there is none in time, or the executor was stopped meanwhile.
        """
        ...
