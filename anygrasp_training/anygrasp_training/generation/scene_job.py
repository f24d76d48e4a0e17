# SPDX-License-Identifier: Apache-2.0
"""One scene from seed to disk: settle, label collisions, render, measure, associate, write."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anygrasp_perception.arrays import BoolArray, Float64Array
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.se3 import inverse
from anygrasp_training.association import AssociationLabeller, neighbour_views
from anygrasp_training.dataset.grasp_label_files import read_grasp_labels, write_collisions
from anygrasp_training.dataset.layout import DatasetLayout
from anygrasp_training.dataset.rectangles import rectangle_grasps
from anygrasp_training.dataset.writer import write_scene
from anygrasp_training.evaluation.object_model import VOXEL_M
from anygrasp_training.generation.config import GenerationConfig
from anygrasp_training.generation.object_pool import load_pool_object
from anygrasp_training.labels.object_labels import FRICTION_STEP, ObjectGraspLabels
from anygrasp_training.scenes import Scene, SceneError, SceneRenderer, build_scene, plan_scene
from anygrasp_training.scenes.cameras import draw_intrinsics, draw_viewpoints
from anygrasp_training.scenes.obstacles import sample_furniture
from anygrasp_training.scenes.scene_collision import scene_collisions
from anygrasp_training.scenes.sensing import SceneSensor

__all__ = ["generate_scene"]

_RECTANGLES_PER_OBJECT = 40
_RECTANGLE_FRICTION = 0.4
_VIEW_TRIES = 8
_PLANS = 5
_SUPPORT_MARGIN_M = 0.2  # about the objects: as far as the gripper reaches


def generate_scene(root: Path, config: GenerationConfig, scene_id: int) -> None:
    """Generate one scene; its folder under scenes/ appears last, when all is written."""
    layout = DatasetLayout(root)
    scene = _settle(layout, config, scene_id)
    object_ids = [item.object_id for item in scene.objects]
    labels, collisions = _label(layout, config, scene, scene_id)
    rng = np.random.default_rng([config.seed, 3, scene_id])
    renderer, sensor = SceneRenderer(scene), SceneSensor(config.sensor)
    intrinsics = draw_intrinsics(config.camera, rng)
    T_scene_objects = np.array([item.T_scene_object for item in scene.objects])
    associate, rectangles = None, GraspGroup.empty()
    if labels:
        associate = AssociationLabeller(object_ids, labels, collisions, config.association_grasps, rng)
        rectangles = _rectangle_candidates(scene, labels, collisions, rng)
    names = [item.body.name for item in scene.objects]
    cameras = _choose_cameras(renderer, intrinsics, config, rng)
    with write_scene(layout, scene_id, config.camera_name, object_ids, names) as writer:
        for T_scene_camera in cameras:
            view = renderer.render(T_scene_camera, intrinsics)
            T_camera_scene = inverse(T_scene_camera)
            if associate is not None:
                associate.add_view(view.depth_m, intrinsics, T_camera_scene @ T_scene_objects)
            writer.add_view(
                view,
                sensor.measure(view, scene, rng),
                T_scene_objects,
                rectangle_grasps(rectangles.transformed(T_camera_scene), intrinsics),
            )
        writer.finish(
            intrinsics,
            {
                "kind": scene.kind.value,
                "seed": [config.seed, scene_id],
                "gravity_m_s2": scene.gravity_m_s2.tolist(),
                "furniture": [item.name for item in scene.furniture],
                "sensor": config.sensor,
                "free_cells": [
                    int((label.positive & ~hit).sum()) for label, hit in zip(labels, collisions, strict=True)
                ],
            },
            None if associate is None else associate.match(neighbour_views(np.array(cameras))),
            sample_furniture(scene, _SUPPORT_MARGIN_M, VOXEL_M),
        )


def _label(
    layout: DatasetLayout, config: GenerationConfig, scene: Scene, scene_id: int
) -> tuple[list[ObjectGraspLabels], list[BoolArray]]:
    """Labels of the scene's objects and their collisions in it, which are written; none without labels."""
    if config.labels is None:
        return [], []
    labels = [read_grasp_labels(layout.grasp_label(item.object_id)) for item in scene.objects]
    collisions = scene_collisions(scene, labels)
    write_collisions(layout.collision_label(scene_id), collisions)
    return labels, collisions


def _settle(layout: DatasetLayout, config: GenerationConfig, scene_id: int) -> Scene:
    """Build the scene; objects that will not stay are exchanged for others."""
    error: SceneError | None = None
    for attempt in range(_PLANS):
        plan = plan_scene(config.pool_size, (config.seed, 2, scene_id, attempt), config.scene)
        bodies = [load_pool_object(layout, object_id) for object_id in plan.object_ids]
        try:
            return build_scene(plan, bodies, config.scene)
        except SceneError as failure:
            error = failure
    raise SceneError(f"scene {scene_id}: none of {_PLANS} choices of objects came to rest") from error


def _choose_cameras(
    renderer: SceneRenderer,
    intrinsics: CameraIntrinsics,
    config: GenerationConfig,
    rng: np.random.Generator,
) -> list[Float64Array]:
    """Poses of all views; runs in which something stands in the way are drawn anew."""
    cameras: list[Float64Array] = []
    for drawn in draw_viewpoints(config.views, config.camera, rng):
        run = drawn
        for _ in range(_VIEW_TRIES):
            if all(renderer.sees_objects(T, intrinsics) for T in run):
                break
            run = draw_viewpoints(len(run), config.camera, rng, overhead=False)[0]
        cameras += run
    return cameras


def _rectangle_candidates(
    scene: Scene,
    labels: list[ObjectGraspLabels],
    collisions: list[BoolArray],
    rng: np.random.Generator,
) -> GraspGroup:
    """Some of the good free grasps of each object, scene frame."""
    groups = []
    limit = round(_RECTANGLE_FRICTION / FRICTION_STEP)
    for item, label, hit in zip(scene.objects, labels, collisions, strict=True):
        cells = np.flatnonzero((label.friction_codes <= limit) & ~hit)
        cells = rng.permutation(cells)[:_RECTANGLES_PER_OBJECT]
        grasps = label.grasps(np.stack(np.unravel_index(cells, hit.shape), axis=-1))
        grasps = grasps.replace(object_ids=np.full(len(grasps), item.object_id))
        groups.append(grasps.transformed(item.T_scene_object))
    return GraspGroup.concatenate(groups)
