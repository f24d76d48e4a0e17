# SPDX-License-Identifier: Apache-2.0
"""Grasp detection with the trained network: the paper's pipeline from cloud to ranked grasps."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from anygrasp_perception import compiled
from anygrasp_perception.approach_steering import steer_into_cone, views_near_cone
from anygrasp_perception.arrays import BoolArray, Float32Array
from anygrasp_perception.blas_threads import one_blas_thread
from anygrasp_perception.cloud import PointCloud
from anygrasp_perception.detector import (
    DetectionRequest,
    DetectionResult,
    DetectorError,
    SeedFeatures,
    check_request,
)
from anygrasp_perception.geometric_detector import GeometricDetector
from anygrasp_perception.grasp import ANGLE_COUNT, DEPTHS_M
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.grasp_refinement import GraspRefiner, RefinementConfig
from anygrasp_perception.network.decode import best_cells, decode_cells, final_scores, peak_cells
from anygrasp_perception.network.further_look import FurtherLook, FurtherLookConfig
from anygrasp_perception.network.grasp_crops import SurfacePoints
from anygrasp_perception.network.grasp_network import OBJECTNESS_LIMIT, GraspNetwork, GraspPrediction
from anygrasp_perception.network.verifier import GraspVerifier
from anygrasp_perception.network.voxel_cloud import VoxelCloud, voxelise
from anygrasp_perception.network.weights import PRECISIONS, load_network, load_verifier
from anygrasp_perception.network_input import NearScene, NearSceneConfig, look_near, share_of_points
from anygrasp_perception.observed_scene import in_region
from anygrasp_perception.point_grid import PointGrid
from anygrasp_perception.post_processing import PostProcessingConfig, post_process
from anygrasp_perception.reject_reason import RejectCounts, RejectReason
from anygrasp_perception.seen_objects import SeenObjects
from anygrasp_perception.seen_support import SeenSupport
from anygrasp_perception.stage_times import timed
from anygrasp_perception.support_plane import SupportPlaneConfig, estimate_support_plane

__all__ = [
    "NetworkDetector",
    "NetworkDetectorConfig",
    "Proposals",
    "shipped_verifier",
    "shipped_weights",
]

_CELLS = ANGLE_COUNT * len(DEPTHS_M)
_TOGETHER = 1.9  # voxels from one mean point to another of the same object


@dataclass(frozen=True)
class NetworkDetectorConfig:
    """Settings around the network. Raises ValueError on values out of range."""

    max_voxels: int = 15_000  # paper IV-C; of more a random choice is used
    obstacle_voxel_m: float = 0.004  # of the cloud that collisions are checked against
    min_score: float = 0.005  # of a candidate; dense requests get lower ones too
    refinement: RefinementConfig | None = field(default_factory=RefinementConfig)  # None: no second look
    min_judged_score: float = 0.003  # of a grasp at the second look
    further: FurtherLookConfig = field(default_factory=FurtherLookConfig)  # at places without a grasp
    # Grasps of the geometric detector that the second look judges as well, at most. They lie at the middle of
    # things and straight above, where the network offers few; to find them takes some 0.3 s.
    sampled: int = 0
    target_share: float = 0.5  # of a voxel's points that must lie on the target
    objects_only: bool = True  # False: seeds wherever something can be gripped, the background too
    use_stable_score: bool = True
    device: str = "cpu"
    # A second one gains a fifth on two idle cores, and nothing on busy ones, as beside a camera, a robot and
    # a simulator. 0: as many as torch is set to.
    threads: int = 1
    precision: str = PRECISIONS[0]  # of the backbone, see `load_network`
    near: NearSceneConfig = field(default_factory=NearSceneConfig)
    # A table goes on where the camera left a hole, and is nothing to hold. None: holes are free space.
    support: SupportPlaneConfig | None = field(default_factory=SupportPlaneConfig)
    # More than the 100 of the paper: most of the best lie side by side, and suppression leaves one of them.
    post_processing: PostProcessingConfig = field(default_factory=lambda: PostProcessingConfig(top_n=800))

    def __post_init__(self) -> None:
        for name in ("max_voxels", "obstacle_voxel_m", "target_share"):
            if not getattr(self, name) > 0:
                raise ValueError(f"NetworkDetectorConfig.{name} must be positive, got {getattr(self, name)}")
        if self.sampled < 0:
            raise ValueError(f"NetworkDetectorConfig.sampled must be 0 or more, got {self.sampled}")
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"NetworkDetectorConfig.precision must be {' or '.join(PRECISIONS)}, got {self.precision!r}"
            )
        if self.threads < 0:
            raise ValueError(f"NetworkDetectorConfig.threads must be 0 or more, got {self.threads}")


def shipped_weights() -> Path:
    """Path of the weights that come with the package."""
    return Path(__file__).parent / "weights" / "geometry_slim.safetensors"


def shipped_verifier() -> Path:
    """Path of the verifier's weights that come with the package."""
    return Path(__file__).parent / "weights" / "verifier.safetensors"


