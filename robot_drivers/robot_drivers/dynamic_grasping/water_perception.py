# SPDX-License-Identifier: Apache-2.0
"""Grasps of what swims in a tank, from one image of a camera above the water."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import BoolArray, Float64Array
from anygrasp_perception.camera import RgbdFrame
from anygrasp_perception.cloud import PointCloud
from anygrasp_perception.detector import DetectionRequest, Detector
from anygrasp_perception.detectors import create_detector
from anygrasp_perception.geometric_detector import GeometricDetector, GeometricDetectorConfig
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.grasp_sampling import GraspSamplingConfig
from anygrasp_perception.gripper import GripperGeometry
from anygrasp_perception.network_detector import NetworkDetector
from anygrasp_perception.refraction import undo_refraction
from anygrasp_perception.se3 import inverse, transform_points
from anygrasp_tracking.dense_detection import dense_detector
from anygrasp_tracking.tracking_frame import TrackingFrame

__all__ = [
    "LONG_JAWS",
    "PerceiveWater",
    "WaterPerception",
    "WaterPerceptionConfig",
    "check_fits",
    "create_water_detector",
]

# What `WaterPerception` takes and returns, wherever it is computed; PerceptionError where that fails.
PerceiveWater = Callable[[RgbdFrame, float, Float64Array, Float64Array, Float64Array | None], TrackingFrame]

_Corner = tuple[float, float, float]

# The stroke of a Robotiq 2F-85 with printed jaws that reach into the water (paper, Fig. 5).
LONG_JAWS = GripperGeometry(
    finger_height_m=0.022,
    finger_length_m=0.15,
    base_length_m=0.11,
    base_width_m=0.15,
    base_height_m=0.075,
)

_NOISE_M = 0.02  # by which noise and waves put points above the surface or below the floor


@dataclass(frozen=True)
class WaterPerceptionConfig:
    """The tank as the robot knows it, base frame, and what is looked for. Raises ValueError out of range."""

    water_min_m: _Corner = (0.29, -0.29, -0.17)  # lower corner; its z is the floor
    water_max_m: _Corner = (0.71, 0.29, -0.05)  # upper corner; its z is the surface
    refractive_index: float = 1.33  # 1 leaves depths as the camera reports them
    wall_margin_m: float = 0.01  # points so near to a wall are taken for wall
    floor_margin_m: float = 0.025  # what is lower is taken for floor
    approach_cone_rad: float = math.radians(14.0)  # of the approach about straight down
    floor_stride: int = 4  # of the floor every n-th point is enough
    max_grasps: int = 100
    focus_m: float = 0.10  # half the edge of the square that is looked at while something is followed
    opening_m: float = 0.065  # between the own fingers while they wait
    own_margin_m: float = 0.015  # around the own fingers, which are cut out of the cloud
    gripper: GripperGeometry = LONG_JAWS

    def __post_init__(self) -> None:
        if not all(a < b for a, b in zip(self.water_min_m, self.water_max_m, strict=True)):
            raise ValueError(f"water box {self.water_min_m} to {self.water_max_m} m is empty: give min < max")
        if not self.refractive_index >= 1:
            raise ValueError(f"refractive_index is {self.refractive_index}; use 1 or more")
        for name in ("focus_m", "opening_m", "wall_margin_m", "floor_margin_m", "own_margin_m"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; use 0 or more")
        if not 0 < self.approach_cone_rad <= math.pi / 2:
            raise ValueError(f"approach_cone_rad is {self.approach_cone_rad}; use more than 0 up to pi/2")
        if self.floor_stride < 1 or self.max_grasps < 1:
            raise ValueError(
                f"floor_stride {self.floor_stride} and max_grasps {self.max_grasps} must be at least 1"
            )


def check_fits(policy: str, detector: str) -> None:
    """Raise ValueError when the tracking policy cannot do with the grasps of the detector."""
    if policy == "association" and detector != "network":
        raise ValueError(
            f"the policy association needs the features of the detector network, not of {detector!r}: choose "
            "that detector, or the policy appearance"
        )


def create_water_detector(name: str) -> Detector:
    """The detector called so, as tracking and a loop of 5 Hz need it: the network's grasps are dense.

    Raises:
        ValueError, DetectorError, WeightsError: as `create_detector` and `dense_detector`.
    """
    if name == NetworkDetector.name:
        return dense_detector()
    if name != GeometricDetector.name:
        return create_detector(name)
    # All approaches lie in a narrow cone, where more of them at more seeds find the same grasps.
    return GeometricDetector(
        GeometricDetectorConfig(sampling=GraspSamplingConfig(max_seeds=120, random_approaches=2))
    )


class WaterPerception:
    """Any detector, given the water alone, with depths corrected for it and the own fingers left out."""

    def __init__(self, detector: Detector, config: WaterPerceptionConfig | None = None) -> None:
        self.config = config or WaterPerceptionConfig()
        self._detector = detector

    def __call__(
        self,
        image: RgbdFrame,
        time_s: float,
        T_base_camera: Float64Array,
        T_base_tcp: Float64Array,
        about: Float64Array | None = None,
    ) -> TrackingFrame:
        """Grasps in the base frame, where camera and tool were when the image was taken.

        With a point `about` (3,), base frame, only those within `focus_m` of it, which takes less time.

        The frame has no grasps when nothing of the water is seen.
        """
        lower, upper = np.array(self.config.water_min_m), np.array(self.config.water_max_m)
        if about is not None:
            lower[:2] = np.maximum(lower[:2], about[:2] - self.config.focus_m)
            upper[:2] = np.minimum(upper[:2], about[:2] + self.config.focus_m)
        cloud = self._water(image.cloud(), T_base_camera, T_base_tcp, lower, upper)
        if len(cloud) == 0:
            return TrackingFrame(time_s, GraspGroup.empty(), cloud, T_base_camera)
        result = self._detector.detect(cloud, self._request(T_base_camera, lower, upper))
        grasps = result.grasps.transformed(T_base_camera)
        at = transform_points(T_base_camera, cloud.points)
        raised = at[at[:, 2] > self.config.water_min_m[2] + self.config.floor_margin_m]
        return TrackingFrame(time_s, grasps, cloud, T_base_camera, result, raised)

    def _water(
        self,
        cloud: PointCloud,
        T_base_camera: Float64Array,
        T_base_tcp: Float64Array,
        lower: Float64Array,
        upper: Float64Array,
    ) -> PointCloud:
        """The points in a box of water, camera frame."""
        config = self.config
        height = float(T_base_camera[2, 3]) - config.water_max_m[2]
        if height <= 0:
            return cloud.crop(np.zeros(0, dtype=np.intp))
        # What bends moves it sideways by less than the water is deep: the rest need not be looked at.
        margin = config.water_max_m[2] - config.water_min_m[2] + _NOISE_M
        seen = transform_points(T_base_camera, cloud.points)[:, :2]
        cloud = cloud.crop(
            np.flatnonzero(np.all((seen > lower[:2] - margin) & (seen < upper[:2] + margin), axis=1))
        )
        down = -T_base_camera[2, :3]
        points = undo_refraction(cloud.points, down, height, config.refractive_index)
        at = transform_points(T_base_camera, points)
        inset = np.array([config.wall_margin_m, config.wall_margin_m, -_NOISE_M])
        kept = np.all((at >= lower + inset) & (at <= upper - inset), axis=1) & ~self._own(at, T_base_tcp)
        index = np.flatnonzero(kept)
        on_floor = at[index, 2] < config.water_min_m[2] + config.floor_margin_m / 2
        index = np.concatenate([index[~on_floor], index[on_floor][:: config.floor_stride]])
        return PointCloud(
            points[index],
            None if cloud.colors is None else cloud.colors[index],
            None if cloud.pixels is None else cloud.pixels[index],
        )

    def _own(self, at: Float64Array, T_base_tcp: Float64Array) -> BoolArray:
        """Which points (N, 3), base frame, lie where the open gripper is."""
        gripper, margin = self.config.gripper, self.config.own_margin_m
        x, y, z = transform_points(inverse(T_base_tcp), at).T
        outside = self.config.opening_m / 2 + gripper.finger_thickness_m + margin
        between = self.config.opening_m / 2 - margin
        beside = (np.abs(y) < outside) & (np.abs(y) > between)
        return np.asarray(beside & (np.abs(x) < gripper.finger_height_m / 2 + margin) & (z < margin))

    def _request(
        self, T_base_camera: Float64Array, lower: Float64Array, upper: Float64Array
    ) -> DetectionRequest:
        config = self.config
        return DetectionRequest(
            region_min=lower + np.array([0.0, 0.0, config.floor_margin_m]),
            region_max=upper + np.array([0.0, 0.0, _NOISE_M]),
            T_region_camera=T_base_camera,
            approach=-T_base_camera[2, :3],
            approach_cone_rad=config.approach_cone_rad,
            gripper=config.gripper,
            max_grasps=config.max_grasps,
        )
