# SPDX-License-Identifier: Apache-2.0
"""What the association network is told about each grasp of a frame (paper IV-B.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from anygrasp_perception.arrays import Float32Array, Float64Array, IntpArray
from anygrasp_perception.cloud import PointCloud
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.network.cylinder import group_cylinders
from anygrasp_perception.network.network_config import NetworkConfig
from anygrasp_perception.se3 import inverse
from anygrasp_tracking.association_config import AssociationNetworkConfig
from anygrasp_tracking.tracking_frame import TrackingFrame

__all__ = [
    "POSE_NUMBERS",
    "AssociationInput",
    "FeaturesMissing",
    "cylinder_colors",
    "gather_input",
    "pose_numbers",
]

POSE_NUMBERS = 12
_GREY = 0.5


class FeaturesMissing(ValueError):
    """A frame whose grasps cannot be described with these weights; the message names the fix."""


@dataclass(frozen=True, eq=False)
class AssociationInput:
    """One row for each of N grasps."""

    seed: Float32Array  # (N, C) features of its seed
    grasp: Float32Array  # (N, C') grasp features
    colors: Float32Array  # (N, K, 3) RGB in [0, 1] of points in its cylinder
    pose: Float32Array  # (N, 12) see `pose_numbers`

    def __len__(self) -> int:
        return len(self.seed)


def gather_input(frame: TrackingFrame, config: AssociationNetworkConfig) -> AssociationInput:
    """Collect what the network takes, from the detection that travels with the frame.

    Raises:
        FeaturesMissing: the grasps do not come from a network, or from one with other feature sizes.
    """
    features = None if frame.detection is None else frame.detection.features
    seeds = frame.grasps.seed_ids
    if len(frame.grasps) == 0:
        return _no_grasps(config)
    if features is None or seeds.min() < 0 or seeds.max() >= len(features.seed):
        detector = "none" if frame.detection is None else repr(frame.detection.detector)
        raise FeaturesMissing(
            "the association network needs grasps with the features of the network that found them, "
            f"detector: {detector}; use the detector 'network' and pass its result with the frame, or choose "
            "the policy 'appearance' or 'nearest'"
        )
    config_sizes = (config.seed_channels, config.grasp_channels)
    sizes = (features.seed.shape[1], features.grasp.shape[1])
    if sizes != config_sizes:
        raise FeaturesMissing(
            f"the association weights are for seed and grasp features of {config_sizes} channels, those of "
            f"this geometry network have {sizes}; train others: anygrasp-train association --geometry"
        )
    grasps = frame.grasps.transformed(inverse(frame.T_fixed_camera))
    return AssociationInput(
        seed=features.seed[seeds],
        grasp=features.grasp[seeds],
        colors=cylinder_colors(grasps, frame.cloud, config),
        pose=pose_numbers(grasps, config.position_scale_m),
    )


def pose_numbers(grasps: GraspGroup, position_scale_m: float) -> Float32Array:
    """Return (N, 12): approach (3), the closing direction's outer product (6), position over the scale (3).

    In the group's frame. A grasp and its half turn about the approach are the same, and get the same
    numbers; the nine of a rotation matrix would not.
    """
    y = grasps.closing_directions
    rows, columns = np.triu_indices(3)
    outer = y[:, rows] * y[:, columns]
    position = grasps.translations / position_scale_m
    return np.concatenate([grasps.approaches, outer, position], axis=1).astype(np.float32)


def cylinder_colors(
    grasps: GraspGroup, cloud: PointCloud | None, config: AssociationNetworkConfig
) -> Float32Array:
    """Return RGB (N, K, 3) of K points in the cylinder of each grasp; grey where there is none.

    `grasps` and `cloud` in the camera frame. The same cloud gives the same points.
    """
    count = len(grasps)
    grey = np.full((count, config.color_points, 3), _GREY, dtype=np.float32)
    if count == 0 or cloud is None or cloud.colors is None:
        return grey
    centers = grasps.translations
    reach = float(np.hypot(config.color_radius_m, max(-config.color_min_m, config.color_max_m)))
    near = _in_box(cloud.points, centers.min(axis=0) - reach, centers.max(axis=0) + reach)
    near = near[:: max(1, -(-len(near) // config.color_pool))]
    if len(near) == 0:
        return grey
    pool = np.random.default_rng(0).permutation(len(near)) + count
    # The first rows are the grasp centres; a cylinder without a point repeats its own.
    points = np.concatenate([centers.astype(np.float32), cloud.points[near]])
    colors = np.concatenate([np.full((count, 3), _GREY, np.float32), cloud.colors[near].astype(np.float32)])
    rows, _ = group_cylinders(
        torch.from_numpy(points),
        torch.from_numpy(pool),
        torch.arange(count),
        torch.from_numpy(grasps.rotation_matrices.astype(np.float32)),
        NetworkConfig(
            cylinder_radius_m=config.color_radius_m,
            cylinder_min_m=config.color_min_m,
            cylinder_max_m=config.color_max_m,
            cylinder_samples=config.color_points,
        ),
    )
    return np.asarray(colors[rows.numpy()])


def _in_box(points: Float32Array, lower: Float64Array, upper: Float64Array) -> IntpArray:
    x, y, z = points.T  # axis by axis is several times as fast
    inside = (
        (x > lower[0]) & (x < upper[0]) & (y > lower[1]) & (y < upper[1]) & (z > lower[2]) & (z < upper[2])
    )
    return np.flatnonzero(inside)


def _no_grasps(config: AssociationNetworkConfig) -> AssociationInput:
    return AssociationInput(
        seed=np.zeros((0, config.seed_channels), np.float32),
        grasp=np.zeros((0, config.grasp_channels), np.float32),
        colors=np.zeros((0, config.color_points, 3), np.float32),
        pose=np.zeros((0, POSE_NUMBERS), np.float32),
    )
