# SPDX-License-Identifier: Apache-2.0
"""Poses from which objects are let go: over the pile, or standing close to each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.se3 import make_transform
from anygrasp_training.objects import ProceduralObject
from anygrasp_training.scenes.physics import Pile
from anygrasp_training.scenes.scene import SceneKind

__all__ = ["drop_pose", "packed_poses"]

_CLEARANCE_M = 0.02  # between a dropped object and what is below it
_PACKING_RADIUS_M = 0.20
_PACKING_TRIES = 200


def drop_pose(
    index: int,
    objects: Sequence[ProceduralObject],
    pile: Pile,
    reach_m: float,
    ground_z_m: float,
    kind: SceneKind,
    rng: np.random.Generator,
) -> Float64Array:
    """Return a random pose (4, 4) just above what lies there already, within `reach_m` of the origin."""
    upright = kind is SceneKind.SINGLE and rng.random() < 0.5
    rotation = _upright(rng) if upright else Rotation.random(rng=rng)
    vertices = rotation.apply(objects[index].mesh.vertices)
    radius_xy = float(np.linalg.norm(vertices[:, :2], axis=1).max())
    span = max(reach_m - radius_xy, 0.02)
    xy = rng.uniform(-span, span, size=2)
    poses, radii = pile.poses, np.array([_radius(item) for item in objects])
    distance = np.linalg.norm(poses[:, :2, 3] - xy, axis=1)
    below = pile.released & (distance < radius_xy + radii)
    below[index] = False
    top = max(
        (_top_z(objects[i], poses[i]) for i in np.flatnonzero(below).tolist()),
        default=ground_z_m,
    )
    z = max(top, ground_z_m) + _CLEARANCE_M - vertices[:, 2].min()
    return make_transform(rotation.as_matrix(), (*xy, z))


def packed_poses(
    objects: Sequence[ProceduralObject], ground_z_m: float, rng: np.random.Generator
) -> dict[int, Float64Array]:
    """Return poses (4, 4) by index of objects that stand or lie apart from each other but close.

    Objects for which no place is found within 0.2 m of the origin are left out.
    """
    poses: dict[int, Float64Array] = {}
    occupied: list[tuple[Float64Array, Float64Array]] = []  # centres and half sizes of rectangles
    row = Rotation.from_euler("z", rng.uniform(0, 2 * np.pi))  # all stand along the same two directions
    for index in rng.permutation(len(objects)):
        stance = _quarter_turn("z", rng) if rng.random() < 0.6 else _quarter_turn("z", rng) * _lying(rng)
        vertices = stance.apply(objects[index].mesh.vertices)
        lower, upper = vertices.min(axis=0), vertices.max(axis=0)
        half = (upper - lower)[:2] / 2 + rng.uniform(0.001, 0.006)
        # Of many places that are free, the one nearest to the middle packs them tight.
        angle = rng.uniform(0, 2 * np.pi, size=_PACKING_TRIES)
        distance = _PACKING_RADIUS_M * np.sqrt(rng.uniform(0, 1, size=_PACKING_TRIES))
        places = distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        free = np.ones(len(places), dtype=np.bool_)
        for center, other in occupied:
            free &= (np.abs(places - center) > half + other).any(axis=1)
        if not free.any():
            continue
        center = min(places[free], key=lambda place: float(np.linalg.norm(place)))
        occupied.append((center, half))
        xy = center - (lower + upper)[:2] / 2
        z = ground_z_m + 0.002 - lower[2]
        turned = row.apply((*xy, z))
        poses[int(index)] = make_transform((row * stance).as_matrix(), turned)
    return poses


def _quarter_turn(axis: str, rng: np.random.Generator) -> Rotation:
    return Rotation.from_euler(axis, rng.integers(4) * np.pi / 2)


def _upright(rng: np.random.Generator) -> Rotation:
    """Families are drawn with z up when they stand."""
    return Rotation.from_euler("z", rng.uniform(0, 2 * np.pi))


def _lying(rng: np.random.Generator) -> Rotation:
    return Rotation.from_euler("x", rng.choice([-1, 1]) * np.pi / 2)


def _radius(item: ProceduralObject) -> float:
    return float(np.linalg.norm(item.mesh.vertices, axis=1).max())


def _top_z(item: ProceduralObject, T_scene_object: Float64Array) -> float:
    return float((item.mesh.vertices @ T_scene_object[2, :3]).max() + T_scene_object[2, 3])
