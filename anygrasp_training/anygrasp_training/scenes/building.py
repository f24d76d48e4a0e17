# SPDX-License-Identifier: Apache-2.0
"""Builds scenes: a table, its surroundings, and objects that physics laid down."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anygrasp_perception.arrays import BoolArray, Float64Array
from anygrasp_training.objects import ProceduralObject
from anygrasp_training.scenes.appearance import draw_finish
from anygrasp_training.scenes.dropping import drop_pose, packed_poses
from anygrasp_training.scenes.physics import Pile
from anygrasp_training.scenes.plan import SceneConfig, ScenePlan
from anygrasp_training.scenes.scene import Furniture, PlacedObject, Scene, SceneKind
from anygrasp_training.scenes.surroundings import Tray, draw_clutter, floor_mesh
from anygrasp_training.scenes.table import Table, draw_table

__all__ = ["SceneError", "build_scene"]

_DEFAULTS = SceneConfig()
_GRAVITY_M_S2 = 9.81
_RELEASE_INTERVAL_S = 0.25
_SETTLE_LIMIT_S = 4.0
_ATTEMPTS = 4
_WORKSPACE_RADIUS_M = 0.24  # objects farther out are taken away: cameras look at the middle
_FLOOR_Z_M = -0.75


class SceneError(RuntimeError):
    """Physics did not leave enough objects in the scene."""


def build_scene(
    plan: ScenePlan, objects: Sequence[ProceduralObject], config: SceneConfig = _DEFAULTS
) -> Scene:
    """Let `objects`, the bodies of `plan.object_ids`, fall and come to rest.

    Objects that roll or bounce out are dropped once more and then left out. The same arguments give the
    same scene. Raises SceneError when less than half of the objects stay, in several attempts.
    """
    if len(objects) != len(plan.object_ids):
        raise ValueError(f"the plan names {len(plan.object_ids)} objects, got {len(objects)}")
    for attempt in range(_ATTEMPTS):
        rng = np.random.default_rng([*plan.seed, 1, attempt])
        table, gravity = draw_table(rng), _draw_gravity(config, rng)
        tray = _draw_tray(plan.kind, table, rng)
        pile = Pile(objects, table, tray, gravity)
        if plan.kind is SceneKind.PACKED:
            _pack(pile, objects, table, rng)
        else:
            _drop_all(pile, objects, plan.kind, table, tray, rng)
        resting = pile.step_until_rest(_SETTLE_LIMIT_S)
        kept = _in_workspace(pile, tray) & pile.released
        if resting and 2 * int(kept.sum()) >= len(objects):
            placed = tuple(
                PlacedObject(plan.object_ids[i], objects[i], pile.poses[i])
                for i in np.flatnonzero(kept).tolist()
            )
            furniture = _furnish(table, tray, rng)
            return Scene(plan.kind, placed, furniture, gravity, int(rng.integers(2**31)))
    raise SceneError(
        f"scene with seed {plan.seed}: of {len(objects)} objects in a {plan.kind.value} scene fewer than "
        f"half came to rest in {_ATTEMPTS} attempts; use fewer or smaller objects"
    )


def _drop_all(
    pile: Pile,
    objects: Sequence[ProceduralObject],
    kind: SceneKind,
    table: Table,
    tray: Tray | None,
    rng: np.random.Generator,
) -> None:
    """Release one object after the other above the pile; those that left are released once more."""
    reach = {
        SceneKind.HEAP: 0.05,
        SceneKind.SINGLE: 0.08,
    }.get(kind, min(tray.inner_size_m) / 2 if tray else 0.15)
    ground_z = tray.floor_z_m if tray else float(table.heights.max())
    order = rng.permutation(len(objects))
    for _ in range(2):
        for index in order:
            pile.release(index, drop_pose(index, objects, pile, reach, ground_z, kind, rng))
            pile.step(_RELEASE_INTERVAL_S)
        pile.step(0.5)
        order = np.flatnonzero(~_in_workspace(pile, tray))
        for index in order:
            pile.withdraw(int(index))


def _pack(pile: Pile, objects: Sequence[ProceduralObject], table: Table, rng: np.random.Generator) -> None:
    """Stand the objects side by side; there is no second chance for those that topple away."""
    poses = packed_poses(objects, float(table.heights.max()), rng)
    for index, T_scene_object in poses.items():
        pile.release(index, T_scene_object)


def _in_workspace(pile: Pile, tray: Tray | None) -> BoolArray:
    """(N,) centres of mass over the tray's inside, or near the origin where there is no tray."""
    position = pile.poses[:, :3, 3]
    if tray:
        inside = np.all(np.abs(position[:, :2]) < np.array(tray.inner_size_m) / 2, axis=1)
    else:
        inside = np.linalg.norm(position[:, :2], axis=1) < _WORKSPACE_RADIUS_M
    return np.asarray(inside & (position[:, 2] > -0.05) & (position[:, 2] < 0.6))


def _draw_gravity(config: SceneConfig, rng: np.random.Generator) -> Float64Array:
    # Most tables are level; the lean is that of gravity in the table's frame.
    tilt = rng.uniform(0, config.max_tilt_rad) if rng.random() < 0.4 else 0.0
    azimuth = rng.uniform(0, 2 * np.pi)
    lean = np.array([np.sin(tilt) * np.cos(azimuth), np.sin(tilt) * np.sin(azimuth), -np.cos(tilt)])
    return _GRAVITY_M_S2 * lean


def _draw_tray(kind: SceneKind, table: Table, rng: np.random.Generator) -> Tray | None:
    stand_z = float(table.heights.max())
    if kind is SceneKind.PLATE:
        side = rng.uniform(0.32, 0.42)
        return Tray((side, side), rng.uniform(0.02, 0.05), stand_z)
    if kind is SceneKind.BIN:
        size = (rng.uniform(0.28, 0.42), rng.uniform(0.28, 0.42))
        return Tray(size, rng.uniform(0.07, 0.16), stand_z)
    return None


def _furnish(table: Table, tray: Tray | None, rng: np.random.Generator) -> tuple[Furniture, ...]:
    def furniture(name: str, mesh: object) -> Furniture:
        # Greyish more often than bright, as rooms are.
        grey, tint = rng.uniform(0.15, 0.85), rng.uniform(-0.5, 0.5, size=3)
        color = np.clip(grey + rng.uniform(0, 0.7) * tint, 0.05, 0.95)
        return Furniture(name, mesh, draw_finish(color, rng))

    parts = [furniture("table", table.mesh()), furniture("floor", floor_mesh(_FLOOR_Z_M))]
    clear_m = _WORKSPACE_RADIUS_M + 0.08
    if tray:
        parts.append(furniture("tray", tray.mesh()))
        clear_m = max(clear_m, float(np.hypot(*tray.inner_size_m)) / 2 + 0.03)
    for number, mesh in enumerate(draw_clutter(rng, clear_m, table, _FLOOR_Z_M)):
        parts.append(furniture(f"clutter_{number}", mesh))
    return tuple(parts)
