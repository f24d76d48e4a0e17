# SPDX-License-Identifier: Apache-2.0
"""Grasp labels of scenes, kept in memory in the form that samples take them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import BoolArray, Float32Array, IntpArray, Uint8Array
from anygrasp_training.dataset import GraspDataset
from anygrasp_training.labels.object_labels import FRICTION_STEP, NO_GRASP

__all__ = ["ObjectTargets", "SceneTargets"]

_GOOD_FRICTION = 0.8  # of a cell that makes its point graspable (DESIGN 3)
_VIEW_FRICTION = 0.6  # of a cell that makes its view a good one (DESIGN 3)


@dataclass(frozen=True, eq=False)
class _ObjectCells:
    """What does not depend on the scene; shared by all scenes with this object."""

    points_m: Float32Array  # (P, 3) object frame
    friction_codes: Uint8Array  # (P, 300, 12, 5)
    opening_codes: Uint8Array  # (P, 300, 12, 5)
    stable_codes: Uint8Array  # (P, 300, 12) stable score x 255


@dataclass(frozen=True, eq=False)
class ObjectTargets:
    """Labels of one object in one scene."""

    cells: _ObjectCells
    blocked: Uint8Array  # (P, 300, 8) bits: the 60 cells whose gripper has no room in the scene
    good_views: Uint8Array  # (P, 300) of 60 cells, how many hold with little friction and have room
    graspness: Float32Array  # (P,) share of all cells that hold and have room

    def friction_codes(self, points: IntpArray) -> Uint8Array:
        """(S, 300, 12, 5) codes of some label points, NO_GRASP also where there is no room."""
        codes: Uint8Array = self.cells.friction_codes[points]
        hit = np.unpackbits(self.blocked[points], axis=-1, count=60).view(np.bool_)
        codes[hit.reshape(codes.shape)] = NO_GRASP
        return codes


class SceneTargets:
    """Labels by scene; a scene is read at first use and kept, at about 0.3 MB an object.

    With a `label_share` below 1 each object keeps that share of its label points, the same in all scenes.
    Raises DatasetError as the dataset does.
    """

    def __init__(self, dataset: GraspDataset, label_share: float = 1.0) -> None:
        self.dataset = dataset
        self._label_share = label_share
        self._objects: dict[int, _ObjectCells] = {}
        self._scenes: dict[int, list[ObjectTargets]] = {}

    def of_scene(self, scene_id: int) -> list[ObjectTargets]:
        """Labels of the scene's objects, in the order of `GraspDataset.object_ids`."""
        if scene_id not in self._scenes:
            ids = self.dataset.object_ids(scene_id)
            hits = self.dataset.collisions(scene_id)
            self._scenes[scene_id] = [
                _combine(self._cells(object_id), hit[self._kept(object_id, len(hit))])
                for object_id, hit in zip(ids, hits, strict=True)
            ]
        return self._scenes[scene_id]

    def _cells(self, object_id: int) -> _ObjectCells:
        if object_id not in self._objects:
            labels = self.dataset.grasp_labels(object_id)
            stable = np.nan_to_num(labels.stable_scores, nan=0.0)
            kept = self._kept(object_id, len(labels.points_m))
            self._objects[object_id] = _ObjectCells(
                labels.points_m[kept],
                labels.friction_codes[kept],
                labels.opening_codes[kept],
                np.rint(stable[kept] * 255).astype(np.uint8),
            )
        return self._objects[object_id]

    def _kept(self, object_id: int, count: int) -> IntpArray:
        if self._label_share == 1.0:
            return np.arange(count)
        drawn = np.random.default_rng([29, object_id]).permutation(count)
        return np.sort(drawn[: max(1, round(self._label_share * count))])


def _combine(cells: _ObjectCells, hit: BoolArray) -> ObjectTargets:
    points, views = hit.shape[:2]
    free = ~hit
    holds = (cells.friction_codes <= round(_GOOD_FRICTION / FRICTION_STEP)) & free
    holds_well = (cells.friction_codes <= round(_VIEW_FRICTION / FRICTION_STEP)) & free
    return ObjectTargets(
        cells=cells,
        blocked=np.packbits(hit.reshape(points, views, -1), axis=-1),
        good_views=holds_well.sum(axis=(2, 3), dtype=np.uint8),
        graspness=holds.reshape(points, -1).mean(axis=1, dtype=np.float32),
    )
