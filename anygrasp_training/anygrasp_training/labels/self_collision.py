# SPDX-License-Identifier: Apache-2.0
"""Do the gripper's three boxes hit the object itself, before the fingers close?"""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from anygrasp_perception.arrays import BoolArray, Float32Array
from anygrasp_perception.gripper import GripperGeometry
from anygrasp_training.labels.mesh_rays import MeshRays

__all__ = ["axis_blocked", "gripper_collides"]

RAY_SPACING_M = 0.005  # a corner of the object that reaches in less than this may slip between the rays


def gripper_collides(
    rays: MeshRays,
    centers: NDArray[np.float32],
    rotations: NDArray[np.float32],
    depths_m: NDArray[np.float32],
    openings_m: NDArray[np.float32],
    gripper: GripperGeometry,
    extents: NDArray[np.float32] | None = None,
) -> BoolArray:
    """Return (M,) bool: a finger or the base, opened to `openings_m`, reaches into the solid.

    Grasps as `centers` (M, 3), `rotations` (M, 3, 3) in the object's frame, `depths_m` and `openings_m`
    (M,). Each box is filled with rays along its longest side, RAY_SPACING_M apart; with `extents` (M, 2, 3),
    the least and largest coordinates of the object in the grasps' frames, only where they overlap the box.
    """
    boxes = gripper.boxes(openings_m, depths_m).astype(np.float32)  # (M, 3, 2, 3)
    collides = np.zeros(len(centers), dtype=np.bool_)
    for box in range(boxes.shape[1]):
        near = ~collides
        if extents is not None:
            near &= (boxes[:, box, 0] <= extents[:, 1]).all(axis=1)
            near &= (boxes[:, box, 1] >= extents[:, 0]).all(axis=1)
        left = np.flatnonzero(near)
        if len(left):
            collides[left] = _box_hits(rays, centers[left], rotations[left], boxes[left, box])
    return collides


def axis_blocked(
    rays: MeshRays,
    centers: NDArray[np.float32],
    approaches: NDArray[np.float32],
    depths_m: NDArray[np.float32],
    gripper: GripperGeometry,
) -> BoolArray:
    """Return (M,) bool: the base collides on its axis, whatever the in-plane angle and the opening.

    A cheap first look at `gripper_collides`: it drops the approaches that come out of a thick object.
    """
    x = depths_m - (gripper.finger_length_m + gripper.base_length_m)
    rear = centers + x[:, None] * approaches
    blocked = rays.crosses_surface(np.column_stack([rear, approaches]), gripper.base_length_m)
    return blocked | rays.contains(rear)


def _box_hits(
    rays: MeshRays,
    centers: NDArray[np.float32],
    rotations: NDArray[np.float32],
    box: Float32Array,
) -> BoolArray:
    """(M,) bool: the solid reaches into boxes (M, 2, 3) of one size, given in the grasp frames."""
    size = box[0, 1] - box[0, 0]
    corners = centers + np.einsum("mij,mj->mi", rotations, box[:, 0])
    hit = np.zeros(len(box), dtype=np.bool_)
    for axis, lattice in _lattices(*(round(float(side), 6) for side in size)):
        left = np.flatnonzero(~hit)
        hit[left] = rays.any_crosses_in_frames(
            corners[left], rotations[left], lattice, np.eye(3)[axis], float(size[axis])
        )
    left = np.flatnonzero(~hit)
    hit[left] = rays.contains(corners[left])
    return hit


@cache
def _lattices(*size_m: float) -> list[tuple[int, Float32Array]]:
    """Axes, and where on a box the rays (P, 3) along them start.

    Rays go through the whole box along its longest side. Where none meets the surface, the solid can only
    run through from end to end: rays across one end face tell, then one along an edge, then the corner.
    """
    steps = [np.linspace(0.0, side, math.ceil(side / RAY_SPACING_M - 1e-3) + 1) for side in size_m]
    lattices = []
    for axis in np.argsort(-np.asarray(size_m), kind="stable"):
        steps[axis] = np.zeros(1)
        lattice = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
        lattices.append((int(axis), lattice.astype(np.float32)))
    return lattices
