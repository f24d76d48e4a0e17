# SPDX-License-Identifier: Apache-2.0
"""The plane that objects stand on, found by RANSAC; a scene may have none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import Float32Array, Float64Array

__all__ = ["SupportPlane", "SupportPlaneConfig", "estimate_support_plane"]


@dataclass(frozen=True)
class SupportPlaneConfig:
    """How the support is searched for, and what still counts as support."""

    hypotheses: int = 256  # planes through three random points
    sample_count: int = 2500  # points that vote
    inlier_distance_m: float = 0.006  # about two standard deviations of a D435 at 0.75 m
    see_through_m: float = 0.10  # points this far below a plane speak against it
    min_inlier_share: float = 0.15  # below this the scene has no support plane
    min_extent_m: float = 0.25  # smaller planes are faces of objects
    noise_factor: float = 3.5  # points nearer than this many standard deviations are support
    min_tolerance_m: float = 0.004
    max_tolerance_m: float = 0.010

    def __post_init__(self) -> None:
        if self.hypotheses < 1 or self.sample_count < 3:
            raise ValueError(
                f"hypotheses {self.hypotheses} and sample_count {self.sample_count}: need at least 1 and 3"
            )
        if not 0.0 < self.min_inlier_share <= 1.0:
            raise ValueError(f"min_inlier_share {self.min_inlier_share} is outside (0, 1]")
        if not 0.0 < self.min_tolerance_m <= self.max_tolerance_m:
            raise ValueError(
                f"tolerances {self.min_tolerance_m} to {self.max_tolerance_m} m: need 0 < min <= max"
            )


@dataclass(frozen=True, eq=False)
class SupportPlane:
    """normal . p + offset_m = 0, the normal towards the camera; points within tolerance_m belong to it."""

    normal: Float64Array  # (3,) unit
    offset_m: float
    tolerance_m: float

    def heights(self, points: Float32Array) -> Float32Array:
        """Signed heights (N,) of points (N, 3) above the plane, in metres."""
        return np.asarray(points @ self.normal.astype(np.float32) + np.float32(self.offset_m))


def estimate_support_plane(
    points: Float32Array, rng: np.random.Generator, config: SupportPlaneConfig = SupportPlaneConfig()
) -> SupportPlane | None:
    """The dominant plane of points (N, 3) in the camera frame, or None where no plane dominates.

    A support is opaque: a plane with points shortly below it (the top of a box above a table)
    loses a vote for each of them.
    """
    if len(points) < 50:
        return None
    count = min(config.sample_count, len(points))
    sample = points[rng.choice(len(points), count, replace=False)].astype(np.float64)
    corners = sample[rng.integers(0, count, (config.hypotheses, 3))]  # (H, 3, 3)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    proper = lengths > 1e-6  # twice the triangle's area: collinear or repeated corners span no plane
    if not proper.any():
        return None
    normals, corners = normals[proper] / lengths[proper, None], corners[proper]
    offsets = -np.einsum("hi,hi->h", normals, corners[:, 0])
    towards_camera = np.where(offsets < 0.0, -1.0, 1.0)  # the camera is the origin, its height the offset
    normals, offsets = normals * towards_camera[:, None], offsets * towards_camera

    heights = sample @ normals.T + offsets  # (S, H)
    inliers = np.abs(heights) < config.inlier_distance_m
    below = (heights < -config.inlier_distance_m) & (heights > -config.see_through_m)
    best = int(np.argmax(inliers.sum(axis=0) - below.sum(axis=0)))
    normal, offset, inlier = normals[best], offsets[best], inliers[:, best]
    for _ in range(3):  # least squares on the inliers of the last fit
        if inlier.mean() < config.min_inlier_share:
            return None
        centroid = sample[inlier].mean(axis=0)
        axes = np.linalg.svd(sample[inlier] - centroid, full_matrices=False)[2]
        normal = axes[2] if axes[2] @ normal > 0 else -axes[2]
        offset = -normal @ centroid
        residual = sample @ normal + offset
        inlier = np.abs(residual) < config.inlier_distance_m
    extent = np.ptp((sample[inlier] - centroid) @ axes[:2].T, axis=0)
    if np.linalg.norm(extent) < config.min_extent_m:
        return None
    # 1.4826 times the median absolute residual is the standard deviation, untouched by outliers.
    deviation = 1.4826 * float(np.median(np.abs(residual[np.abs(residual) < 2 * config.inlier_distance_m])))
    tolerance = float(
        np.clip(config.noise_factor * deviation, config.min_tolerance_m, config.max_tolerance_m)
    )
    return SupportPlane(normal=normal, offset_m=float(offset), tolerance_m=tolerance)
