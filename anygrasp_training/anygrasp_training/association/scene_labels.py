# SPDX-License-Identifier: Apache-2.0
"""Association labels of a scene: label grasps seen in each view, and which are the same in neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import BoolArray, Float32Array, Float64Array, Int32Array, IntpArray
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.grasp import DEPTHS_M
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.se3 import transform_points
from anygrasp_training.association.distance import AssociationConfig, grasp_distances
from anygrasp_training.labels.object_labels import ObjectGraspLabels, cell_rotations

__all__ = ["AssociationLabeller", "SceneAssociation"]

_VISIBLE_M = 0.008  # a label point this close to what the pixel sees is seen
_DEFAULTS = AssociationConfig()
_CELLS_PER_OBJECT = 20_000  # kept of the free cells: enough to draw from


@dataclass(frozen=True, eq=False)
class SceneAssociation:
    """Label grasps of V views and their matches over P pairs of neighbouring views."""

    cells: Int32Array  # (V, G, 5) object index, point, view, angle, depth; -1 where a view has fewer
    view_pairs: Int32Array  # (P, 2)
    match_pairs: Int32Array  # (M,) index of the pair of views
    match_grasps: Int32Array  # (M, 2) index of the grasp in the first and in the second view

    def matrix(self, pair: int) -> BoolArray:
        """Return (G, G) bool: which grasps of the two views of a pair are the same."""
        count = self.cells.shape[1]
        matrix = np.zeros((count, count), dtype=np.bool_)
        matrix[tuple(self.match_grasps[self.match_pairs == pair].T)] = True
        return matrix


class AssociationLabeller:
    """Draws free label grasps that each view sees, view by view, then matches them over pairs of views."""

    def __init__(
        self,
        object_ids: Sequence[int],
        labels: Sequence[ObjectGraspLabels],
        collisions: Sequence[BoolArray],
        grasps_per_view: int,
        rng: np.random.Generator,
    ) -> None:
        """Take the objects of a scene (K), their labels, and their cells without room in the scene."""
        self._object_ids, self._labels = tuple(object_ids), tuple(labels)
        self._grasps_per_view, self._rng = grasps_per_view, rng
        self._free = [
            _draw_rows(np.flatnonzero(label.positive & ~hit), _CELLS_PER_OBJECT, rng)
            for label, hit in zip(labels, collisions, strict=True)
        ]
        self._cells: list[Int32Array] = []  # (G, 5) of each view

    def add_view(
        self, depth_m: Float32Array, intrinsics: CameraIntrinsics, T_camera_objects: Float64Array
    ) -> None:
        """Draw grasps that this view sees; clean depth (H, W), poses (K, 4, 4) of the objects."""
        seen = [np.zeros((0, 5), dtype=np.intp)]
        for index, (label, free) in enumerate(zip(self._labels, self._free, strict=True)):
            points = transform_points(T_camera_objects[index], label.points_m)
            cells = np.stack(np.unravel_index(free, label.friction_codes.shape), axis=-1)
            cells = cells[_visible(points, depth_m, intrinsics)[cells[:, 0]]]
            seen.append(np.column_stack([np.full(len(cells), index), cells]))
        drawn = _draw_rows(np.concatenate(seen), self._grasps_per_view, self._rng)
        padded = np.full((self._grasps_per_view, 5), -1, dtype=np.int32)
        padded[: len(drawn)] = drawn
        self._cells.append(padded)

    def match(self, view_pairs: IntpArray, config: AssociationConfig = _DEFAULTS) -> SceneAssociation:
        """Match the grasps over pairs (P, 2) of the views added so far."""
        groups = [self._in_object_frames(cells) for cells in self._cells]
        pairs, matches = [np.zeros(0, np.intp)], [np.zeros((0, 2), np.intp)]
        for number, (first, second) in enumerate(view_pairs):
            same = np.argwhere(grasp_distances(groups[first], groups[second], config) <= config.max_distance)
            pairs.append(np.full(len(same), number))
            matches.append(same)
        return SceneAssociation(
            np.array(self._cells, dtype=np.int32).reshape(-1, self._grasps_per_view, 5),
            view_pairs.astype(np.int32).reshape(-1, 2),
            np.concatenate(pairs).astype(np.int32),
            np.concatenate(matches).astype(np.int32),
        )

    def _in_object_frames(self, cells: Int32Array) -> GraspGroup:
        """The grasps of one view's cells (G, 5), each in its object's frame; only what distances need."""
        cells = cells[cells[:, 0] >= 0]
        centers = [self._labels[index].points_m[point] for index, point in cells[:, :2]]
        return GraspGroup.from_arrays(
            rotation_matrices=cell_rotations()[cells[:, 2], cells[:, 3]],
            translations=np.array(centers).reshape(-1, 3),
            widths=0.0,
            scores=0.0,
            depths=np.asarray(DEPTHS_M)[cells[:, 4]],
            object_ids=np.asarray(self._object_ids)[cells[:, 0]],
        )


def _visible(points: Float64Array, depth_m: Float32Array, intrinsics: CameraIntrinsics) -> BoolArray:
    """(N,) which points (N, 3), camera frame, are what their pixels see."""
    pixels = np.nan_to_num(intrinsics.project(points), nan=-1.0)
    column, row = np.rint(np.clip(pixels, -1, max(depth_m.shape))).astype(np.intp).T
    inside = (column >= 0) & (column < depth_m.shape[1]) & (row >= 0) & (row < depth_m.shape[0])
    visible = inside.copy()
    visible[inside] = np.abs(depth_m[row[inside], column[inside]] - points[inside, 2]) < _VISIBLE_M
    return np.asarray(visible)


def _draw_rows(rows: IntpArray, count: int, rng: np.random.Generator) -> IntpArray:
    """Up to `count` rows, in their order."""
    if len(rows) <= count:
        return rows
    drawn: IntpArray = rows[np.sort(rng.choice(len(rows), size=count, replace=False))]
    return drawn
