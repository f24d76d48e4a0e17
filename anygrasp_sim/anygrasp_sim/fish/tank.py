# SPDX-License-Identifier: Apache-2.0
"""What stands in the fish cell besides the arm: tank, bin, pedestal, lights and an overview camera."""

from __future__ import annotations

import mujoco
import numpy as np

from anygrasp_sim.fish.fish_cell_config import FishCellConfig

__all__ = ["OVERVIEW_CAMERA", "OVERVIEW_GROUP", "add_tank"]

OVERVIEW_CAMERA = "overview"
OVERVIEW_GROUP = 4  # what only people see: water and glass, which the sensor model knows otherwise
_BOX = mujoco.mjtGeom.mjGEOM_BOX
_WALL_M = 0.004


def add_tank(spec: mujoco.MjSpec, config: FishCellConfig) -> None:
    """Add everything that does not move, and set how the cell is drawn."""
    _set_rendering(spec)
    world = spec.worldbody
    world.add_geom(
        name="ground", type=mujoco.mjtGeom.mjGEOM_PLANE, size=(0, 0, 0.1), pos=(0, 0, -0.9), material="ground"
    )
    top = min(config.tank_floor_m, config.bin_floor_m) - 0.01
    world.add_geom(
        name="table", type=_BOX, size=(0.50, 0.70, 0.02), pos=(0.35, -0.08, top - 0.02), material="table"
    )
    world.add_geom(
        type=_BOX,
        size=(0.09, 0.09, -top / 2),
        pos=(0, 0, top / 2),
        material="steel",
        contype=0,
        conaffinity=0,
    )
    _add_basin(
        spec, "tank", config.tank_center_m, config.tank_inner_size_m, config.tank_floor_m, config.tank_rim_m
    )
    _add_basin(
        spec, "bin", config.bin_center_m, config.bin_inner_size_m, config.bin_floor_m, config.bin_rim_m
    )
    lower, upper = config.water_box_m
    world.add_geom(
        name="water",
        type=_BOX,
        pos=(lower + upper) / 2,
        size=(upper - lower) / 2,
        rgba=(0.35, 0.62, 0.80, 0.28),
        group=OVERVIEW_GROUP,
        contype=0,
        conaffinity=0,
    )
    _add_views(spec)


def _set_rendering(spec: mujoco.MjSpec) -> None:
    visual = spec.visual
    spec.stat.extent = 1.0  # the clipping planes below are multiples of it
    spec.stat.center = (0.35, 0.0, 0.1)
    visual.map.znear = 0.03
    visual.map.zfar = 10.0
    visual.global_.offwidth = 1280
    visual.global_.offheight = 960
    visual.headlight.ambient = (0.40, 0.40, 0.42)
    visual.headlight.diffuse = (0.25, 0.25, 0.25)
    visual.headlight.specular = (0.0, 0.0, 0.0)
    for name, rgba in (
        ("table", (0.62, 0.57, 0.50, 1.0)),
        ("steel", (0.45, 0.47, 0.50, 1.0)),
        ("ground", (0.50, 0.53, 0.56, 1.0)),
        ("tank", (0.52, 0.58, 0.60, 1.0)),
        ("bin", (0.30, 0.33, 0.36, 1.0)),
    ):
        spec.add_material(name=name, rgba=rgba, specular=0.1, shininess=0.2)


def _add_basin(
    spec: mujoco.MjSpec,
    name: str,
    center: tuple[float, float],
    inner: tuple[float, float],
    floor: float,
    rim: float,
) -> None:
    """A floor and four walls, open on top."""
    half, height = np.array(inner) / 2, (rim - floor) / 2
    boxes = {"floor": (np.array([0.0, 0.0, floor - 0.05]), np.array([*half, 0.05]))}
    for axis, side in ((0, -1), (0, 1), (1, -1), (1, 1)):
        at, size = np.array([0.0, 0.0, floor + height]), np.array([*(half + 2 * _WALL_M), height])
        at[axis] = side * (half[axis] + _WALL_M)
        size[axis] = _WALL_M
        boxes[f"wall_{'xy'[axis]}{'-+'[side > 0]}"] = (at, size)
    for part, (at, size) in boxes.items():
        spec.worldbody.add_geom(
            name=f"{name}_{part}",
            type=_BOX,
            size=size,
            pos=at + np.array([*center, 0.0]),
            material=name,
            condim=3,
            priority=1,
            friction=(0.3, 0.005, 0.0001),
            solref=(0.01, 1.0),
        )


def _add_views(spec: mujoco.MjSpec) -> None:
    eye, target = np.array([1.45, -0.95, 0.75]), np.array([0.38, -0.06, 0.05])
    backward = (eye - target) / np.linalg.norm(eye - target)
    right = np.cross([0, 0, 1], backward)
    right /= np.linalg.norm(right)
    world = spec.worldbody
    world.add_camera(name=OVERVIEW_CAMERA, pos=eye, xyaxes=(*right, *np.cross(backward, right)), fovy=38)
    for at, towards, strength in (
        ((1.2, -1.0, 2.0), (-0.4, 0.4, -0.9), 0.45),
        ((-0.6, 0.8, 2.0), (0.4, -0.3, -0.9), 0.25),
    ):
        world.add_light(
            pos=at,
            dir=towards,
            type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
            castshadow=strength > 0.4,
            diffuse=(strength, strength, strength),
            specular=(0.2, 0.2, 0.2),
        )
