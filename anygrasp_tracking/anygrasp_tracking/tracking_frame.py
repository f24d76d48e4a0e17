# SPDX-License-Identifier: Apache-2.0
"""What a tracker sees of one moment: the grasps, and what they were found in."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.cloud import PointCloud
from anygrasp_perception.detector import DetectionResult
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.se3 import check_transform

__all__ = ["TrackingFrame"]


@dataclass(frozen=True, eq=False)
class TrackingFrame:
    """The grasps of one image in a frame that stands still, such as the robot's base.

    The camera may move; a target that stands still then stays where it is.
    Raises ValueError on a stamp that is not finite or a transform that is not rigid.
    """

    time_s: float  # stamp of the image
    grasps: GraspGroup  # N grasps, fixed frame
    cloud: PointCloud | None = None  # what they were found in, camera frame
    T_fixed_camera: Float64Array = field(default_factory=lambda: np.eye(4))  # (4, 4)
    detection: DetectionResult | None = None  # a network's own features travel with it
    raised: Float64Array | None = None  # (P, 3) points above the support, fixed frame, where that is known

    def __post_init__(self) -> None:
        if not math.isfinite(self.time_s):
            raise ValueError(f"time_s is {self.time_s}; give the stamp of the image in seconds")
        check_transform(self.T_fixed_camera, "T_fixed_camera")
