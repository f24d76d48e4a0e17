# SPDX-License-Identifier: Apache-2.0
"""Evaluate the grasps of one frame by the rules of the GraspNet-1Billion benchmark, from our own code.

The benchmark takes contacts and normals from a signed distance grid of each object; here they come from
rays cast at its mesh, the normals averaged over the finger pads. Everything else is its rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from anygrasp_perception.arrays import BoolArray, Float64Array, IntpArray
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.nms import grasp_nms
from anygrasp_training.evaluation.average_precision import precision_at_k
from anygrasp_training.evaluation.evaluation_config import EvaluationConfig
from anygrasp_training.evaluation.force_closure import required_friction
from anygrasp_training.evaluation.object_model import SceneObject
from anygrasp_training.evaluation.scene_collision import SceneCollisions, find_collisions

__all__ = ["FrameResult", "GraspJudgement", "evaluate_frame", "judge_grasps"]


@dataclass(frozen=True, eq=False)
class FrameResult:
    """What became of the grasps of one frame. Ranked: the K best of those that passed the limits."""

    grasps: GraspGroup  # (K,) ranked, camera frame, object_ids index `object_names`
    friction: Float64Array  # (K,) friction coefficient needed, infinite for a grasp that fails
    colliding: BoolArray  # (K,)
    empty: BoolArray  # (K,)
    frictions: tuple[float, ...]  # (L,) the limits
    precision: Float64Array  # (top, L)
    object_names: tuple[str, ...]
    graspable: BoolArray  # (O,) objects that count for coverage
    covered: BoolArray  # (O,) objects with at least one good, collision-free grasp
    reached: (
        BoolArray  # (O,) objects with at least one collision-free grasp that holds something, however well
    )

    @property
    def average_precision(self) -> float:
        """AP of the frame: mean over k and friction coefficients, in [0, 1]."""
        return float(self.precision.mean())


def evaluate_frame(
    grasps: GraspGroup,
    objects: Sequence[SceneObject],
    support_points: ArrayLike,
    config: EvaluationConfig,
) -> FrameResult:
    """Evaluate predicted grasps, in the camera frame, against the objects of the frame.

    `support_points` (P, 3) in the camera frame stand for what the objects lie on, as `table_cloud` or
    `surface_cloud` of its mesh give them. Widths are clipped; NMS; each grasp belongs to the object whose
    model point is nearest to its centre; the best of each object stay; grasps that collide with any object
    or the support, or hold nothing, fail; the others need the friction that the contacts on their object
    ask for; the best of the frame are ranked by score. Raises ValueError when there are no objects.
    """
    if not objects:
        raise ValueError("a frame without objects has no precision; leave it out")
    clipped = grasps.replace(widths=np.clip(grasps.widths, 0.0, config.max_width_m))
    kept = clipped[grasp_nms(clipped, config.nms_translation_m, config.nms_angle_rad)]
    model_points = [target.points_camera_m for target in objects]
    kept = kept.replace(object_ids=nearest_objects(kept, model_points))
    best = kept[best_of_each_object(kept, config.top_per_object)]

    judged = judge_grasps(best, objects, support_points, config)
    friction = judged.friction

    covered = np.zeros(len(objects), dtype=np.bool_)
    covered[best.object_ids[friction <= config.coverage_friction]] = True
    reached = np.zeros(len(objects), dtype=np.bool_)
    reached[best.object_ids[~judged.colliding & ~judged.empty]] = True
    top = np.argsort(-best.scores, kind="stable")[: config.top_per_frame]
    return FrameResult(
        grasps=best[top],
        friction=friction[top],
        colliding=judged.colliding[top],
        empty=judged.empty[top],
        frictions=config.frictions,
        precision=precision_at_k(friction[top], config.frictions, config.top_per_frame),
        object_names=tuple(target.name for target in objects),
        graspable=np.array([target.graspable for target in objects]),
        covered=covered,
        reached=reached,
    )


@dataclass(frozen=True, eq=False)
class GraspJudgement:
    """What is true of N grasps."""

    friction: Float64Array  # (N,) friction coefficient needed, infinite for a grasp that fails
    colliding: BoolArray  # (N,)
    empty: BoolArray  # (N,)


def judge_grasps(
    grasps: GraspGroup, objects: Sequence[SceneObject], support_points: ArrayLike, config: EvaluationConfig
) -> GraspJudgement:
    """Judge grasps, of clipped widths, whose `object_ids` index the objects; as `evaluate_frame` does."""
    collisions = scene_collisions(grasps, objects, support_points, config)
    friction = np.full(len(grasps), np.inf)
    for index, target in enumerate(objects):
        own = np.flatnonzero((grasps.object_ids == index) & ~collisions.colliding & ~collisions.empty)
        friction[own] = required_friction(grasps[own], target, config.pad)
    return GraspJudgement(friction, collisions.colliding, collisions.empty)


def scene_collisions(
    grasps: GraspGroup, objects: Sequence[SceneObject], support_points: ArrayLike, config: EvaluationConfig
) -> SceneCollisions:
    """Check grasps, of clipped widths, against all objects of a frame and their support."""
    support = np.asarray(support_points, dtype=np.float64).reshape(-1, 3)
    scene = np.concatenate([*(target.points_camera_m for target in objects), support])
    return find_collisions(grasps, scene, config.gripper, config.min_points_between)


def nearest_objects(group: GraspGroup, model_points: Sequence[Float64Array]) -> IntpArray:
    """Return for each of N grasps the index of the object with the model point nearest to its centre."""
    owner = np.repeat(np.arange(len(model_points)), [len(points) for points in model_points])
    nearest = cKDTree(np.concatenate(model_points)).query(group.translations)[1]
    return np.asarray(owner[nearest], dtype=np.intp)


def best_of_each_object(group: GraspGroup, count: int) -> IntpArray:
    """Return the indices of at most `count` grasps for each object id, those of highest score."""
    ranked = np.argsort(-group.scores, kind="stable")
    kept = [ranked[group.object_ids[ranked] == index][:count] for index in np.unique(group.object_ids)]
    return np.concatenate([np.zeros(0, dtype=np.intp), *kept])
