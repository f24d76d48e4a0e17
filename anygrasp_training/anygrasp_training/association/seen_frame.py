# SPDX-License-Identifier: Apache-2.0
"""A frame of a dataset as the frozen geometry network sees it: kept, since seeing costs most of the time."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from anygrasp_perception.arrays import Float32Array, Float64Array, Int32Array, IntpArray, Uint8Array
from anygrasp_perception.camera import depth_to_points
from anygrasp_perception.cloud import PointCloud
from anygrasp_perception.detector import DetectionRequest, DetectionResult, SeedFeatures
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.network_detector import NetworkDetector
from anygrasp_perception.reject_reason import RejectCounts
from anygrasp_tracking.dense_detection import TRACKED_GRASPS
from anygrasp_tracking.tracking_frame import TrackingFrame
from anygrasp_training.association.distance import in_object_frames
from anygrasp_training.dataset.errors import DatasetError
from anygrasp_training.dataset.files import read_arrays, write_arrays
from anygrasp_training.dataset.reader import DatasetFrame

__all__ = ["SeenFrame", "load_seen_frame", "save_seen_frame", "see_frame", "without_objects"]

_ON_OBJECT_M = 0.02  # a grasp centre this near to measured points of an object is on it
_AROUND_M = 0.06  # of the grasps: where points are kept
_KEPT_POINTS = 8000


@dataclass(frozen=True, eq=False)
class SeenFrame:
    """N grasps with features, and what is true about K objects."""

    grasps: GraspGroup  # camera frame; object_ids by truth, seed_ids are rows of the features
    seed_features: Float32Array  # (N, C)
    grasp_features: Float32Array  # (N, C')
    points: Float32Array  # (P, 3) about the grasps, camera frame
    colors: Uint8Array  # (P, 3)
    object_ids: Int32Array  # (K,)
    T_camera_objects: Float64Array  # (K, 4, 4)
    seen_pixels: Int32Array  # (K,) of each object
    T_table_camera: Float64Array  # (4, 4)
    time_s: float  # NaN in scenes that stand still
    detection_s: float  # wall time

    def tracking_frame(self, time_s: float | None = None) -> TrackingFrame:
        """The frame as the tracker takes it, fixed frame the table's; at its own time by default."""
        features = SeedFeatures(self.seed_features, self.grasp_features)
        count = len(self.grasps)
        return TrackingFrame(
            self.time_s if time_s is None else time_s,
            self.grasps.transformed(self.T_table_camera),
            PointCloud(self.points, np.asarray(self.colors / 255, dtype=np.float32)),
            self.T_table_camera,
            DetectionResult(self.grasps, count, RejectCounts(), {}, "network", features),
        )

    def in_object_frames(self) -> GraspGroup:
        """Its grasps, each in the frame of its object."""
        return in_object_frames(self.grasps, self.object_ids.tolist(), self.T_camera_objects)


_FIELDS = dataclasses.fields(SeenFrame)


def without_objects(frame: DatasetFrame, probability: float, rng: np.random.Generator) -> DatasetFrame:
    """Take whole objects, at most half of them, off the frame with a probability (paper IV-C)."""
    if len(frame.object_ids) < 2 or rng.random() >= probability:
        return frame
    gone = rng.permutation(frame.object_ids)[: rng.integers(1, len(frame.object_ids) // 2 + 1)]
    hidden = np.isin(frame.label, gone + 1)
    depth_m = np.where(hidden, np.float32(0), frame.depth_m)
    return dataclasses.replace(frame, depth_m=depth_m, label=np.where(hidden, 0, frame.label))


def see_frame(detector: NetworkDetector, frame: DatasetFrame, seed: int = 0) -> SeenFrame:
    """Detect in one frame, and find out which object each grasp is on."""
    cloud = frame.rgbd().cloud()
    result = detector.detect(cloud, DetectionRequest(max_grasps=TRACKED_GRASPS, seed=seed))
    features = result.features or SeedFeatures(
        np.zeros((0, detector.network.config.feature_channels), np.float32),
        np.zeros((0, detector.network.config.head_channels), np.float32),
    )
    grasps = result.grasps
    kept = _near(cloud, grasps)
    colors = np.zeros((0, 3)) if cloud.colors is None else cloud.colors[kept]
    return SeenFrame(
        grasps=grasps.replace(object_ids=_objects(grasps, frame), seed_ids=np.arange(len(grasps))),
        seed_features=features.seed[grasps.seed_ids],
        grasp_features=features.grasp[grasps.seed_ids],
        points=cloud.points[kept],
        colors=np.rint(255 * colors).astype(np.uint8),
        object_ids=np.asarray(frame.object_ids, dtype=np.int32),
        T_camera_objects=frame.T_camera_objects,
        seen_pixels=np.array([(frame.label == i + 1).sum() for i in frame.object_ids], dtype=np.int32),
        T_table_camera=frame.T_table_camera,
        time_s=np.nan if frame.time_s is None else frame.time_s,
        detection_s=sum(result.durations_s.values()),
    )


def save_seen_frame(path: Path, seen: SeenFrame) -> None:
    """Write it, features with half the bits."""
    arrays = {f"grasp_{f.name}": getattr(seen.grasps, f.name) for f in dataclasses.fields(GraspGroup)}
    for field in _FIELDS:
        if field.name != "grasps":
            value = np.asarray(getattr(seen, field.name))
            half = field.name in ("seed_features", "grasp_features")
            arrays[field.name] = value.astype(np.float16) if half else value
    write_arrays(path, arrays)


def load_seen_frame(path: Path) -> SeenFrame:
    """Read what `save_seen_frame` wrote; raises DatasetError."""
    arrays = read_arrays(path)
    try:
        group = GraspGroup(**{f.name: arrays[f"grasp_{f.name}"] for f in dataclasses.fields(GraspGroup)})
        fields: dict[str, Any] = {f.name: arrays[f.name] for f in _FIELDS if f.name != "grasps"}
    except KeyError as error:
        raise DatasetError(f"{path}: no seen frame, {error} is missing; delete it to see it anew") from error
    for name in ("seed_features", "grasp_features"):
        fields[name] = fields[name].astype(np.float32)
    for name in ("time_s", "detection_s"):
        fields[name] = float(fields[name])
    return SeenFrame(grasps=group, **fields)


def _near(cloud: PointCloud, grasps: GraspGroup) -> IntpArray:
    if len(grasps) == 0:
        return np.zeros(0, dtype=np.intp)
    lower = grasps.translations.min(axis=0) - _AROUND_M
    upper = grasps.translations.max(axis=0) + _AROUND_M
    rows = np.flatnonzero(((cloud.points > lower) & (cloud.points < upper)).all(axis=1))
    return rows[:: max(1, -(-len(rows) // _KEPT_POINTS))]


def _objects(grasps: GraspGroup, frame: DatasetFrame) -> Int32Array:
    """Object (N,) whose measured points are nearest to each grasp centre; -1 where none is near."""
    points = depth_to_points(frame.depth_m, frame.intrinsics)[::2, ::2]
    label = frame.label[::2, ::2]
    measured = (label > 0) & np.isfinite(points).all(axis=2)
    if not measured.any() or len(grasps) == 0:
        return np.full(len(grasps), -1, dtype=np.int32)
    distance, nearest = cKDTree(points[measured]).query(grasps.translations)
    ids = label[measured][nearest] - 1
    return np.where(distance <= _ON_OBJECT_M, ids, -1).astype(np.int32)
