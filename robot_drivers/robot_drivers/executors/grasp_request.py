# SPDX-License-Identifier: Apache-2.0
"""What bin picking asks of a grasp detector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.detector import DetectionRequest
from anygrasp_perception.gripper import ROBOTIQ_2F85, GripperGeometry

__all__ = ["Corner", "GraspClientConfig", "detection_request"]

Corner = tuple[float, float, float]


@dataclass(frozen=True)
class GraspClientConfig:
    """What is asked of the detection node; raises ValueError on values that are not positive."""

    max_grasps: int = 50  # grasps asked for; the executor takes the best that it may and can reach
    image_timeout_s: float = 5.0  # how long the detection node may wait for a new image
    answer_timeout_s: float = 20.0  # how long the answer may take, waiting for the image included
    tf_timeout_s: float = 1.0  # how long to wait for the camera's transform
    approach_cone_deg: float = 25.0  # from straight down, as far as the safety limits allow (paper V-B)

    def __post_init__(self) -> None:
        for name in (
            "max_grasps",
            "image_timeout_s",
            "answer_timeout_s",
            "tf_timeout_s",
            "approach_cone_deg",
        ):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")


def detection_request(
    config: GraspClientConfig,
    region_m: tuple[Corner, Corner],
    T_base_camera: Float64Array,
    seed: int = 0,
    gripper: GripperGeometry = ROBOTIQ_2F85,
) -> DetectionRequest:
    """The request for one image: grasp centres in `region_m` (base frame), approaches near straight down."""
    return DetectionRequest(
        region_min=np.array(region_m[0]),
        region_max=np.array(region_m[1]),
        T_region_camera=T_base_camera,
        approach=T_base_camera[:3, :3].T @ np.array([0.0, 0.0, -1.0]),
        approach_cone_rad=float(np.deg2rad(config.approach_cone_deg)),
        gripper=gripper,
        max_grasps=config.max_grasps,
        seed=seed,
    )
