# SPDX-License-Identifier: Apache-2.0
"""Model-free collision detection: does the gripper, opened at the grasp, hit the partial cloud?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import BoolArray, IntpArray
from anygrasp_perception.box_search import count_at_fingers
from anygrasp_perception.compiled import in_parts, thread_count
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.gripper import GripperGeometry
from anygrasp_perception.point_grid import PointGrid

__all__ = ["CollisionConfig", "CollisionResult", "detect_collisions"]

_GRASPS_AT_ONCE = 64  # of one thread


@dataclass(frozen=True)
class CollisionConfig:
    """What counts as a collision. The defaults are for clouds of about 20 000 points, 3 to 5 mm apart.

    A depth camera scatters a flat table by 1 to 3 mm, so single points stand above it: up to `max_points`
    inside the gripper are forgiven, while fingertips set onto a table cover 10 or more. The scatter so
    adds the distance that it needs by itself: with the clearance, fingertips pass 4 mm above a table seen
    with 1 mm of noise and 7 mm above one with 2.5 mm.
    Raises ValueError on values out of range.
    """

    max_points: int = 2  # points inside the gripper that are still put down to noise
    fingertip_clearance_m: float = 0.002  # free space asked for in front of the fingertips
    approach_clearance_m: float = 0.10  # free space asked for behind the base, the way in (paper V-B)
    min_closing_points: int = 5  # fewer points between the fingers are no object

    def __post_init__(self) -> None:
        if self.max_points < 0 or self.min_closing_points < 1:
            raise ValueError(
                f"CollisionConfig needs max_points >= 0 and min_closing_points >= 1, got {self.max_points} "
                f"and {self.min_closing_points}"
            )
        for name in ("fingertip_clearance_m", "approach_clearance_m"):
            if not 0.0 <= getattr(self, name) < np.inf:
                raise ValueError(f"CollisionConfig.{name} must be >= 0, got {getattr(self, name)}")


@dataclass(frozen=True, eq=False)
class CollisionResult:
    """One entry for each grasp of the group that was checked."""

    colliding: BoolArray  # (N,)
    empty_closing: BoolArray  # (N,) too few points between the fingers to hold anything


def detect_collisions(
    group: GraspGroup,
    points: ArrayLike | PointGrid,
    gripper: GripperGeometry,
    config: CollisionConfig = CollisionConfig(),
) -> CollisionResult:
    """Check N grasps, opened to their widths, against the cloud (P, 3) in the group's frame, metres.

    The gripper is its three boxes (paper IV-D), the fingers longer by the fingertip clearance and the
    base, behind which the fingers pass, longer by the approach clearance. Widths are taken as they
    are, beyond the gripper's limit too. Raises ValueError on an empty cloud or NaN points.
    """
    scene = PointGrid.of(points)
    in_fingers, between = _count_at_fingers(group, scene, gripper, config)
    # Most collisions are the fingers', so the base is looked at only where they are free.
    in_gripper = in_fingers.copy()
    free = np.flatnonzero(in_fingers <= config.max_points)
    in_gripper[free] += _count_in_base(group[free], scene, gripper, config)
    return CollisionResult(
        colliding=in_gripper > config.max_points,
        empty_closing=between < config.min_closing_points,
    )


# Both count in frames at the fingertips' midpoints, where the limits along x and z are the same for all.


def _count_at_fingers(
    group: GraspGroup, scene: PointGrid, gripper: GripperGeometry, config: CollisionConfig
) -> tuple[IntpArray, IntpArray]:
    """Return how many points are inside the fingers and how many between them, (N,) each."""
    length, height, thickness = gripper.finger_length_m, gripper.finger_height_m, gripper.finger_thickness_m
    inner = group.widths / 2
    lower = np.stack(np.broadcast_arrays(-length, -inner - thickness, -height / 2), axis=-1)
    upper = np.stack(np.broadcast_arrays(config.fingertip_clearance_m, -lower[:, 1], height / 2), axis=-1)
    low, high = (np.ascontiguousarray(corner, dtype=np.float64) for corner in (lower, upper))
    places, frames = np.ascontiguousarray(group.fingertips), np.ascontiguousarray(group.rotation_matrices)
    inside, between = np.zeros(len(group), dtype=np.intp), np.zeros(len(group), dtype=np.intp)
    sides = inner.astype(np.float32)

    def count(start: int, stop: int) -> None:
        part = slice(start, stop)
        inside[part], between[part] = count_at_fingers(
            scene.index, frames[part], places[part], low[part], high[part], sides[part], thickness
        )

    in_parts(count, len(group), _GRASPS_AT_ONCE, thread_count())
    return inside, between


def _count_in_base(
    group: GraspGroup, scene: PointGrid, gripper: GripperGeometry, config: CollisionConfig
) -> IntpArray:
    """Return how many points are inside the base and the way it comes, (N,)."""
    front = -gripper.finger_length_m
    lower = (
        front - gripper.base_length_m - config.approach_clearance_m,
        -gripper.base_width_m / 2,
        -gripper.base_height_m / 2,
    )
    upper = (front, gripper.base_width_m / 2, gripper.base_height_m / 2)
    near = scene.near_boxes(group.fingertips, group.rotation_matrices, lower, upper)
    return near.counts(
        (near.x <= upper[0]) & (near.x > lower[0]) & (np.abs(near.y) < upper[1]) & (np.abs(near.z) < upper[2])
    )
