# SPDX-License-Identifier: Apache-2.0
"""Which grasps of an object's labels have room for the gripper in the scene (paper IV-A, IV-D)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anygrasp_perception.arrays import BoolArray, Float32Array, Float64Array
from anygrasp_perception.grasp import DEPTHS_M
from anygrasp_perception.gripper import GripperGeometry
from anygrasp_perception.se3 import transform_points
from anygrasp_training.labels import LABEL_GRIPPER, ObjectGraspLabels, cell_rotations
from anygrasp_training.scenes.obstacles import DistanceGrid, sample_surfaces
from anygrasp_training.scenes.scene import Scene

__all__ = ["gripper_hits", "scene_collisions"]

_CHUNK = 20_000  # grasps at once: bounds the memory to some 50 MB
_COARSE_M, _FINE_M = 0.02, 0.01  # edges of the blocks that the gripper is cut into, about
_LEFT_FINGER, _RIGHT_FINGER, _BASE = range(3)  # in the order of GripperGeometry.boxes


def scene_collisions(
    scene: Scene, labels: Sequence[ObjectGraspLabels], gripper: GripperGeometry = LABEL_GRIPPER
) -> list[BoolArray]:
    """Return for each object of the scene (N, 300, 12, 5) bool: a positive cell whose gripper hits
    another object, the table, a wall or clutter.

    `labels` belong to `scene.objects`, in order. Cells that are no grasp anyway are False.
    """
    if len(labels) != len(scene.objects):
        raise ValueError(f"{len(scene.objects)} objects with labels of {len(labels)}: give one for each")
    reach = float(
        np.hypot(gripper.finger_length_m + gripper.base_length_m, gripper.base_width_m / 2)
        + max(DEPTHS_M)
        + _COARSE_M
    )
    samples = sample_surfaces(scene, reach)
    return [
        _object_collisions(item.T_scene_object, label, samples.without(index), reach, gripper)
        for index, (item, label) in enumerate(zip(scene.objects, labels, strict=True))
    ]


def _object_collisions(
    T_scene_object: Float64Array,
    labels: ObjectGraspLabels,
    obstacles: Float32Array,
    reach_m: float,
    gripper: GripperGeometry,
) -> BoolArray:
    collisions = np.zeros(labels.friction_codes.shape, dtype=np.bool_)
    cells = np.flatnonzero(labels.positive)
    if len(cells) == 0:
        return collisions
    points = transform_points(T_scene_object, labels.points_m)
    grid = DistanceGrid(obstacles, points.min(axis=0) - reach_m, points.max(axis=0) + reach_m)
    turns = (T_scene_object[:3, :3] @ cell_rotations()).reshape(-1, 3, 3).astype(np.float32)
    openings = labels.openings_m.reshape(-1)
    for first in range(0, len(cells), _CHUNK):
        some = cells[first : first + _CHUNK]
        cell, depth = np.divmod(some, len(DEPTHS_M))
        point, turn = np.divmod(cell, len(turns))
        collisions.reshape(-1)[some] = gripper_hits(
            grid,
            points[point].astype(np.float32),
            turns[turn],
            np.asarray(DEPTHS_M, dtype=np.float32)[depth],
            openings[some],
            gripper,
        )
    return collisions


def gripper_hits(
    grid: DistanceGrid,
    centers: NDArray[np.float32],
    rotations: NDArray[np.float32],
    depths_m: NDArray[np.float32],
    openings_m: NDArray[np.float32],
    gripper: GripperGeometry,
) -> BoolArray:
    """Return (M,) bool: the gripper at grasps (M, 3), (M, 3, 3), opened to (M,), meets an obstacle.

    Its boxes are cut into blocks. Coarse ones settle most grasps: all far from everything, or one with an
    obstacle well inside. Of the others, one collides when a point is nearer to the middle of a fine block
    than the mean radius of the balls in and around it.
    """
    boxes = gripper.boxes(openings_m, depths_m).astype(np.float32)  # (M, 3, 2, 3)
    hits = np.zeros(len(centers), dtype=np.bool_)
    unsettled = np.zeros(len(centers), dtype=np.bool_)
    for box in (_BASE, _LEFT_FINGER, _RIGHT_FINGER):
        left = np.flatnonzero(~hits)
        places, edges = _blocks(centers[left], rotations[left], boxes[left, box], _COARSE_M)
        nearest = grid.nearest(places).min(axis=1)
        hits[left] = nearest < edges.min() / 2 - grid.slack_m
        unsettled[left] |= nearest < np.linalg.norm(edges) / 2 + grid.slack_m
    for box in (_LEFT_FINGER, _RIGHT_FINGER, _BASE):  # most collisions are a finger's: the base sees few
        left = np.flatnonzero(unsettled & ~hits)
        if len(left):
            places, edges = _blocks(centers[left], rotations[left], boxes[left, box], _FINE_M)
            radius = (edges.min() + float(np.linalg.norm(edges))) / 4
            hits[left] = (grid.interpolated(places) < radius).any(axis=1)
    return hits


def _blocks(
    centers: NDArray[np.float32], rotations: NDArray[np.float32], box: Float32Array, edge_m: float
) -> tuple[Float32Array, Float64Array]:
    """Centres (M, B, 3), scene frame, and edges (3,) of blocks of about `edge_m` that fill boxes (M, 2, 3)
    of one size."""
    if len(box) == 0:
        return np.zeros((0, 1, 3), dtype=np.float32), np.full(3, edge_m)
    size = (box[0, 1] - box[0, 0]).astype(np.float64)
    counts = np.maximum(np.rint(size / edge_m).astype(int), 1)
    edges: Float64Array = size / counts
    axes = [(np.arange(count) + 0.5) * edge for count, edge in zip(counts, edges, strict=True)]
    lattice = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.float32)
    # One product for all grasps, several times faster than one for each; coordinates end up side by side in
    # memory, as DistanceGrid likes them.
    places = (rotations.reshape(-1, 3) @ lattice.T).reshape(len(box), 3, -1)
    places += (np.einsum("mij,mj->mi", rotations, box[:, 0]) + centers)[:, :, None]
    return places.transpose(0, 2, 1), edges
