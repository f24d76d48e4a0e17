# SPDX-License-Identifier: Apache-2.0
"""What stands in the bin-picking cell besides the arm: table, plate, target bin, cameras and lights."""

from __future__ import annotations

import math

import mujoco
import numpy as np

from anygrasp_sim.cell_config import CellConfig

__all__ = ["FRICTION", "OVERHEAD_CAMERA", "OVERVIEW_CAMERA", "OVERVIEW_GROUP", "STIFF", "add_scenery"]

OVERHEAD_CAMERA = "overhead"
OVERVIEW_CAMERA = "overview"
OVERVIEW_GROUP = 4  # geometry shown in the overview only: it would stand in the sensor's way

FRICTION = (0.8, 0.01, 0.001)  # sliding, torsional (m), rolling (m)
STIFF = (0.95, 0.99, 0.001, 0.5, 2.0)  # contact impedance: firm from the first touch on
_BOX = mujoco.mjtGeom.mjGEOM_BOX


def add_scenery(spec: mujoco.MjSpec, config: CellConfig) -> None:
    """Add everything that does not move to a model of the arm, and set how it is drawn."""
    _set_rendering(spec)
    _add_furniture(spec, config)
    _add_cameras_and_lights(spec, config)


def _set_rendering(spec: mujoco.MjSpec) -> None:
    visual = spec.visual
    spec.stat.extent = 1.0  # the clipping planes below are multiples of it
    spec.stat.center = (0.1, -0.35, 0.2)
    visual.map.znear = 0.05
    visual.map.zfar = 10.0
    visual.global_.offwidth = 1920
    visual.global_.offheight = 1440
    visual.quality.shadowsize = 4096
    visual.headlight.ambient = (0.34, 0.34, 0.36)
    visual.headlight.diffuse = (0.12, 0.12, 0.12)
    visual.headlight.specular = (0.0, 0.0, 0.0)
    visual.map.fogstart, visual.map.fogend = 3.0, 9.0
    visual.rgba.fog = (0.80, 0.83, 0.87, 1.0)
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=(0.86, 0.89, 0.92),
        rgb2=(0.80, 0.83, 0.87),
        width=256,
        height=256,
    )
    for name, rgba, specular, shininess in (
        ("table", (0.74, 0.68, 0.59, 1.0), 0.1, 0.1),
        ("steel", (0.42, 0.44, 0.47, 1.0), 0.4, 0.4),
        ("floor", (0.52, 0.55, 0.58, 1.0), 0.0, 0.0),
        ("plate", (0.22, 0.27, 0.33, 1.0), 0.2, 0.2),
        ("bin", (0.16, 0.42, 0.62, 1.0), 0.3, 0.3),
        ("object", (0.5, 0.5, 0.5, 1.0), 0.3, 0.4),
    ):
        spec.add_material(name=name, rgba=rgba, specular=specular, shininess=shininess)


def _add_furniture(spec: mujoco.MjSpec, config: CellConfig) -> None:
    world = spec.worldbody
    world.add_geom(
        name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=(0, 0, 0.1), pos=(0, 0, -0.75), material="floor"
    )
    world.add_geom(
        name="table", type=_BOX, size=(0.55, 0.55, 0.02), pos=(0.2, -0.32, -0.02), material="table"
    )
    for x in (-0.29, 0.69):
        for y in (-0.81, 0.17):
            world.add_geom(type=_BOX, size=(0.025, 0.025, 0.355), pos=(x, y, -0.395), material="steel")
    _add_tray(
        spec,
        "plate",
        config.plate_center_m,
        (config.plate_inner_size_m, config.plate_inner_size_m),
        config.plate_floor_m,
        config.plate_wall_height_m,
    )
    _add_tray(
        spec,
        "bin",
        config.bin_center_m,
        config.bin_inner_size_m,
        config.bin_floor_m,
        config.bin_wall_height_m,
    )


def _add_tray(
    spec: mujoco.MjSpec,
    name: str,
    center: tuple[float, float],
    inner: tuple[float, float],
    floor: float,
    wall_height: float,
) -> None:
    """A floor and four walls, 8 mm thick, open on top."""
    half = np.array(inner) / 2
    wall = 0.004
    height = (floor + wall_height) / 2
    # The floor goes deep into the table: contact pushes what sinks into a thin box out of its far side.
    depth = 0.05
    boxes = {"floor": (np.array([0.0, 0.0, floor - depth]), np.array([*half, depth]))}
    for axis, side in ((0, -1), (0, 1), (1, -1), (1, 1)):
        at, size = np.array([0.0, 0.0, height]), np.array([*(half + 2 * wall), height])
        at[axis] = side * (half[axis] + wall)
        size[axis] = wall
        boxes[f"wall_{'xy'[axis]}{'-+'[side > 0]}"] = (at, size)
    for part, (at, size) in boxes.items():
        spec.worldbody.add_geom(
            name=f"{name}_{part}",
            type=_BOX,
            size=size,
            pos=at + np.array([*center, 0.0]),
            material=name,
            condim=4,
            priority=1,
            friction=FRICTION,
            solref=(0.004, 1.0),
            solimp=STIFF,
        )


def _add_cameras_and_lights(spec: mujoco.MjSpec, config: CellConfig) -> None:
    world = spec.worldbody
    fovy_deg = math.degrees(2 * math.atan(config.image_height / 2 / config.focal_px))
    # A MuJoCo camera looks along its -z with y up: no turn at all is straight down with image right = +x.
    world.add_camera(name=OVERHEAD_CAMERA, pos=config.camera_position_m, fovy=fovy_deg)
    eye, target = np.array([1.40, -1.55, 1.05]), np.array([0.12, -0.30, 0.29])
    backward = (eye - target) / np.linalg.norm(eye - target)
    right = np.cross([0, 0, 1], backward)
    right /= np.linalg.norm(right)
    world.add_camera(name=OVERVIEW_CAMERA, pos=eye, xyaxes=(*right, *np.cross(backward, right)), fovy=36)
    x, y, z = config.camera_position_m
    for at, size in (
        ((x, y, z + 0.045), (0.05, 0.0125, 0.0125)),
        ((x - 0.14, y, z + 0.07), (0.18, 0.0125, 0.0125)),
        ((x - 0.3075, y, (z + 0.07) / 2), (0.0125, 0.0125, (z + 0.07) / 2)),
    ):
        world.add_geom(
            type=_BOX, pos=at, size=size, group=OVERVIEW_GROUP, contype=0, conaffinity=0, material="steel"
        )
    world.add_light(
        pos=(0.9, -1.4, 2.2),
        dir=(-0.35, 0.45, -0.9),
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        castshadow=True,
        diffuse=(0.50, 0.49, 0.46),
        specular=(0.3, 0.3, 0.3),
    )
    world.add_light(
        pos=(-1.0, 0.3, 2.0),
        dir=(0.5, -0.3, -0.9),
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        castshadow=False,
        diffuse=(0.20, 0.22, 0.26),
        specular=(0.05, 0.05, 0.05),
    )
