# SPDX-License-Identifier: Apache-2.0
"""Distance between grasps on the same object, in the object's frame (paper IV-A, Eq. 4-5)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.grasp import HALF_TURN_X, LABEL_MAX_WIDTH_M
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.se3 import inverse

__all__ = ["AssociationConfig", "grasp_distances", "in_object_frames"]


@dataclass(frozen=True)
class AssociationConfig:
    """When two grasps are the same.

    The paper prints w_max = 0.01 m but defines it as the maximum gripper width, which is 0.1 m in its label
    space. With 0.01 m a positive pair would have to agree within 1 mm, closer than label points lie; 0.1 m
    makes it 10 mm.
    """

    max_width_m: float = LABEL_MAX_WIDTH_M  # w_max
    rotation_weight: float = 0.1  # gamma
    max_distance: float = 0.1  # of a positive pair

    def __post_init__(self) -> None:
        if not self.max_width_m > 0 or not self.rotation_weight >= 0 or not self.max_distance > 0:
            raise ValueError(
                "AssociationConfig needs max_width_m > 0, rotation_weight >= 0 and max_distance > 0, got "
                f"{self.max_width_m}, {self.rotation_weight} and {self.max_distance}"
            )


def in_object_frames(
    group: GraspGroup, object_ids: Sequence[int], T_group_objects: NDArray[np.floating]
) -> GraspGroup:
    """Return the grasps, each in the frame of its own object.

    `T_group_objects` (K, 4, 4) are the poses, in the group's frame, of the objects `object_ids` (K,).
    Grasps of other objects, or of none, keep their frame: their distance to any other is infinite or
    compares them with their like. Raises ValueError when the numbers of ids and poses differ.
    """
    if len(object_ids) != len(T_group_objects):
        raise ValueError(f"{len(object_ids)} object ids with {len(T_group_objects)} poses: give one for each")
    rotations, translations = group.rotation_matrices.copy(), group.translations.copy()
    for object_id, T_group_object in zip(object_ids, T_group_objects, strict=True):
        mine = group.object_ids == object_id
        T_object_group = inverse(np.asarray(T_group_object, dtype=np.float64))
        rotations[mine] = T_object_group[:3, :3] @ group.rotation_matrices[mine]
        translations[mine] = group.translations[mine] @ T_object_group[:3, :3].T + T_object_group[:3, 3]
    return dataclasses.replace(group, rotation_matrices=rotations, translations=translations)


def grasp_distances(
    group_a: GraspGroup, group_b: GraspGroup, config: AssociationConfig = AssociationConfig()
) -> Float64Array:
    """Return (N, M) distances dt / w_max + gamma dR / pi of grasps in their objects' frames.

    Infinite across objects, and for grasps of no known object (id below 0). A grasp and its half turn
    about the approach are the same, so dR is the smaller of both.
    """
    shift = np.linalg.norm(group_a.translations[:, None] - group_b.translations[None], axis=-1)
    turn = np.minimum(
        _turns(group_a.rotation_matrices, group_b.rotation_matrices),
        _turns(group_a.rotation_matrices, group_b.rotation_matrices @ HALF_TURN_X),
    )
    distances = shift / config.max_width_m + config.rotation_weight * turn / np.pi
    same = (group_a.object_ids[:, None] == group_b.object_ids[None]) & (group_a.object_ids[:, None] >= 0)
    return np.where(same, distances, np.inf)


def _turns(R_a: Float64Array, R_b: Float64Array) -> Float64Array:
    """(N, M) angles between rotations (N, 3, 3) and (M, 3, 3), radians."""
    trace = R_a.reshape(-1, 9) @ R_b.reshape(-1, 9).T
    return np.asarray(np.arccos(np.clip((trace - 1) / 2, -1, 1)))
