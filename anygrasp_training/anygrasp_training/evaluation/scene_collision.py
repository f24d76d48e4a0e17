# SPDX-License-Identifier: Apache-2.0
"""The benchmark's collision rule: no scene point inside the gripper, enough of them between the fingers."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from anygrasp_perception.arrays import BoolArray, Float64Array
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_training.evaluation.evaluation_config import BenchmarkGripper

__all__ = ["SceneCollisions", "find_collisions"]


@dataclass(frozen=True, eq=False)
class SceneCollisions:
    """One entry a grasp."""

    colliding: BoolArray  # (N,) a scene point is inside a finger or the base
    empty: BoolArray  # (N,) too few points are between the fingers


def find_collisions(
    group: GraspGroup, scene_points: Float64Array, gripper: BenchmarkGripper, min_points_between: int
) -> SceneCollisions:
    """Check N grasps against the points (P, 3) of all objects and the table, in the group's frame."""
    colliding = np.zeros(len(group), dtype=np.bool_)
    empty = np.ones(len(group), dtype=np.bool_)
    if len(group) == 0 or len(scene_points) == 0:
        return SceneCollisions(colliding, empty)
    reach = _reach_m(group, gripper)
    lower = (group.translations - reach[:, None]).min(axis=0)
    upper = (group.translations + reach[:, None]).max(axis=0)
    # The table is far larger than where the grasps are.
    near = scene_points[((scene_points >= lower) & (scene_points <= upper)).all(axis=1)]
    if len(near) == 0:
        return SceneCollisions(colliding, empty)
    tree = cKDTree(near, balanced_tree=False, compact_nodes=False)
    for i, candidates in enumerate(tree.query_ball_point(group.translations, reach)):
        x, y, z = ((near[candidates] - group.translations[i]) @ group.rotation_matrices[i]).T
        side, half = np.abs(y), group.widths[i] / 2
        in_height = np.abs(z) < gripper.finger_height_m / 2
        along_fingers = in_height & (x > -gripper.back_length_m) & (x < group.depths[i])
        outside = half + gripper.finger_thickness_m
        in_fingers = along_fingers & (side > half) & (side < outside)
        behind = (x < -gripper.back_length_m) & (x > -gripper.back_length_m - gripper.base_length_m)
        in_base = in_height & behind & (side < outside)
        colliding[i] = (in_fingers | in_base).any()
        empty[i] = np.count_nonzero(along_fingers & (side <= half)) < min_points_between
    return SceneCollisions(colliding, empty)


def _reach_m(group: GraspGroup, gripper: BenchmarkGripper) -> Float64Array:
    """Radii (N,) of balls about the grasp centres that hold the gripper."""
    along = np.maximum(group.depths, gripper.back_length_m + gripper.base_length_m)
    side = group.widths / 2 + gripper.finger_thickness_m
    return np.sqrt(along**2 + side**2 + (gripper.finger_height_m / 2) ** 2)
