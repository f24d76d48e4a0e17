# SPDX-License-Identifier: Apache-2.0
"""What counts as a grasp in the labels, and how many points are labelled."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np

from anygrasp_perception.grasp import LABEL_MAX_WIDTH_M
from anygrasp_perception.gripper import GripperGeometry
from anygrasp_training.labels.finger_pad import FingerPad
from anygrasp_training.labels.object_labels import MAX_FRICTION, MAX_OPENING_M

__all__ = ["LABEL_GRIPPER", "LabelConfig"]

LABEL_GRIPPER = GripperGeometry(max_width_m=LABEL_MAX_WIDTH_M, base_width_m=LABEL_MAX_WIDTH_M + 0.02)


@dataclass(frozen=True)
class LabelConfig:
    """What counts as a grasp, and how many points are labelled."""

    max_points: int = 200
    min_spacing_m: float = 0.004  # small objects get fewer points
    max_friction: float = 1.2  # cells that need more are no grasps
    clearance_m: float = 0.005  # between each open finger and the object
    gripper: GripperGeometry = LABEL_GRIPPER
    pad: FingerPad = field(default_factory=FingerPad)
    # Openings from which the fingers start, tried in turn until a grasp works: with the widest alone no
    # finger would find its way into a ring or behind a handle. A convex object needs only the widest. What
    # the gripper does not open to is left out.
    start_openings_m: tuple[float, ...] = (0.04, 0.07)

    def __post_init__(self) -> None:
        if self.max_points < 1 or not self.min_spacing_m >= 0.0:
            raise ValueError(
                f"LabelConfig needs max_points >= 1 and min_spacing_m >= 0, got {self.max_points} and "
                f"{self.min_spacing_m}"
            )
        if not 0.0 < self.max_friction <= MAX_FRICTION:
            raise ValueError(
                f"LabelConfig.max_friction must be in (0, {MAX_FRICTION:g}], got {self.max_friction}"
            )
        if not 0.0 <= self.clearance_m < np.inf:
            raise ValueError(f"LabelConfig.clearance_m must be >= 0, got {self.clearance_m}")
        widest = self.gripper.max_width_m
        if widest > MAX_OPENING_M:
            raise ValueError(
                f"LabelConfig.gripper.max_width_m {widest} is above what is stored, {MAX_OPENING_M}"
            )
        if any(a >= b for a, b in itertools.pairwise((0.0, *self.start_openings_m))):
            raise ValueError(f"LabelConfig.start_openings_m must rise from 0, got {self.start_openings_m}")

    @property
    def starts_m(self) -> tuple[float, ...]:
        """All openings from which the fingers start, the widest last."""
        widest = self.gripper.max_width_m
        return (*(start for start in self.start_openings_m if start < widest), widest)
