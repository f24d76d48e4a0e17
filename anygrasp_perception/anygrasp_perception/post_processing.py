# SPDX-License-Identifier: Apache-2.0
"""From a detector's candidates to ranked, collision-free, centred grasps; shared by all detectors.

Every candidate that is dropped is counted under one reason, the first that applies.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.approach_steering import steer_into_cone
from anygrasp_perception.arrays import BoolArray
from anygrasp_perception.centring import DEFAULT_MARGIN_M, centre_grasps, closing_region_points
from anygrasp_perception.collision import CollisionConfig, detect_collisions
from anygrasp_perception.detector import DetectionRequest
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.nms import grasp_nms
from anygrasp_perception.observed_scene import in_region
from anygrasp_perception.point_grid import PointGrid
from anygrasp_perception.reject_reason import RejectCounts, RejectReason
from anygrasp_perception.seen_support import SeenSupport

__all__ = ["PostProcessingConfig", "Refiner", "post_process"]

_BORDER_M = 0.005  # contacts may lie so far outside a region: depth noise at its border


@dataclass(frozen=True)
class PostProcessingConfig:
    """Limits of the pipeline (paper IV-D). Raises ValueError on values out of range."""

    top_n: int = 100  # best candidates that are checked for collision; more when the request wants more
    check_collision: bool = True  # False: grasps that collide or hold nothing stay; not for a real arm
    collision: CollisionConfig = field(default_factory=CollisionConfig)
    centring_margin_m: float = DEFAULT_MARGIN_M  # free space left of each finger before it closes
    target_share: float = 0.5  # of the points between the fingers that must lie on a requested target
    nms_translation_m: float = 0.03
    nms_angle_rad: float = math.radians(30.0)

    def __post_init__(self) -> None:
        if self.top_n < 1:
            raise ValueError(f"PostProcessingConfig.top_n must be at least 1, got {self.top_n}")
        if not 0.0 < self.target_share <= 1.0:
            raise ValueError(f"PostProcessingConfig.target_share must be in (0, 1], got {self.target_share}")
        for name in ("centring_margin_m", "nms_translation_m", "nms_angle_rad"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ValueError(f"PostProcessingConfig.{name} must be >= 0, got {getattr(self, name)}")


class Refiner(Protocol):
    """Scores candidates anew that passed, and may add better ones."""

    def refine(self, grasps: GraspGroup, clear: Callable[[GraspGroup], GraspGroup]) -> GraspGroup:
        """Return the grasps to rank; `clear` drops of further ones what does not pass, and centres them."""
        ...


def post_process(
    group: GraspGroup,
    points: ArrayLike | PointGrid,
    request: DetectionRequest,
    config: PostProcessingConfig = PostProcessingConfig(),
    refiner: Refiner | None = None,
    support: SeenSupport | None = None,
) -> tuple[GraspGroup, RejectCounts, dict[str, float]]:
    """Turn candidates into grasps to execute: best first, free of collision, centred (paper IV-D).

    What the request rules out goes first, so that the best `top_n` are grasps the caller can use; then
    collision, centring, region once more, the `refiner` if any, non-maximum suppression, rank. A grasp whose
    centred pose would collide keeps the pose it had, which does not. With the `support` known, of the same
    points, no fingertip enters it where the cloud has a hole, and none holds it alone.

    `group` and `points` (P, 3) in the camera frame, metres; `request.target_mask` (P,) over the points.
    Returns the grasps, the counts of the dropped by reason (`len(grasps) + counts.total` is
    `len(group)`, and what the refiner tried besides) and the wall time in seconds by stage.
    Raises ValueError on an empty cloud, NaN points, or a mask of another length.
    """
    candidates = _Candidates(group)
    with candidates.stage("grid"):
        scene = PointGrid.of(points)
    if request.target_mask is not None and len(request.target_mask) != len(scene):
        raise ValueError(
            f"target_mask has {len(request.target_mask)} entries for {len(scene)} points; "
            "crop it with the cloud (DetectionRequest.for_points)"
        )
    with candidates.stage("request"):
        _apply_request(candidates, scene, request, config)
        candidates.keep_best(max(config.top_n, request.max_grasps))
    with candidates.stage("collision"):
        _reject_collisions(candidates, scene, request, config)
    with candidates.stage("centring"):
        _centre(candidates, scene, request, config)
        _apply_region(candidates, request)
        _apply_region_to_contacts(candidates, request, config)
        _apply_support(candidates, scene, request, config, support)
    if refiner is not None:
        with candidates.stage("refinement"):
            candidates.group = refiner.refine(
                candidates.group,
                lambda tried: _clear(tried, candidates.rejected, scene, request, config, support),
            )
    with candidates.stage("suppression"):
        if not request.dense:
            duplicate = np.ones(len(candidates.group), dtype=bool)
            duplicate[grasp_nms(candidates.group, config.nms_translation_m, config.nms_angle_rad)] = False
            candidates.drop((duplicate, RejectReason.DUPLICATE))
        candidates.keep_best(request.max_grasps)
    return candidates.group, candidates.rejected, candidates.durations_s


def _clear(
    tried: GraspGroup,
    rejected: RejectCounts,
    scene: PointGrid,
    request: DetectionRequest,
    config: PostProcessingConfig,
    support: SeenSupport | None,
) -> GraspGroup:
    """Those of further grasps that pass; those off a cone are turned into it.

    Centred before they are checked, unlike the first ones: a grasp that is off its object by a little is
    centred out of a collision, and few need a second check, without the room that centring leaves.
    """
    if request.approach is not None:
        tried = steer_into_cone(tried, request.approach, request.approach_cone_rad)
    candidates = _Candidates(tried)
    _apply_request(candidates, scene, request, config)
    _centre_and_reject(candidates, scene, request, config)
    _apply_region(candidates, request)
    _apply_region_to_contacts(candidates, request, config)
    _apply_support(candidates, scene, request, config, support)
    rejected.update(candidates.rejected)
    return candidates.group


class _Candidates:
    """The grasps still in the running, and the account of the others."""

    def __init__(self, group: GraspGroup) -> None:
        self.group = group
        self.rejected = RejectCounts()
        self.durations_s: dict[str, float] = {}

    def drop(self, *masks: tuple[BoolArray, RejectReason]) -> None:
        """Drop the masked grasps, each counted under the first reason that applies to it."""
        keep = np.ones(len(self.group), dtype=bool)
        for mask, reason in masks:
            self.rejected.add(reason, int(np.count_nonzero(mask & keep)))
            keep &= ~mask
        self.group = self.group[keep]

    def keep_best(self, count: int) -> None:
        self.rejected.add(RejectReason.RANKED_OUT, max(0, len(self.group) - count))
        self.group = self.group.top(count)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.durations_s[name] = time.perf_counter() - start


def _apply_request(
    candidates: _Candidates, scene: PointGrid, request: DetectionRequest, config: PostProcessingConfig
) -> None:
    _apply_region(candidates, request)
    if request.approach is not None:
        inside = candidates.group.approach_in_cone_mask(request.approach, request.approach_cone_rad)
        candidates.drop((~inside, RejectReason.APPROACH_DIRECTION))
    if request.target_mask is not None:
        between = closing_region_points(candidates.group, scene, request.gripper)
        on_target = between.counts(request.target_mask[between.points])
        total = np.diff(between.bounds)
        candidates.drop(
            (total < config.collision.min_closing_points, RejectReason.EMPTY_CLOSING_REGION),
            (on_target < config.target_share * total, RejectReason.OFF_TARGET),
        )


def _apply_region(candidates: _Candidates, request: DetectionRequest) -> None:
    if request.region_min is not None and request.region_max is not None:
        inside = candidates.group.in_box_mask(request.region_min, request.region_max, request.T_region_camera)
        candidates.drop((~inside, RejectReason.OUTSIDE_REGION))


def _apply_region_to_contacts(
    candidates: _Candidates, request: DetectionRequest, config: PostProcessingConfig
) -> None:
    """Drop centred grasps of which a finger would close on something outside, such as the wall of a bin."""
    if request.region_min is None or request.region_max is None:
        return
    group = candidates.group
    half = np.maximum(group.widths / 2 - config.centring_margin_m, 0.0)[:, None]
    inside = np.ones(len(group), dtype=bool)
    for side in (-1.0, 1.0):
        contact = (group.pad_middles + side * half * group.closing_directions).astype(np.float32)
        inside &= in_region(contact, request, _BORDER_M)
    candidates.drop((~inside, RejectReason.OUTSIDE_REGION))


def _apply_support(
    candidates: _Candidates,
    scene: PointGrid,
    request: DetectionRequest,
    config: PostProcessingConfig,
    support: SeenSupport | None,
) -> None:
    if config.check_collision and support is not None:
        into, alone = support.check(candidates.group, scene, request.gripper)
        candidates.drop((into, RejectReason.COLLISION), (alone, RejectReason.EMPTY_CLOSING_REGION))


def _reject_collisions(
    candidates: _Candidates, scene: PointGrid, request: DetectionRequest, config: PostProcessingConfig
) -> None:
    wanted = candidates.group.widths
    candidates.group = candidates.group.replace(widths=request.gripper.clamp_width(wanted))
    if not config.check_collision:
        return
    check = detect_collisions(candidates.group, scene, request.gripper, config.collision)
    candidates.drop(
        (check.colliding & (wanted > request.gripper.max_width_m), RejectReason.TOO_WIDE),
        (check.colliding, RejectReason.COLLISION),
        (check.empty_closing, RejectReason.EMPTY_CLOSING_REGION),
    )


def _centre_and_reject(
    candidates: _Candidates, scene: PointGrid, request: DetectionRequest, config: PostProcessingConfig
) -> None:
    """Centre, and drop what collides both centred and as it was."""
    group = candidates.group.replace(widths=request.gripper.clamp_width(candidates.group.widths))
    candidates.group = centred = centre_grasps(group, scene, request.gripper, config.centring_margin_m).grasps
    if not config.check_collision:
        return
    check = detect_collisions(centred, scene, request.gripper, config.collision)
    colliding, empty = check.colliding.copy(), check.empty_closing.copy()
    tight = np.flatnonzero(colliding)
    if len(tight):
        as_was = detect_collisions(group[tight], scene, request.gripper, config.collision)
        colliding[tight], empty[tight] = as_was.colliding, as_was.empty_closing
        candidates.group = _either(group, centred, check.colliding)
    candidates.drop((colliding, RejectReason.COLLISION), (empty, RejectReason.EMPTY_CLOSING_REGION))


def _either(group: GraspGroup, centred: GraspGroup, keep: BoolArray) -> GraspGroup:
    """The grasps as they were where `keep` (N,), centred elsewhere."""
    return group.replace(
        translations=np.where(keep[:, None], group.translations, centred.translations),
        widths=np.where(keep, group.widths, centred.widths),
    )


def _centre(
    candidates: _Candidates, scene: PointGrid, request: DetectionRequest, config: PostProcessingConfig
) -> None:
    group = candidates.group
    centred = centre_grasps(group, scene, request.gripper, config.centring_margin_m).grasps
    if not config.check_collision:
        candidates.group = centred
        return
    collides = detect_collisions(centred, scene, request.gripper, config.collision).colliding
    candidates.group = _either(group, centred, collides)
