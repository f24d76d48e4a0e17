# SPDX-License-Identifier: Apache-2.0
"""Evaluates grasps against the frames of a dataset, ours or GraspNet-1Billion."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from anygrasp_perception.arrays import BoolArray, Float64Array
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.se3 import inverse, transform_points
from anygrasp_training.dataset import DatasetError, DatasetFrame, GraspDataset
from anygrasp_training.dataset.files import read_json
from anygrasp_training.evaluation.evaluation_config import EvaluationConfig
from anygrasp_training.evaluation.frame_evaluation import (
    FrameResult,
    GraspJudgement,
    evaluate_frame,
    judge_grasps,
    nearest_objects,
    scene_collisions,
)
from anygrasp_training.evaluation.object_model import ObjectModel, SceneObject, table_cloud
from anygrasp_training.labels.label_config import LABEL_GRIPPER
from anygrasp_training.labels.object_labels import FRICTION_STEP

__all__ = ["SPLITS", "DatasetEvaluator", "scene_split"]

SPLITS = ("seen", "similar", "novel", "train", "other")
# GraspNet-1Billion's scene numbers, up to which a split goes.
_OFFICIAL_SPLITS: Mapping[str, int] = {"train": 100, "seen": 130, "similar": 160, "novel": 190}
_CACHED_SCENES = 2


class DatasetEvaluator:
    """Evaluates frame by frame; keeps the models of the objects that it has met."""

    def __init__(self, dataset: GraspDataset, config: EvaluationConfig | None = None) -> None:
        self._dataset = dataset
        self._config = config or EvaluationConfig()
        self._model = lru_cache(maxsize=None)(self._load_model)
        self._free = lru_cache(maxsize=_CACHED_SCENES)(self._free_objects)

    def evaluate(self, scene_id: int, view: int, grasps: GraspGroup) -> FrameResult:
        """Evaluate grasps, in the camera frame, of one view.

        For coverage count the objects that are seen in the view and, where the dataset has labels, have a
        free grasp by them. The support is the scene's own surfaces in our datasets, the benchmark's slab
        in GraspNet-1Billion. Raises DatasetError on a scene or view that is not there.
        """
        frame = self._dataset.frame(scene_id, view)
        seen = np.isin(np.array(frame.object_ids) + 1, frame.label)
        objects = self._objects(frame, seen & self._free(scene_id))
        return evaluate_frame(grasps, objects, self._support(scene_id, frame), self._config)

    def judge(self, scene_id: int, view: int, grasps: GraspGroup) -> GraspJudgement:
        """Say of every grasp, in the camera frame, what is true of it: without suppression, limits or rank.

        Raises DatasetError on a scene or view that is not there.
        """
        config, frame = self._config, self._dataset.frame(scene_id, view)
        objects = self._objects(frame, np.ones(len(frame.object_ids), dtype=np.bool_))
        clipped = grasps.replace(widths=np.clip(grasps.widths, 0.0, config.max_width_m))
        nearest = nearest_objects(clipped, [target.points_camera_m for target in objects])
        support = self._support(scene_id, frame)
        return judge_grasps(clipped.replace(object_ids=nearest), objects, support, config)

    def reached(self, scene_id: int, view: int, grasps: GraspGroup) -> BoolArray:
        """Say of every object (O,) whether a grasp at it, of all, collides with nothing and holds something.

        With the fingers that the labels were made for, `LABEL_GRIPPER`'s, 6 cm long: those of the benchmark
        end 2 cm behind the grasp centre, so that whatever stands higher beside it is hit by their base.
        Raises DatasetError on a scene or view that is not there.
        """
        config, frame = self._config, self._dataset.frame(scene_id, view)
        objects = self._objects(frame, np.ones(len(frame.object_ids), dtype=np.bool_))
        depth_m = LABEL_GRIPPER.finger_length_m - config.gripper.back_length_m
        long = grasps.replace(
            translations=grasps.fingertips - depth_m * grasps.approaches,
            depths=np.full(len(grasps), depth_m),
            widths=np.clip(grasps.widths, 0.0, config.max_width_m),
        )
        hits = scene_collisions(long, objects, self._support(scene_id, frame), config)
        good = grasps[~hits.colliding & ~hits.empty]
        reached = np.zeros(len(objects), dtype=np.bool_)
        reached[nearest_objects(good, [target.points_camera_m for target in objects])] = True
        return reached

    def _objects(self, frame: DatasetFrame, graspable: BoolArray) -> list[SceneObject]:
        return [
            SceneObject(f"{object_id:03d}", self._model(object_id), T_camera_object, bool(counts))
            for object_id, T_camera_object, counts in zip(
                frame.object_ids, frame.T_camera_objects, graspable, strict=True
            )
        ]

    def _support(self, scene_id: int, frame: DatasetFrame) -> Float64Array:
        T_camera_table = inverse(frame.T_table_camera)
        points = self._dataset.support_points(scene_id)
        return table_cloud(T_camera_table) if points is None else transform_points(T_camera_table, points)

    def _free_objects(self, scene_id: int) -> BoolArray:
        """(O,) objects of a scene with a free grasp of the coverage friction; all, without labels."""
        object_ids = self._dataset.object_ids(scene_id)
        if not self._dataset.layout.collision_label(scene_id).is_file():
            return np.ones(len(object_ids), dtype=np.bool_)
        limit = round(self._config.coverage_friction / FRICTION_STEP)
        return np.array(
            [
                bool(((self._dataset.grasp_labels(object_id).friction_codes <= limit) & ~hit).any())
                for object_id, hit in zip(object_ids, self._dataset.collisions(scene_id), strict=True)
            ]
        )

    def _load_model(self, object_id: int) -> ObjectModel:
        path = self._dataset.layout.mesh(object_id)
        try:
            return ObjectModel.from_mesh(self._dataset.mesh(object_id), str(path))
        except ValueError as error:
            raise DatasetError(str(error)) from error


def scene_split(dataset: GraspDataset, scene_id: int) -> str:
    """Return the split of a scene, of SPLITS: ours say it, GraspNet-1Billion's go by number.

    Our scenes of training objects are `seen`: which of them a network was trained on is not known here.
    """
    if dataset.layout.config.is_file():
        split = str(read_json(dataset.layout.config).get("split", "other"))
        return "seen" if split == "train" else split
    return next((split for split, end in _OFFICIAL_SPLITS.items() if scene_id < end), "other")
