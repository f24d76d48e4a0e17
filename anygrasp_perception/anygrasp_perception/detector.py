# SPDX-License-Identifier: Apache-2.0
"""What every grasp detector takes and gives: request, result and the `Detector` interface."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anygrasp_perception.arrays import BoolArray, Float32Array, Float64Array, check_vector
from anygrasp_perception.cloud import PointCloud
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.gripper import ROBOTIQ_2F85, GripperGeometry
from anygrasp_perception.reject_reason import RejectCounts
from anygrasp_perception.se3 import check_transform, inverse, rotate

__all__ = [
    "DetectionRequest",
    "DetectionResult",
    "Detector",
    "DetectorError",
    "SeedFeatures",
    "check_request",
]


class DetectorError(RuntimeError):
    """A detector that cannot be made here; the message names the fix."""


@dataclass(frozen=True, eq=False)
class DetectionRequest:
    """What to look for in one cloud. Raises ValueError on fields that contradict each other."""

    region_min: Float64Array | None = None  # (3,) corner of the box that holds the grasp centres, metres
    region_max: Float64Array | None = None  # (3,) opposite corner
    T_region_camera: Float64Array = field(default_factory=lambda: np.eye(4))  # frame of the box
    target_mask: BoolArray | None = None  # (N,) over the cloud: grasp these points; collide with all
    approach: Float64Array | None = None  # (3,) axis of the approach cone, camera frame, any length
    approach_cone_rad: float = np.pi  # half angle of the cone, (0, pi]
    gripper: GripperGeometry = ROBOTIQ_2F85
    max_grasps: int = 100
    seed: int = 0
    dense: bool = False  # keep near-duplicates and low scores: no non-maximum suppression

    def __post_init__(self) -> None:
        if (self.region_min is None) != (self.region_max is None):
            raise ValueError("region_min and region_max must be given together")
        if self.region_min is not None and self.region_max is not None:
            lower = check_vector(self.region_min, "region_min")
            upper = check_vector(self.region_max, "region_max")
            if (lower > upper).any():
                raise ValueError(f"region_min {lower} must not be above region_max {upper}")
            object.__setattr__(self, "region_min", lower)
            object.__setattr__(self, "region_max", upper)
        object.__setattr__(self, "T_region_camera", check_transform(self.T_region_camera, "T_region_camera"))
        if self.target_mask is not None and (
            self.target_mask.dtype != np.bool_ or self.target_mask.ndim != 1
        ):
            raise ValueError(
                f"target_mask must be (N,) bool, got {self.target_mask.shape} {self.target_mask.dtype}"
            )
        if self.approach is not None:
            approach = check_vector(self.approach, "approach")
            if np.linalg.norm(approach) < 1e-9:
                raise ValueError("approach must not be zero")
            object.__setattr__(self, "approach", approach)
        if not 0.0 < self.approach_cone_rad <= np.pi:
            raise ValueError(f"approach_cone_rad must be in (0, pi], got {self.approach_cone_rad}")
        if self.max_grasps < 1:
            raise ValueError(f"max_grasps must be at least 1, got {self.max_grasps}")

    def along(
        self, axis: ArrayLike, half_angle_rad: float, T_axis_camera: ArrayLike | None = None
    ) -> DetectionRequest:
        """Return the request for approaches within `half_angle_rad`, in (0, pi], of `axis` (3,).

        `T_axis_camera` (4, 4) maps the camera's frame to that of the axis, identity when None: straight down
        in the robot's base is `along((0, 0, -1), angle, T_base_camera)`. Raises ValueError on a zero axis, an
        angle out of range, or a matrix that is no transform.
        """
        direction = check_vector(axis, "axis")
        if T_axis_camera is not None:
            direction = rotate(inverse(check_transform(T_axis_camera, "T_axis_camera")), direction)
        return dataclasses.replace(self, approach=direction, approach_cone_rad=half_angle_rad)

    def for_points(self, selection: NDArray[Any]) -> DetectionRequest:
        """Return the request for a cloud cropped by `selection` (mask or indices): its mask cropped alike."""
        if self.target_mask is None:
            return self
        return dataclasses.replace(self, target_mask=self.target_mask[selection])

    def with_target(self, target_mask: BoolArray | None) -> DetectionRequest:
        """Return the request for other points of the same scene: `target_mask` is over these."""
        return dataclasses.replace(self, target_mask=target_mask)


@dataclass(frozen=True, eq=False)
class SeedFeatures:
    """What a network knows about its S seeds, for the association over time (paper IV-B.2).

    The `seed_ids` of grasps, however they were filtered or moved, are rows of it.
    """

    seed: Float32Array  # (S, C) seed features
    grasp: Float32Array  # (S, C') grasp features, along the seed's view


@dataclass(frozen=True, eq=False)
class DetectionResult:
    """Grasps of one cloud; `rejected.total + len(grasps) == candidates`."""

    grasps: GraspGroup  # camera frame, best first
    candidates: int  # examined before any was dropped
    rejected: RejectCounts
    durations_s: dict[str, float]  # wall time by stage
    detector: str  # name of the detector
    features: SeedFeatures | None = None  # of a detector that has some


class Detector(Protocol):
    """Finds grasps in a cloud in the camera's optical frame."""

    name: str

    def detect(self, cloud: PointCloud, request: DetectionRequest) -> DetectionResult:
        """Return grasps in the cloud's frame; deterministic for one request.

        Raises ValueError when the cloud is empty or `request.target_mask` does not fit it.
        """
        ...


def check_request(cloud: PointCloud, request: DetectionRequest) -> None:
    """Raise ValueError when the cloud is empty or the request's mask does not fit it."""
    if len(cloud) == 0:
        raise ValueError("the cloud is empty: nothing was measured; check the depth image")
    if request.target_mask is not None and len(request.target_mask) != len(cloud):
        raise ValueError(
            f"target_mask has {len(request.target_mask)} entries for a cloud of {len(cloud)} points; "
            "crop it with the cloud (DetectionRequest.for_points)"
        )
