# SPDX-License-Identifier: Apache-2.0
"""Grasp detection with the trained network: the paper's pipeline from cloud to ranked grasps."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import numpy as np

from anygrasp_perception.arrays import BoolArray, Float32Array
from anygrasp_perception.cloud import PointCloud
from anygrasp_perception.detector import DetectionRequest, DetectionResult, check_request
from anygrasp_perception.grasp import fibonacci_views
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.network.decode import best_cells, decode_cells, final_scores
from anygrasp_perception.network.grasp_network import GraspNetwork, GraspPrediction
from anygrasp_perception.network.voxel_cloud import VoxelCloud, voxelise
from anygrasp_perception.network.weights import load_network
from anygrasp_perception.observed_scene import in_region
from anygrasp_perception.post_processing import PostProcessingConfig, post_process
from anygrasp_perception.reject_reason import RejectCounts, RejectReason
from anygrasp_perception.stage_times import timed

__all__ = ["NetworkDetector", "NetworkDetectorConfig", "shipped_weights"]

_GRIPPER_REACH_M = 0.15  # around a region: what a gripper inside it may touch
_CELLS = 60


@dataclass(frozen=True)
class NetworkDetectorConfig:
    """Settings around the network. Raises ValueError on values out of range."""

    max_voxels: int = 15_000  # paper IV-C; of more a random choice is used
    min_depth_m: float = 0.1
    max_depth_m: float = 1.5  # farther points were not trained on, and no arm reaches them
    max_points: int = 160_000  # of larger clouds every second, third, ... point is used
    obstacle_voxel_m: float = 0.004  # of the cloud that collisions are checked against
    min_score: float = 0.02
    target_share: float = 0.5  # of a voxel's points that must lie on the target
    use_stable_score: bool = True
    device: str = "cpu"
    # More than the 100 of the paper: most of the best lie side by side, and suppression leaves one of them.
    post_processing: PostProcessingConfig = field(default_factory=lambda: PostProcessingConfig(top_n=400))

    def __post_init__(self) -> None:
        for name in ("max_voxels", "max_points", "obstacle_voxel_m", "target_share"):
            if not getattr(self, name) > 0:
                raise ValueError(f"NetworkDetectorConfig.{name} must be positive, got {getattr(self, name)}")
        if not 0 <= self.min_depth_m < self.max_depth_m:
            raise ValueError(
                f"NetworkDetectorConfig needs 0 <= min_depth_m < max_depth_m, got {self.min_depth_m} and "
                f"{self.max_depth_m}"
            )


def shipped_weights() -> Path:
    """Path of the weights that come with the package."""
    return Path(str(resources.files("anygrasp_perception"))) / "weights" / "geometry_slim.safetensors"


class NetworkDetector:
    """Detector with the geometry module; see `detect`."""

    name = "network"

    def __init__(
        self,
        config: NetworkDetectorConfig | None = None,
        weights: Path | str | None = None,
        network: GraspNetwork | None = None,
    ) -> None:
        """Load `weights`, the shipped ones by default, or take a network in inference mode.

        Raises WeightsError when they cannot be used.
        """
        self.config = config or NetworkDetectorConfig()
        self.network = network or load_network(weights or shipped_weights(), self.config.device)

    def detect(self, cloud: PointCloud, request: DetectionRequest) -> DetectionResult:
        """Return grasps in the cloud's frame, best first; the same cloud and request give the same grasps.

        A candidate is a seed's best cell, with `request.dense` each of its 60 cells. Where there is no seed,
        each voxel counts as a candidate, so that the reasons say why.
        Raises ValueError when the cloud is empty or `request.target_mask` does not fit it.
        """
        check_request(cloud, request)
        config, rng, durations = self.config, np.random.default_rng(request.seed), dict[str, float]()
        with timed(durations, "voxels"):
            points, target = self._near(cloud, request)
            if len(points) == 0:
                rejected = RejectCounts()
                rejected.add(RejectReason.OUTSIDE_REGION, len(cloud))
                return self._result(GraspGroup.empty(), rejected, durations)
            voxels = voxelise(points, self.network.config.voxel_m, config.max_voxels, rng)
            allowed, ruled_out = self._allowed(voxels, target, request)
        with timed(durations, "network"):
            prediction = self.network.predict(voxels, rng, allowed, _allowed_views(request))
        durations |= prediction.durations_s
        if len(prediction.seeds) == 0:
            ruled_out.add(RejectReason.LOW_SCORE, int(np.count_nonzero(allowed)))
            return self._result(GraspGroup.empty(), ruled_out, durations)
        with timed(durations, "decode"):
            group, rejected = self._decode(prediction, request)
            obstacles = voxelise(points, config.obstacle_voxel_m)
            on_target = None if target is None else _share(obstacles, target) >= config.target_share
        own_request = request.with_target(on_target)
        grasps, dropped, own_durations = post_process(
            group, obstacles.points, own_request, config.post_processing
        )
        rejected.update(dropped)
        return self._result(grasps, rejected, durations | own_durations)

    def _near(self, cloud: PointCloud, request: DetectionRequest) -> tuple[Float32Array, BoolArray | None]:
        """Points (P, 3) within range that a gripper in the region may touch, and which are on the target."""
        step = -(-len(cloud) // self.config.max_points)
        points = cloud.points[::step]
        depth = points[:, 2]
        kept = (depth > self.config.min_depth_m) & (depth < self.config.max_depth_m)
        kept &= in_region(points, request, _GRIPPER_REACH_M)
        target = None if request.target_mask is None else request.target_mask[::step][kept]
        return points[kept], target

    def _allowed(
        self, voxels: VoxelCloud, target: BoolArray | None, request: DetectionRequest
    ) -> tuple[BoolArray, RejectCounts]:
        """Voxels (N,) that may hold a grasp centre, and why the others may not."""
        inside = in_region(voxels.points, request)
        on_target = np.ones(len(voxels), dtype=np.bool_)
        if target is not None:
            on_target = _share(voxels, target) >= self.config.target_share
        ruled_out = RejectCounts()
        ruled_out.add(RejectReason.OUTSIDE_REGION, int(np.count_nonzero(~inside)))
        ruled_out.add(RejectReason.OFF_TARGET, int(np.count_nonzero(inside & ~on_target)))
        return inside & on_target, ruled_out

    def _decode(
        self, prediction: GraspPrediction, request: DetectionRequest
    ) -> tuple[GraspGroup, RejectCounts]:
        scores = final_scores(prediction, self.config.use_stable_score)
        cells = best_cells(scores, _CELLS if request.dense else 1)
        good = scores[tuple(cells.T)] >= self.config.min_score
        rejected = RejectCounts()
        rejected.add(RejectReason.LOW_SCORE, int(np.count_nonzero(~good)))
        return decode_cells(prediction, scores, cells[good]), rejected

    def _result(
        self, grasps: GraspGroup, rejected: RejectCounts, durations_s: dict[str, float]
    ) -> DetectionResult:
        return DetectionResult(grasps, rejected.total + len(grasps), rejected, durations_s, self.name)


def _share(voxels: VoxelCloud, mask: BoolArray) -> Float32Array:
    """Share (N,) of each voxel's points that are in the mask (P,)."""
    used = voxels.of_point >= 0
    counts = np.bincount(voxels.of_point[used], minlength=len(voxels))
    hits = np.bincount(voxels.of_point[used & mask], minlength=len(voxels))
    return np.asarray(hits / np.maximum(counts, 1), dtype=np.float32)


def _allowed_views(request: DetectionRequest) -> BoolArray | None:
    """Views (300,) inside the requested cone, at least the nearest one: cones may be narrower than views."""
    if request.approach is None:
        return None
    cosine = -fibonacci_views() @ (request.approach / np.linalg.norm(request.approach))
    allowed = np.asarray(cosine >= np.cos(request.approach_cone_rad))
    allowed[cosine.argmax()] = True
    return allowed
