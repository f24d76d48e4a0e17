# SPDX-License-Identifier: Apache-2.0
"""Sample-and-evaluate grasp detection on the partial cloud: the baseline that a network must beat.

The kind of method that the paper compares with (II-A): seeds on the objects, approaches at each, in-plane
angles and depths; antipodal quality from edges, outlines and normals; then the common post-processing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from anygrasp_perception.arrays import Float64Array, IntpArray
from anygrasp_perception.blas_threads import one_blas_thread
from anygrasp_perception.candidate_search import CELLS_PER_APPROACH, CandidateSearch, CandidateSearchConfig
from anygrasp_perception.cloud import PointCloud
from anygrasp_perception.contact_evaluation import evaluate_contacts, to_grasps
from anygrasp_perception.detector import DetectionRequest, DetectionResult, check_request
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.grasp_sampling import (
    ApproachCone,
    GraspSamplingConfig,
    SeedApproaches,
    sample_approaches,
    sample_seeds,
)
from anygrasp_perception.grasp_score import GraspScoreConfig
from anygrasp_perception.observed_scene import ObservedScene, ObservedSceneConfig, observe_scene
from anygrasp_perception.point_grid import PointGrid
from anygrasp_perception.post_processing import PostProcessingConfig, post_process
from anygrasp_perception.reject_reason import RejectCounts, RejectReason
from anygrasp_perception.sight_lines import SightLines
from anygrasp_perception.stage_times import timed
from anygrasp_perception.support_clearance import SupportClearance

__all__ = ["GeometricDetector", "GeometricDetectorConfig"]


@dataclass(frozen=True)
class GeometricDetectorConfig:
    """All settings of the detector, stage by stage; each part checks its own."""

    scene: ObservedSceneConfig = field(default_factory=ObservedSceneConfig)
    sampling: GraspSamplingConfig = field(default_factory=GraspSamplingConfig)
    search: CandidateSearchConfig = field(default_factory=CandidateSearchConfig)
    score: GraspScoreConfig = field(default_factory=GraspScoreConfig)
    post_processing: PostProcessingConfig = field(default_factory=lambda: PostProcessingConfig(top_n=800))


class GeometricDetector:
    """Detector without learning; see `detect`."""

    name = "geometric"

    def __init__(self, config: GeometricDetectorConfig | None = None) -> None:
        self.config = config or GeometricDetectorConfig()

    def detect(self, cloud: PointCloud, request: DetectionRequest) -> DetectionResult:
        """Return grasps in the cloud's frame, best first; the same cloud and request give the same grasps.

        A candidate is one cell of the search: seed, approach, in-plane angle, depth. Where there is nothing
        to try, each point of the thinned cloud counts as a candidate, so that the reasons say why.
        Raises ValueError when the cloud is empty or `request.target_mask` does not fit it.
        """
        with one_blas_thread():
            return self._detect(cloud, request)

    def _detect(self, cloud: PointCloud, request: DetectionRequest) -> DetectionResult:
        check_request(cloud, request)
        config, rng, durations = self.config, np.random.default_rng(request.seed), dict[str, float]()
        with timed(durations, "scene"):
            scene = observe_scene(cloud, request, config.scene, rng)
        with timed(durations, "sampling"):
            seeds = sample_seeds(scene.surface.points, scene.graspable, config.sampling, rng)
            if len(seeds) == 0:
                return self._result(GraspGroup.empty(), scene.ruled_out, durations)
            sampled = _approaches(seeds, scene, request, config.sampling, rng)
        rejected = RejectCounts()
        rejected.add(RejectReason.APPROACH_DIRECTION, sampled.left_out * CELLS_PER_APPROACH)
        if len(sampled.seeds) == 0:
            return self._result(GraspGroup.empty(), rejected, durations)
        with timed(durations, "search"):
            support = SupportClearance(
                scene.plane, request.gripper, config.search.support_clearance_m, config.search.margin_m
            )
            search = CandidateSearch(
                scene.surface, support, request.gripper, config.search, config.score, rejected
            )
            candidates = search.run(sampled)
        with timed(durations, "contacts"):
            grid, sight = PointGrid(scene.surface.points), SightLines(scene.measured)
            group = to_grasps(candidates, sampled.view_ids, scene, request.gripper, config.search.margin_m)
            group, dropped = evaluate_contacts(
                candidates, group, scene, support, grid, sight, request, config.score
            )
            rejected.update(dropped)
        # The support is no obstacle here: it was checked as the plane that it is, not as noisy points.
        own_request = replace(request, target_mask=scene.on_target)
        grasps, dropped, own_durations = post_process(group, grid, own_request, config.post_processing)
        rejected.update(dropped)
        return self._result(grasps, rejected, durations | own_durations)

    def _result(
        self, grasps: GraspGroup, rejected: RejectCounts, durations_s: dict[str, float]
    ) -> DetectionResult:
        return DetectionResult(grasps, rejected.total + len(grasps), rejected, durations_s, self.name)


def _approaches(
    seeds: IntpArray,
    scene: ObservedScene,
    request: DetectionRequest,
    config: GraspSamplingConfig,
    rng: np.random.Generator,
) -> SeedApproaches:
    """Approaches about the one asked for, else straight onto the support, else along the camera's axis."""
    preferred: Float64Array = np.array([0.0, 0.0, 1.0]) if scene.plane is None else -scene.plane.normal
    cone = None
    if request.approach is not None:
        preferred = np.asarray(request.approach / np.linalg.norm(request.approach))
        cone = ApproachCone(preferred, request.approach_cone_rad)
    surface = scene.surface
    return sample_approaches(seeds, surface.points, surface.normals, preferred, cone, config, rng)
