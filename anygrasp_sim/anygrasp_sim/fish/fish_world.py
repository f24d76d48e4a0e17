# SPDX-License-Identifier: Apache-2.0
"""The fish cell as a MuJoCo model: arm, gripper, wrist camera, tank and fish."""

from __future__ import annotations

import math
from collections.abc import Sequence

import mujoco
import numpy as np

from anygrasp_sim.fish.fish_cell_config import LONG_FINGERS, FishCellConfig
from anygrasp_sim.fish.fish_kinds import FishKind
from anygrasp_sim.fish.fish_model import add_fish
from anygrasp_sim.fish.long_gripper import add_gripper, add_gripper_drive
from anygrasp_sim.fish.rizon_model import FLANGE_SITE, load_rizon
from anygrasp_sim.fish.tank import add_tank

__all__ = ["WRIST_CAMERA", "build_fish_world"]

WRIST_CAMERA = "wrist"


def build_fish_world(
    config: FishCellConfig, names: Sequence[str], kinds: Sequence[FishKind]
) -> mujoco.MjModel:
    """Compile the cell; the fish are free bodies under their names, beside each other outside the tank."""
    spec = load_rizon()
    spec.compiler.inertiafromgeom = mujoco.mjtInertiaFromGeom.mjINERTIAFROMGEOM_AUTO
    option = spec.option
    option.timestep = config.physics_step_s
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.impratio = 10
    option.noslip_iterations = 3
    flange = spec.body(FLANGE_SITE)
    add_gripper(flange, LONG_FINGERS, config.flange_to_tip_m, config.water.friction)
    add_gripper_drive(spec)
    _add_camera(flange, config)
    for body in spec.bodies:
        if body.name != "world":
            body.gravcomp = 1.0  # of the tool too, as its payload is set in the controller
    add_tank(spec, config)
    for name, kind in zip(names, kinds, strict=True):
        add_fish(spec, name, kind, config.water.friction)
    return spec.compile()


def _add_camera(flange: mujoco.MjsBody, config: FishCellConfig) -> None:
    T = config.T_flange_camera
    # A MuJoCo camera looks along its -z with y up, an optical frame along z with y down.
    xyaxes = (*T[:3, 0], *(-T[:3, 1]))
    fovy_deg = math.degrees(2 * math.atan(config.image_height / 2 / config.focal_px))
    flange.add_camera(name=WRIST_CAMERA, pos=T[:3, 3], xyaxes=xyaxes, fovy=fovy_deg)
    behind = T[:3, 3] - 0.02 * T[:3, 2]
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, np.ascontiguousarray(T[:3, :3]).ravel())
    flange.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=behind,
        quat=quat,
        size=(0.03, 0.03, 0.013),
        mass=0.1,
        rgba=(0.75, 0.76, 0.78, 1.0),
        contype=0,
        conaffinity=0,
    )