@dataclass(frozen=True, eq=False)
class Proposals:
    """What the network found in a cloud, before any of it was checked."""

    grasps: GraspGroup  # candidates, camera frame
    surface: SurfacePoints | None  # what is seen of the scene; None when there are no candidates
    objects: SeenObjects | None  # likewise
    support: SeenSupport | None  # of the surface's points; None too where no plane dominates
    request: DetectionRequest  # with the target's mask over the surface's points
    rejected: RejectCounts
    durations_s: dict[str, float]
    features: SeedFeatures | None
    further: FurtherLook | None  # for places where these lead to no grasp


class NetworkDetector:
    """Detector with the geometry module; see `detect`."""

    name = "network"

    def __init__(
        self,
        config: NetworkDetectorConfig | None = None,
        weights: Path | str | None = None,
        network: GraspNetwork | None = None,
        verifier: GraspVerifier | None = None,
    ) -> None:
        """Load `weights`, the shipped ones by default, or take a network in inference mode.

        A network given keeps its precision and goes with the `verifier` given, or without one; weights go
        with the shipped one.
        Raises WeightsError when they cannot be used, DetectorError when the device is not there.
        """
        self.config = config or NetworkDetectorConfig()
        device = self.config.device
        _check_device(device)
        if network is None and verifier is None and self.config.refinement is not None:
            verifier = load_verifier(shipped_verifier(), device)
        self.network = network or load_network(
            weights or shipped_weights(), device, precision=self.config.precision
        )
        self.verifier = verifier

    def detect(self, cloud: PointCloud, request: DetectionRequest) -> DetectionResult:
        """Return grasps in the cloud's frame, best first; the same cloud and request give the same grasps.

        A candidate is a peak of a seed's scores, with `request.dense` each of its 60 cells, with no second
        look. Where there is no seed, each voxel counts as a candidate, and each point where nothing is near:
        the reasons say why.
        Raises ValueError when the cloud is empty or `request.target_mask` does not fit it.
        """
        with one_blas_thread():
            return self._detect(cloud, request)

    def _detect(self, cloud: PointCloud, request: DetectionRequest) -> DetectionResult:
        found = self.propose(cloud, request)
        if found.surface is None:
            return _result(found, GraspGroup.empty(), found.rejected, found.durations_s)
        config, refiner, group = self.config, None, found.grasps
        if self.verifier is not None and config.refinement is not None and not request.dense:
            rng = np.random.default_rng([request.seed, 1])
            refiner = GraspRefiner(
                self.verifier,
                found.surface,
                rng,
                config.refinement,
                config.use_stable_score,
                found.request,
                found.objects,
                found.further,
            )
            if config.sampled:
                with timed(found.durations_s, "sampling"):
                    group = GraspGroup.concatenate([group, _sampled(cloud, request, config.sampled)])
        with _compute_threads(config.threads, self.network.is_compiled):
            grasps, dropped, durations = post_process(
                group, found.surface.grid, found.request, config.post_processing, refiner, found.support
            )
        rejected = found.rejected
        rejected.update(dropped)
        if refiner is not None:
            good = grasps.scores >= config.min_judged_score
            rejected.add(RejectReason.LOW_SCORE, int(np.count_nonzero(~good)))
            grasps = grasps[good]
        return _result(found, grasps, rejected, found.durations_s | durations)

    def propose(self, cloud: PointCloud, request: DetectionRequest) -> Proposals:
        """Return the network's candidates, unchecked, and the surface to check them against; as `detect`."""
        check_request(cloud, request)
        config, rng, durations = self.config, np.random.default_rng(request.seed), dict[str, float]()
        with timed(durations, "voxels"):
            near = look_near(cloud, request, config.near)
            if not near.visible.any():
                return _no_proposals(request, near.ruled_out, durations)
            voxels, obstacles = self._voxelise(near, rng)
            allowed, ruled_out = self._allowed(voxels, near, request)
        if not allowed.any():
            return _no_proposals(request, ruled_out, durations)
        views = (
            None if request.approach is None else views_near_cone(request.approach, request.approach_cone_rad)
        )
        with _compute_threads(config.threads, self.network.is_compiled):
            prediction = self.network.predict(voxels, rng, allowed, views, config.objects_only)
        durations |= prediction.durations_s
        if len(prediction.seeds) == 0:
            background = allowed & config.objects_only & (prediction.objectness <= OBJECTNESS_LIMIT)
            ruled_out.add(RejectReason.NO_CONTACT, int(np.count_nonzero(background)))
            ruled_out.add(RejectReason.LOW_SCORE, int(np.count_nonzero(allowed & ~background)))
            return _no_proposals(request, ruled_out, durations)
        with timed(durations, "decode"):
            scores = final_scores(prediction, config.use_stable_score)
            group, rejected = self._decode(prediction, scores, request)
        with timed(durations, "obstacles"):
            grid, support = self._scene(obstacles, request)
            surface = SurfacePoints(grid, _obstacle_normals(obstacles, voxels, near, prediction))
            on_target = None if near.target is None else self._on_target(obstacles, near.target)
        with timed(durations, "objects"):
            on_object = prediction.objectness > OBJECTNESS_LIMIT
            objects = SeenObjects(voxels.points[on_object], _TOGETHER * voxels.voxel_m)
        features = SeedFeatures(prediction.seed_features, prediction.grasp_features)
        asked = request.with_target(on_target)
        look = config.further if config.objects_only else replace(config.further, objectness=0.0)
        further = FurtherLook(
            self.network, prediction, obstacles.points, allowed, views, request.gripper, look
        )
        return Proposals(group, surface, objects, support, asked, rejected, durations, features, further)

    def _voxelise(self, near: NearScene, rng: np.random.Generator) -> tuple[VoxelCloud, VoxelCloud]:
        """What the network sees, and what collisions are checked against; at once where there are threads."""
        config, voxel_m = self.config, self.network.config.voxel_m
        see = partial(voxelise, near.points[near.visible], voxel_m, config.max_voxels, rng)
        block = partial(voxelise, near.points, config.obstacle_voxel_m)
        if config.threads == 1:
            return see(), block()
        with ThreadPoolExecutor(max_workers=1) as pool:
            obstacles = pool.submit(block)
            return see(), obstacles.result()

    def _allowed(
        self, voxels: VoxelCloud, near: NearScene, request: DetectionRequest
    ) -> tuple[BoolArray, RejectCounts]:
        """Voxels (N,) that may hold a grasp centre, and why the others may not."""
        inside = in_region(voxels.points, request)
        on_target = np.ones(len(voxels), dtype=np.bool_)
        if near.target is not None:
            on_target = self._on_target(voxels, near.target[near.visible])
        ruled_out = RejectCounts()
        ruled_out.add(RejectReason.OUTSIDE_REGION, int(np.count_nonzero(~inside)))
        ruled_out.add(RejectReason.OFF_TARGET, int(np.count_nonzero(inside & ~on_target)))
        return inside & on_target, ruled_out

    def _scene(
        self, obstacles: VoxelCloud, request: DetectionRequest
    ) -> tuple[PointGrid, SeenSupport | None]:
        """What collisions are checked against: the points, and the plane that they stand on."""
        grid = PointGrid(obstacles.points)
        if self.config.support is None:
            return grid, None
        rng = np.random.default_rng([request.seed, 2])
        plane = estimate_support_plane(obstacles.points, rng, self.config.support)
        return grid, None if plane is None else SeenSupport(plane, obstacles.points)

    def _on_target(self, voxels: VoxelCloud, target: BoolArray) -> BoolArray:
        return share_of_points(voxels, target) >= self.config.target_share

    def _decode(
        self, prediction: GraspPrediction, scores: Float32Array, request: DetectionRequest
    ) -> tuple[GraspGroup, RejectCounts]:
        """Each seed's peaks, with those first that the gripper opens wide enough for."""
        rejected = RejectCounts()
        if request.dense:
            cells = best_cells(scores, _CELLS)
        else:
            wide = prediction.widths_m > request.gripper.max_width_m
            cells = peak_cells(np.where(wide, scores - 1.0, scores))
            good = scores[tuple(cells.T)] >= self.config.min_score
            rejected.add(RejectReason.LOW_SCORE, int(np.count_nonzero(~good)))
            cells = cells[good]
        group = decode_cells(prediction, scores, cells)
        if request.approach is not None:
            group = steer_into_cone(group, request.approach, request.approach_cone_rad)
        return group, rejected


