# SPDX-License-Identifier: Apache-2.0
"""A robot fish as MuJoCo bodies: a trunk that floats freely and a tail that beats."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import mujoco
import numpy as np
import trimesh

from anygrasp_perception.arrays import Float64Array
from anygrasp_sim.fish.fish_kinds import FishKind
from anygrasp_training.sequences.fish import FishBody

__all__ = ["add_fish", "tail_joint"]

_HINGE = 0.36  # of the length, from the tail's end
_DENSITY_KG_M3 = 1000.0  # neutral in water
_SLICES = 3  # convex pieces of the trunk
_STIFF = (0.95, 0.99, 0.001, 0.5, 2.0)


def tail_joint(name: str) -> str:
    """Joint and actuator of the tail of the fish called so."""
    return f"{name}_tail"


def add_fish(spec: mujoco.MjSpec, name: str, kind: FishKind, friction: float) -> None:
    """Add a fish called `name`: frame at the trunk, x to the head, z up; a free joint of the same name."""
    body = kind.body()
    s = np.linspace(0, 1, len(body.half_widths_m))
    trunk = spec.worldbody.add_body(name=name, pos=(0.0, 3.0, 0.0))
    trunk.add_freejoint(name=name)
    hinge_x = _x_of(body, _HINGE)
    tail = trunk.add_body(name=f"{name}_fin", pos=(hinge_x, 0, 0))
    tail.add_joint(
        name=tail_joint(name),
        type=mujoco.mjtJoint.mjJNT_HINGE,
        axis=(0, 0, 1),
        range=(-0.7, 0.7),
        limited=mujoco.mjtLimited.mjLIMITED_TRUE,
        armature=1e-5,
        damping=2e-4,
    )
    trunk.gravcomp = tail.gravcomp = 1.0  # neutral in water; WaterForces gives the weight back out of it
    edges = np.linspace(_HINGE, 1.0, _SLICES + 1)
    for index, (low, high) in enumerate(pairwise(edges)):
        members = (s >= low - 0.03) & (s <= high + 1e-9)
        _add_piece(spec, trunk, f"{name}_{index}", body, members, 0.0, kind, friction)
    _add_piece(spec, tail, f"{name}_{_SLICES}", body, s <= _HINGE + 0.03, hinge_x, kind, friction)
    stiffness = 0.02
    spec.add_actuator(
        name=tail_joint(name),
        target=tail_joint(name),
        trntype=mujoco.mjtTrn.mjTRN_JOINT,
        gaintype=mujoco.mjtGain.mjGAIN_FIXED,
        biastype=mujoco.mjtBias.mjBIAS_AFFINE,
        gainprm=[stiffness] + [0.0] * 9,
        biasprm=[0.0, -stiffness, -2e-4] + [0.0] * 7,
        forcerange=(-0.02, 0.02),
        forcelimited=mujoco.mjtLimited.mjLIMITED_TRUE,
    )


def _x_of(body: FishBody, share: float) -> float:
    """Where along the straight body a share of the length from the tail's end lies."""
    positions, _ = body.spine(0.0)
    return float(np.interp(share, np.linspace(0, 1, len(positions)), positions[:, 0]))


def _add_piece(
    spec: mujoco.MjSpec,
    parent: Any,
    name: str,
    body: FishBody,
    members: Any,
    origin_x: float,
    kind: FishKind,
    friction: float,
) -> None:
    """The convex hull of some of the body's sections, with its weight."""
    hull = _hull(body, np.flatnonzero(members), origin_x)
    spec.add_mesh(
        name=name, uservert=np.asarray(hull.vertices).ravel(), userface=np.asarray(hull.faces).ravel()
    )
    parent.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_MESH,
        meshname=name,
        density=_DENSITY_KG_M3,
        rgba=(*kind.color, 1.0),
        condim=4,
        friction=(friction, 0.003, 0.0001),
        solref=(0.01, 1.0),
        solimp=_STIFF,
    )


def _hull(body: FishBody, stations: Any, origin_x: float) -> trimesh.Trimesh:
    positions, _ = body.spine(0.0)
    angle = np.arange(14) * 2 * np.pi / 14
    x = np.repeat(positions[stations, 0] - origin_x, len(angle))
    y = (body.half_widths_m[stations, None] * np.cos(angle)).ravel()
    z = (body.half_heights_m[stations, None] * np.sin(angle)).ravel()
    points: Float64Array = np.column_stack([x, y, z])
    return trimesh.convex.convex_hull(points)
