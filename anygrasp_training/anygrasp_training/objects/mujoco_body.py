# SPDX-License-Identifier: Apache-2.0
"""An object as a free body of a MuJoCo model; its collision shapes are the caller's."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from anygrasp_training.objects.procedural_object import ProceduralObject

__all__ = ["add_free_body"]


def add_free_body(
    spec: mujoco.MjSpec,
    name: str,
    item: ProceduralObject,
    position: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Any:
    """Add a body with a free joint, both called `name`, and the mass and inertia of the object."""
    body = spec.worldbody.add_body(name=name, pos=position)
    body.add_freejoint(name=name)
    body.explicitinertial = True
    body.mass = item.mass_kg
    body.ipos = item.center_of_mass_m
    moments, axes = np.linalg.eigh(item.inertia_kg_m2)
    axes[:, 2] *= np.sign(np.linalg.det(axes))  # right-handed
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, axes.ravel())
    body.inertia, body.iquat = moments, quat
    return body