def _no_proposals(
    request: DetectionRequest, rejected: RejectCounts, durations_s: dict[str, float]
) -> Proposals:
    return Proposals(GraspGroup.empty(), None, None, None, request, rejected, durations_s, None, None)


def _result(
    found: Proposals, grasps: GraspGroup, rejected: RejectCounts, durations_s: dict[str, float]
) -> DetectionResult:
    return DetectionResult(
        grasps, rejected.total + len(grasps), rejected, durations_s, NetworkDetector.name, found.features
    )


def _sampled(cloud: PointCloud, request: DetectionRequest, count: int) -> GraspGroup:
    """Grasps of the geometric detector, of no seed of the network's."""
    return GeometricDetector().detect(cloud, replace(request, max_grasps=count)).grasps


def _obstacle_normals(
    obstacles: VoxelCloud, voxels: VoxelCloud, near: NearScene, prediction: GraspPrediction
) -> Float32Array:
    """Normals (P, 3) of the obstacles' points: of the network's voxel that one of each one's points is in."""
    voxel_of_point = np.full(len(near.points), -1, dtype=np.intp)
    voxel_of_point[near.visible] = voxels.of_point
    one_point = np.zeros(len(obstacles), dtype=np.intp)
    one_point[obstacles.of_point] = np.arange(len(near.points))
    voxel = voxel_of_point[one_point]
    return np.where(voxel[:, None] >= 0, prediction.normals[voxel], np.float32(0))


@contextmanager
def _compute_threads(count: int, compiled_network: bool) -> Iterator[None]:
    """Compute with so many threads, then with as many as before; 0: as many as torch is set to.

    Where everything heavy is compiled torch keeps to one: a second one of its own would spin after each of
    its products, on a core that the compiled ones need.
    """
    before = torch.get_num_threads()
    count = count or before
    of_torch = 1 if compiled_network else count
    if of_torch != before:
        torch.set_num_threads(of_torch)
    try:
        with compiled.threads(count):
            yield
    finally:
        if of_torch != before:
            torch.set_num_threads(before)


def _check_device(name: str) -> None:
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA fails an assertion
        reason = str(error).splitlines()[0]
        raise DetectorError(f"device {name!r} cannot be used ({reason}); use 'cpu'") from error
