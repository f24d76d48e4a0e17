# SPDX-License-Identifier: Apache-2.0
"""The scene as a request sees it: support, object surfaces, and which of them may be grasped."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import BoolArray, Float32Array
from anygrasp_perception.cloud import PointCloud
from anygrasp_perception.detector import DetectionRequest
from anygrasp_perception.object_surface import (
    ObjectSurface,
    ObjectSurfaceConfig,
    build_object_surface,
    voxel_means,
)
from anygrasp_perception.reject_reason import RejectCounts, RejectReason
from anygrasp_perception.se3 import transform_points
from anygrasp_perception.support_plane import SupportPlane, SupportPlaneConfig, estimate_support_plane

__all__ = ["ObservedScene", "ObservedSceneConfig", "in_region", "observe_scene"]

_GRIPPER_REACH_M = 0.15  # around a region: what a gripper inside it may touch
_SUPPORT_REACH_M = 0.05  # around a region: where its support is looked for


@dataclass(frozen=True)
class ObservedSceneConfig:
    """How a cloud becomes a scene. Raises ValueError on values out of range."""

    max_points: int = 160_000  # of larger clouds every second, third, ... point is used
    voxel_m: float = 0.003  # these are averaged over cubes of this edge
    max_object_radius_m: float = 0.2  # without a region, larger things are furniture, such as a bin's walls
    target_share: float = 0.5  # of a cube's points that must lie on the target
    support: SupportPlaneConfig = field(default_factory=SupportPlaneConfig)
    surface: ObjectSurfaceConfig = field(default_factory=ObjectSurfaceConfig)

    def __post_init__(self) -> None:
        for name in ("max_points", "voxel_m", "max_object_radius_m", "target_share"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"ObservedSceneConfig.{name} must be positive, got {getattr(self, name)}")


@dataclass(frozen=True, eq=False)
class ObservedScene:
    """Everything near the requested region, and what of it is asked for."""

    measured: Float32Array  # (N, 3) points used
    surface: ObjectSurface  # M points: all obstacles but the support
    plane: SupportPlane | None
    on_target: BoolArray | None  # (M,) None when the request names no target
    graspable: BoolArray  # (M,) inside the region, on the target, no furniture
    ruled_out: RejectCounts  # the thinned cloud's points that are not graspable, by reason


def observe_scene(
    cloud: PointCloud, request: DetectionRequest, config: ObservedSceneConfig, rng: np.random.Generator
) -> ObservedScene:
    """Find the support and the objects on it in a cloud with points.

    The support is looked for near the region, where there is one: a bin's floor, not the table around it.
    """
    used = slice(None, None, -(-len(cloud) // config.max_points))
    measured = np.ascontiguousarray(cloud.points[used])
    voxels = voxel_means(measured, config.voxel_m)
    points = voxels.means
    near = in_region(points, request, _SUPPORT_REACH_M)
    plane = estimate_support_plane(points[near], rng, config.support)
    standing = in_region(points, request, _GRIPPER_REACH_M)
    if plane is not None:
        standing &= plane.heights(points) > plane.tolerance_m
    index = np.flatnonzero(standing)
    surface = build_object_surface(points[index], config.surface)
    index = index[surface.source]

    inside = in_region(points, request)
    asked = np.ones(len(points), dtype=bool)
    if request.target_mask is not None:
        asked = voxels.share(request.target_mask[used]) >= config.target_share
    object_like = np.zeros(len(points), dtype=bool)
    object_like[index] = True
    if request.region_min is None:
        object_like[index] = surface.radii_m[surface.segment_ids] <= config.max_object_radius_m
    ruled_out = RejectCounts()
    ruled_out.add(RejectReason.OUTSIDE_REGION, int(np.count_nonzero(~inside)))
    ruled_out.add(RejectReason.OFF_TARGET, int(np.count_nonzero(inside & ~asked)))
    ruled_out.add(RejectReason.NO_CONTACT, int(np.count_nonzero(inside & asked & ~object_like)))
    return ObservedScene(
        measured=measured,
        surface=surface,
        plane=plane,
        on_target=None if request.target_mask is None else asked[index],
        graspable=(inside & asked & object_like)[index],
        ruled_out=ruled_out,
    )


def in_region(points: ArrayLike, request: DetectionRequest, margin_m: float = 0.0) -> BoolArray:
    """Which points (N, 3), camera frame, lie in the region asked for, grown by margin_m; without one, all."""
    if request.region_min is None or request.region_max is None:
        return np.ones(len(np.asarray(points)), dtype=bool)
    local = transform_points(request.T_region_camera, points)
    lower, upper = request.region_min - margin_m, request.region_max + margin_m
    return np.asarray(((local >= lower) & (local <= upper)).all(axis=1))
