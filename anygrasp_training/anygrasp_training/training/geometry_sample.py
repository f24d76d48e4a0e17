# SPDX-License-Identifier: Apache-2.0
"""One image as a training sample: voxels, what they are, and label points with their grasps."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from anygrasp_perception.arrays import BoolArray, Float32Array, Float64Array, IntpArray, Uint8Array
from anygrasp_perception.camera import depth_to_points
from anygrasp_perception.grasp import fibonacci_views
from anygrasp_perception.network.voxel_cloud import VoxelCloud, voxelise
from anygrasp_perception.se3 import transform_points
from anygrasp_training.dataset import DatasetError, DatasetFrame
from anygrasp_training.training.augmentation import draw_motion
from anygrasp_training.training.geometry_config import AugmentationConfig, SampleConfig
from anygrasp_training.training.scene_targets import ObjectTargets

__all__ = ["IGNORED", "GeometrySample", "make_sample"]

IGNORED = -1
_LEAST_MARGIN_M = 0.02
_MAX_DEPTH_M = 1.5


@dataclass(frozen=True, eq=False)
class GeometrySample:
    """One cloud of N voxels with its labels; K objects; S seeds, voxels that lie at label points."""

    cloud: VoxelCloud
    objectness: IntpArray  # (N,) 1 object, 0 background, IGNORED
    graspness: Float32Array  # (N,) in [0, 1], NaN unknown
    seeds: IntpArray  # (S,) rows of voxels
    seed_objects: IntpArray  # (S,)
    view_scores: Float32Array  # (S, 300) in [0, 1], of the network's views
    T_camera_objects: Float64Array  # (K, 4, 4), with determinant -1 in a mirrored sample
    label_views: IntpArray  # (K, 300) the label view nearest to each of the network's views
    friction_codes: Uint8Array  # (S, 300, 12, 5) by label view, as in ObjectGraspLabels
    opening_codes: Uint8Array  # (S, 300, 12, 5)
    stable_codes: Uint8Array  # (S, 300, 12) stable score x 255


def make_sample(
    frame: DatasetFrame,
    targets: list[ObjectTargets],
    voxel_m: float,
    config: SampleConfig,
    rng: np.random.Generator,
    augment: bool = True,
) -> GeometrySample | None:
    """Build a sample from one view, or None where there is nothing to learn from.

    `targets` in the order of `frame.object_ids`. Without `augment` the crop is fixed and nothing moves.
    """
    frame = dataclasses.replace(frame, depth_m=_seen_depth(frame, config, rng))
    points = depth_to_points(frame.depth_m, frame.intrinsics).reshape(-1, 3)
    label = frame.label.ravel()
    valid = (points[:, 2] > 0) & (points[:, 2] < _MAX_DEPTH_M)  # NaN is neither
    rows = np.flatnonzero(valid & _in_crop(points, label, valid, frame, config.augmentation, rng, augment))
    if len(rows) == 0:
        return None
    motion = draw_motion(config.augmentation, rng) if augment else np.eye(4)
    moved = transform_points(motion, points[rows]).astype(np.float32)
    cloud = voxelise(moved, voxel_m, config.max_voxels, rng)
    poses = motion @ frame.T_camera_objects
    owner, objectness = _owners(frame, rows, cloud, config)
    graspness = np.full(len(cloud), np.nan, dtype=np.float32)
    candidates = []
    for index, (target, T_camera_object) in enumerate(zip(targets, poses, strict=True)):
        own = np.flatnonzero(owner == index)
        if len(own) == 0:
            continue
        label_points = transform_points(T_camera_object, target.cells.points_m)
        distance, nearest = cKDTree(label_points).query(cloud.points[own])
        known = distance < config.label_distance_m
        graspness[own[known]] = target.graspness[nearest[known]]
        distance, row = cKDTree(cloud.points[own]).query(label_points)
        near = np.flatnonzero(distance < config.seed_distance_m)
        candidates.append(np.column_stack([np.full(len(near), index), near, own[row[near]]]))
    if not candidates:
        return None
    return _sample(cloud, objectness, graspness, np.concatenate(candidates), targets, poses, config, rng)


def _seen_depth(frame: DatasetFrame, config: SampleConfig, rng: np.random.Generator) -> Float32Array:
    if config.depth == "sensor":
        return frame.depth_m
    clean = frame.clean_depth_m
    if clean is None:
        raise DatasetError(
            f"depth {config.depth!r} needs the dataset's depth_clean/ images; use sensor depth"
        )
    if config.depth == "clean":
        return clean
    spread = config.gaussian_m * (clean / 0.5) ** 2
    noisy = clean + spread * rng.standard_normal(clean.shape, dtype=np.float32)
    return np.where(clean > 0, noisy, 0).astype(np.float32)


def _in_crop(
    points: Float32Array,
    label: np.ndarray,
    valid: BoolArray,
    frame: DatasetFrame,
    config: AugmentationConfig,
    rng: np.random.Generator,
    augment: bool,
) -> BoolArray:
    """Which points lie in a box, in the table frame, around the objects: clouds of many extents."""
    everything = np.ones(len(points), dtype=np.bool_)
    seen = valid & (label > 0)
    if not seen.any() or (augment and rng.random() < config.whole_view_probability):
        return everything
    margin = np.full(4, 0.1)
    if augment:
        margin = rng.uniform(_LEAST_MARGIN_M, config.max_margin_m, size=4)
    on_table = transform_points(frame.T_table_camera, np.where(valid[:, None], points, 0.0))[:, :2]
    low, high = on_table[seen].min(axis=0) - margin[:2], on_table[seen].max(axis=0) + margin[2:]
    return np.asarray(((on_table >= low) & (on_table <= high)).all(axis=1))


def _owners(
    frame: DatasetFrame, rows: IntpArray, cloud: VoxelCloud, config: SampleConfig
) -> tuple[IntpArray, IntpArray]:
    """Index (N,) of the object in each voxel, -1 for none, and objectness (N,)."""
    in_voxel = cloud.of_point >= 0
    of_point = cloud.of_point[in_voxel]
    label = frame.label.ravel()[rows][in_voxel]
    trusted = np.ones(len(label), dtype=np.bool_)
    if frame.clean_depth_m is not None:
        # At edges the sensor reports another surface than the one that the label was drawn from.
        error = np.abs(frame.depth_m - frame.clean_depth_m).ravel()[rows][in_voxel]
        trusted = error < config.depth_error_m
    counts = np.bincount(of_point, minlength=len(cloud))
    on_object = np.bincount(of_point[(label > 0) & trusted], minlength=len(cloud)) / counts
    on_background = np.bincount(of_point[(label == 0) & trusted], minlength=len(cloud)) / counts
    objectness = np.full(len(cloud), IGNORED, dtype=np.intp)
    objectness[on_background > 0.5] = 0
    objectness[on_object > 0.5] = 1
    index_of = {object_id + 1: index for index, object_id in enumerate(frame.object_ids)}
    table = np.full(int(frame.label.max(initial=0)) + 1, -1, dtype=np.intp)
    for value, index in index_of.items():
        if value < len(table):
            table[value] = index
    owner = np.full(len(cloud), -1, dtype=np.intp)
    mine = (label > 0) & trusted
    owner[of_point[mine]] = table[label[mine]]
    owner[objectness != 1] = -1
    return owner, objectness


def _sample(
    cloud: VoxelCloud,
    objectness: IntpArray,
    graspness: Float32Array,
    candidates: IntpArray,  # (C, 3) object, label point, voxel
    targets: list[ObjectTargets],
    poses: Float64Array,
    config: SampleConfig,
    rng: np.random.Generator,
) -> GeometrySample:
    known = np.isfinite(graspness)
    if known.any():
        low, high = float(graspness[known].min()), float(graspness[known].max())
        # Shares of good cells differ a hundredfold between a rod and a box: their root spares the box.
        graspness = np.sqrt(np.clip((graspness - low) / max(high - low, 1e-6), 0.0, 1.0))
    poor = np.array([targets[k].graspness[p] == 0 for k, p, _ in candidates], dtype=np.bool_)
    luck = rng.random(len(candidates)) * np.where(poor, config.poor_seed_share, 1.0)
    chosen = candidates[np.argsort(-luck)[: config.max_seeds]]
    chosen = chosen[np.argsort(chosen[:, 0], kind="stable")]
    label_views = np.stack([nearest_label_views(T[:3, :3]) for T in poses])
    friction, openings, stable, views = [], [], [], []
    for index in np.unique(chosen[:, 0]):
        target = targets[index]
        points = chosen[chosen[:, 0] == index, 1]
        friction.append(target.friction_codes(points))
        openings.append(target.cells.opening_codes[points])
        stable.append(target.cells.stable_codes[points])
        good = target.good_views[points][:, label_views[index]].astype(np.float32)
        low, high = good.min(axis=1, keepdims=True), good.max(axis=1, keepdims=True)
        views.append((good - low) / np.maximum(high - low, 1.0))
    return GeometrySample(
        cloud=cloud,
        objectness=objectness,
        graspness=graspness.astype(np.float32),
        seeds=chosen[:, 2],
        seed_objects=chosen[:, 0],
        view_scores=_joined(views, (0, 300), np.float32),
        T_camera_objects=poses,
        label_views=label_views,
        friction_codes=_joined(friction, (0, 300, 12, 5), np.uint8),
        opening_codes=_joined(openings, (0, 300, 12, 5), np.uint8),
        stable_codes=_joined(stable, (0, 300, 12), np.uint8),
    )


def nearest_label_views(R_camera_object: Float64Array) -> IntpArray:
    """For each of the 300 views in the camera frame the nearest one of an object turned by R (3, 3).

    R may be a reflection.
    """
    views = fibonacci_views()
    return np.asarray((views @ R_camera_object @ views.T).argmax(axis=1), dtype=np.intp)


def _joined(parts: list[np.ndarray], empty: tuple[int, ...], dtype: type) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(empty, dtype=dtype)
