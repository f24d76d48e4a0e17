# SPDX-License-Identifier: Apache-2.0
"""Remembers which grasps failed, so that a run does not repeat them for ever."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import BoolArray, IntpArray
from anygrasp_perception.grasp import HALF_TURN_X
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.se3 import rotation_angle

__all__ = ["FailureMemory", "FailureMemoryConfig"]


@dataclass(frozen=True)
class FailureMemoryConfig:
    """When a grasp counts as one that failed before.

    Raises:
        ValueError: a value outside its range.
    """

    enabled: bool = True  # false: the best grasp is tried again and again, as in the paper
    radius_m: float = 0.02  # grasps nearer than this are at the same place
    angle_rad: float = float(np.deg2rad(30.0))  # and turned by less than this are the same grasp
    score_factor: float = 0.5  # each failure at its place multiplies a grasp's score by this
    max_failures: int = 2  # a grasp that failed so often is refused
    length: int = 20  # only so many failures are remembered, the oldest go first

    def __post_init__(self) -> None:
        if not self.radius_m > 0.0:
            raise ValueError(f"radius_m is {self.radius_m}; use more than 0, e.g. 0.02")
        if not 0.0 < self.angle_rad <= np.pi:
            raise ValueError(f"angle_rad is {self.angle_rad}; use more than 0 and at most pi")
        if not 0.0 < self.score_factor <= 1.0:
            raise ValueError(f"score_factor is {self.score_factor}; use more than 0 and at most 1")
        if self.max_failures < 1:
            raise ValueError(f"max_failures is {self.max_failures}; use at least 1")
        if self.length < 1:
            raise ValueError(f"length is {self.length}; use at least 1 or set enabled to false")


class FailureMemory:
    """The last failed grasps of a run, base frame.

    The paper blames its lower success on adversarial objects on trials repeated without learning from
    their failure (section VI-A); here another grasp is tried after two failures at a place.
    """

    def __init__(self, config: FailureMemoryConfig | None = None) -> None:
        self.config = config or FailureMemoryConfig()
        self._failed: deque[GraspGroup] = deque(maxlen=self.config.length)

    def failed(self, grasp: GraspGroup) -> None:
        """Remember a group of one that failed."""
        if self.config.enabled:
            self._failed.append(grasp)

    def succeeded(self, grasp: GraspGroup) -> None:
        """Forget the failures at the place of this group of one: what was there has been taken away."""
        kept = [failed for failed in self._failed if not self._same_place(failed, grasp)[0]]
        self._failed = deque(kept, maxlen=self.config.length)

    def failures(self, grasps: GraspGroup) -> IntpArray:
        """How often each grasp failed before, (N,)."""
        counts = np.zeros(len(grasps), dtype=np.intp)
        for failed in self._failed:
            counts += self._same_place(grasps, failed)
        return counts

    def _same_place(self, grasps: GraspGroup, other: GraspGroup) -> BoolArray:
        distance_m = np.linalg.norm(grasps.translations - other.translations[0], axis=1)
        rotation = other.rotation_matrices[0]
        angle_rad = np.minimum(
            rotation_angle(grasps.rotation_matrices, rotation),
            rotation_angle(grasps.rotation_matrices, rotation @ HALF_TURN_X),
        )
        near: BoolArray = (distance_m < self.config.radius_m) & (angle_rad < self.config.angle_rad)
        return near
