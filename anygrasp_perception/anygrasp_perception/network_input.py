# SPDX-License-Identifier: Apache-2.0
"""What of a cloud a detection looks at: what the network sees, and what the gripper may hit around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import BoolArray, Float32Array, IntpArray
from anygrasp_perception.cloud import PointCloud
from anygrasp_perception.collision import CollisionConfig
from anygrasp_perception.compiled import compiled
from anygrasp_perception.detector import DetectionRequest
from anygrasp_perception.gripper import GripperGeometry
from anygrasp_perception.network.voxel_cloud import VoxelCloud
from anygrasp_perception.reject_reason import RejectCounts, RejectReason

__all__ = ["NearScene", "NearSceneConfig", "gripper_reach_m", "look_near", "share_of_points"]

_DEEPEST_M = 0.04  # of the network's depths: how far fingertips reach past a grasp centre


@dataclass(frozen=True)
class NearSceneConfig:
    """Range of the detection. Raises ValueError on values out of range."""

    min_depth_m: float = 0.1
    max_depth_m: float = 1.5  # farther points were not trained on, and no arm reaches them
    context_m: float = 0.15  # around a region or target: what the network sees to judge it
    max_points: int = 110_000  # of more every second, third, ... one is used

    def __post_init__(self) -> None:
        if not 0 <= self.min_depth_m < self.max_depth_m:
            raise ValueError(
                f"NearSceneConfig needs 0 <= min_depth_m < max_depth_m, got {self.min_depth_m} and "
                f"{self.max_depth_m}"
            )
        if not self.context_m >= 0:
            raise ValueError(f"NearSceneConfig.context_m must be 0 or more, got {self.context_m}")
        if self.max_points < 1:
            raise ValueError(f"NearSceneConfig.max_points must be at least 1, got {self.max_points}")


@dataclass(frozen=True, eq=False)
class NearScene:
    """P points within range of the camera that the gripper may touch on its way to what is asked for."""

    points: Float32Array  # (P, 3) metres
    visible: BoolArray  # (P,) of them the network sees: region and target, and what is around them
    target: BoolArray | None  # (P,) on the target; None when the request names none
    ruled_out: RejectCounts  # why the cloud's other points are not asked for; empty unless none is


def look_near(cloud: PointCloud, request: DetectionRequest, config: NearSceneConfig) -> NearScene:
    """Crop a cloud with points to what matters for the request, and thin what is left."""
    points = np.require(cloud.points, np.float32, ("C", "W"))  # another kind would be compiled for
    rows = _in_range(points, config.min_depth_m, config.max_depth_m)
    in_range = len(rows)
    outside = _distance_outside(points, rows, request)
    reachable = outside <= max(gripper_reach_m(request.gripper), config.context_m)
    rows, outside = rows[reachable], outside[reachable]
    step = max(1, -(-len(rows) // config.max_points))
    rows, visible = rows[::step], outside[::step] <= config.context_m
    ruled_out = RejectCounts()
    if not visible.any():
        far = len(cloud) - in_range
        nothing_asked_for = (
            RejectReason.OUTSIDE_REGION if request.target_mask is None else RejectReason.OFF_TARGET
        )
        ruled_out.add(RejectReason.OUT_OF_RANGE, far)
        ruled_out.add(nothing_asked_for, len(cloud) - far)
    target = None if request.target_mask is None else request.target_mask[rows]
    return NearScene(points[rows], visible, target, ruled_out)


def gripper_reach_m(gripper: GripperGeometry) -> float:
    """Farthest part of the gripper, and of its way in, from the grasp centre."""
    behind = gripper.finger_length_m + gripper.base_length_m + CollisionConfig().approach_clearance_m
    side = gripper.base_width_m / 2, gripper.base_height_m / 2
    return float(np.linalg.norm((max(behind, _DEEPEST_M), *side)))


def share_of_points(voxels: VoxelCloud, mask: BoolArray) -> Float32Array:
    """Return the share (N,) of each voxel's points that are in the mask (P,)."""
    used = voxels.of_point >= 0
    counts = np.bincount(voxels.of_point[used], minlength=len(voxels))
    hits = np.bincount(voxels.of_point[used & mask], minlength=len(voxels))
    return np.asarray(hits / np.maximum(counts, 1), dtype=np.float32)


def _distance_outside(points: Float32Array, rows: IntpArray, request: DetectionRequest) -> Float32Array:
    """How far (R,) the rows lie outside the region and outside the target's box, along the farthest axis."""
    outside = np.zeros(len(rows), dtype=np.float32)
    if request.region_min is not None and request.region_max is not None:
        _raise_to_outside(
            outside, points, rows, request.T_region_camera[:3], request.region_min, request.region_max
        )
    if request.target_mask is not None:
        target = points[rows[request.target_mask[rows]]]
        if len(target) == 0:
            return np.full(len(rows), np.inf, dtype=np.float32)
        _raise_to_outside(outside, points, rows, np.eye(3, 4), target.min(axis=0), target.max(axis=0))
    return outside


def _raise_to_outside(
    outside: Float32Array,
    points: Float32Array,
    rows: IntpArray,
    T_box_points: ArrayLike,
    lower: ArrayLike,
    upper: ArrayLike,
) -> None:
    """Let `outside` (R,) be no less than how far the rows lie outside the box."""
    T, low, high = (np.array(values, dtype=np.float32) for values in (T_box_points, lower, upper))
    _farthest_outside(outside, points, rows, T, low, high)


@compiled
def _in_range(points: Float32Array, min_depth_m: float, max_depth_m: float) -> IntpArray:
    """Rows of points (P, 3) in that range of depth that a lens may see."""
    rows = np.empty(len(points), dtype=np.intp)
    found = 0
    sideways = 2 * max_depth_m  # of any lens
    for row in range(len(points)):
        rows[found] = row
        inside = (points[row, 2] > min_depth_m) & (points[row, 2] < max_depth_m)
        found += inside & (abs(points[row, 0]) < sideways) & (abs(points[row, 1]) < sideways)
    return rows[:found].copy()


@compiled
def _farthest_outside(
    outside: Float32Array,
    points: Float32Array,
    rows: IntpArray,
    T_box_points: Float32Array,
    low: Float32Array,
    high: Float32Array,
) -> None:
    for number in range(len(rows)):
        row = rows[number]
        for axis in range(3):
            along = T_box_points[axis, 3]
            for k in range(3):
                along += T_box_points[axis, k] * points[row, k]
            outside[number] = max(outside[number], low[axis] - along, along - high[axis])
