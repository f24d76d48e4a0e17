# SPDX-License-Identifier: Apache-2.0
"""Runs a detector over frames of a dataset, inside the workspace, as the GraspNet tools do."""

from __future__ import annotations

import numpy as np

from anygrasp_perception.camera import depth_to_points
from anygrasp_perception.detector import DetectionRequest, DetectionResult, Detector
from anygrasp_perception.gripper import ROBOTIQ_2F85, GripperGeometry
from anygrasp_perception.se3 import transform_points
from anygrasp_training.dataset import DatasetFrame

__all__ = ["detect_in_frame", "workspace_request"]

_WORKSPACE_MARGIN_M = 0.02  # of the GraspNet tools


def workspace_request(
    frame: DatasetFrame, max_grasps: int, seed: int = 0, gripper: GripperGeometry = ROBOTIQ_2F85
) -> DetectionRequest:
    """Ask for grasps centred in the box, in the table frame, about all that is measured of the objects.

    The whole view where nothing is: whatever the detector finds there is then evaluated.
    """
    measured = depth_to_points(frame.depth_m, frame.intrinsics)[frame.label > 0]
    points = transform_points(frame.T_table_camera, measured[np.isfinite(measured).all(axis=1)])
    if len(points) == 0:
        return DetectionRequest(gripper=gripper, max_grasps=max_grasps, seed=seed)
    return DetectionRequest(
        region_min=points.min(axis=0) - _WORKSPACE_MARGIN_M,
        region_max=points.max(axis=0) + _WORKSPACE_MARGIN_M,
        T_region_camera=frame.T_table_camera,
        gripper=gripper,
        max_grasps=max_grasps,
        seed=seed,
    )


def detect_in_frame(
    detector: Detector,
    frame: DatasetFrame,
    max_grasps: int,
    whole_view: bool = False,
    seed: int = 0,
    gripper: GripperGeometry = ROBOTIQ_2F85,
) -> DetectionResult:
    """Detect at most `max_grasps` grasps for a gripper, in the workspace or in all that the camera sees."""
    if whole_view:
        request = DetectionRequest(gripper=gripper, max_grasps=max_grasps, seed=seed)
    else:
        request = workspace_request(frame, max_grasps, seed, gripper)
    return detector.detect(frame.rgbd().cloud(), request)
