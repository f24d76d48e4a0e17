# SPDX-License-Identifier: Apache-2.0
"""The rules of the GraspNet-1Billion benchmark as numbers; the defaults are the published ones."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from anygrasp_training.labels.finger_pad import FingerPad

__all__ = ["BenchmarkGripper", "EvaluationConfig"]


@dataclass(frozen=True)
class BenchmarkGripper:
    """The benchmark's gripper in the grasp frame: fingers from behind the grasp centre to the fingertips.

    Unlike `GripperGeometry` the fingers end a fixed length behind the centre, whatever the depth.
    """

    finger_thickness_m: float = 0.01  # along y, outside the opening
    finger_height_m: float = 0.02  # along z
    back_length_m: float = 0.02  # of the fingers behind the grasp centre
    base_length_m: float = 0.01  # of the bar that joins them, behind that


@dataclass(frozen=True)
class EvaluationConfig:
    """Limits of the evaluation. Raises ValueError on counts below 1 and limits that make no sense."""

    max_width_m: float = 0.10  # wider predictions are clipped to it
    nms_translation_m: float = 0.03
    nms_angle_rad: float = math.radians(30.0)
    top_per_object: int = 10
    top_per_frame: int = 50
    frictions: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2)
    min_points_between: int = 10  # fewer scene points between the fingers: an empty grasp
    gripper: BenchmarkGripper = field(default_factory=BenchmarkGripper)
    # The benchmark closes on the line between the fingertips and smooths normals in a distance field: so the
    # tips alone, unlike the labels, whose pads are as long as the fingers.
    pad: FingerPad = field(
        default_factory=lambda: FingerPad(
            columns_m=(0.0015, 0.0045, 0.0075), rows_m=(-0.02 / 3, 0.0, 0.02 / 3), flat=False
        )
    )
    coverage_friction: float = 0.8  # an object is covered by a grasp that needs no more (DESIGN 3)

    def __post_init__(self) -> None:
        for name in ("top_per_object", "top_per_frame"):
            if getattr(self, name) < 1:
                raise ValueError(f"EvaluationConfig.{name} must be >= 1, got {getattr(self, name)}")
        if not self.max_width_m > 0.0:
            raise ValueError(f"EvaluationConfig.max_width_m must be positive, got {self.max_width_m}")
        if not self.frictions or min(self.frictions) <= 0.0 or sorted(self.frictions) != list(self.frictions):
            raise ValueError(f"EvaluationConfig.frictions must be positive and rise, got {self.frictions}")
