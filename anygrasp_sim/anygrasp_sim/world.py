# SPDX-License-Identifier: Apache-2.0
"""The bin-picking cell as a MuJoCo model: the arm, the scenery and the objects."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from anygrasp_sim.arm_model import load_arm
from anygrasp_sim.cell_config import CellConfig
from anygrasp_sim.scenery import FRICTION, STIFF, add_scenery
from anygrasp_training.objects import ProceduralObject
from anygrasp_training.objects.mujoco_body import add_free_body

__all__ = ["add_object", "build_world"]


def build_world(config: CellConfig, objects: Sequence[ProceduralObject]) -> mujoco.MjModel:
    """Compile the cell with `objects` as free bodies, named as they are, parked beside each other in the air.

    Raises:
        ValueError: two objects share a name.
    """
    names = [item.name for item in objects]
    if len(set(names)) != len(names):
        raise ValueError(f"object names must be unique, got {names}")
    spec = load_arm()
    _set_physics(spec, config)
    add_scenery(spec, config)
    for index, item in enumerate(objects):
        add_object(spec, item, (0.4 * index, 3.0, 1.0))
    model = spec.compile()
    for item in objects:
        # This much is nothing to a fall, but ends the rolling of a can, which friction alone never would.
        model.dof_damping[model.joint(item.name).dofadr[0] + np.arange(6)] = 2e-4
    return model


def _set_physics(spec: mujoco.MjSpec, config: CellConfig) -> None:
    # With the gripper's elliptic cones and impratio 10, these let nothing creep out of the fingers.
    option = spec.option
    option.timestep = config.physics_step_s
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.noslip_iterations = 5


def add_object(spec: mujoco.MjSpec, item: ProceduralObject, position: tuple[float, float, float]) -> None:
    """Add a free body with the object's inertia and convex parts; wants a material named `object`."""
    body = add_free_body(spec, item.name, item, position)
    for index, part in enumerate(item.parts):
        name = f"{item.name}_{index}"
        spec.add_mesh(
            name=name,
            uservert=np.asarray(part.mesh.vertices).ravel(),
            userface=np.asarray(part.mesh.faces).ravel(),
        )
        body.add_geom(
            name=name,
            type=mujoco.mjtGeom.mjGEOM_MESH,
            meshname=name,
            material="object",
            rgba=(*part.color, 1.0),
            condim=4,
            friction=FRICTION,
            # Softer than pads and trays, which have priority over objects: a stiffer pile never calms down.
            solref=(0.02, 1.0),
            solimp=STIFF,
        )
