# SPDX-License-Identifier: Apache-2.0
"""Flexiv Rizon 4 as a MuJoCo model from the maker's published figures, drawn with capsules of our own."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

__all__ = ["ARM_JOINTS", "FLANGE_SITE", "RIZON4_VELOCITY_LIMITS_RAD_S", "load_rizon"]

ARM_JOINTS = tuple(f"joint{i}" for i in range(1, 8))
FLANGE_SITE = "flange"

# Of each joint: offset in the parent, fixed turn (axis, rad), axis, range rad, torque N m; of the link it
# moves: mass kg, centre of mass m, principal inertia kg m^2.
_LINKS: tuple[tuple[Any, ...], ...] = (
    ((0, 0, 0.155), ("z", np.pi), "z", (-2.8798, 2.8798), 123,
     3.596, (0.0001, 0.0035, 0.150), (0.0274, 0.02736, 0.00704)),
    ((0, 0.03, 0.21), None, "y", (-2.3562, 2.3562), 123,
     2.690, (-0.0003, 0.0361, 0.0998), (0.0239, 0.0230, 0.0036)),
    ((0, 0.035, 0.205), None, "z", (-3.0543, 3.0543), 64,
     2.354, (-0.0123, -0.0012, 0.1366), (0.01455, 0.01369, 0.00376)),
    ((-0.02, -0.03, 0.19), ("z", np.pi), "y", (-1.9548, 2.7751), 64,
     2.354, (-0.0129, 0.0313, 0.1034), (0.01861, 0.01805, 0.00274)),
    ((-0.02, 0.025, 0.195), ("z", np.pi), "z", (-3.0543, 3.0543), 39,
     2.310, (0.0003, 0.0014, 0.1363), (0.0142, 0.01353, 0.00367)),
    ((0, 0.03, 0.19), None, "y", (-1.4835, 4.6251), 39,
     2.223, (0.0202, 0.0596, 0.0724), (0.01002, 0.00828, 0.0034)),
    ((-0.015, 0.073, 0.11), ("y", -np.pi / 2), "z", (-3.0543, 3.0543), 39,
     0.768, (0.0003, 0, 0.0257), (0.001, 0.0009, 0.0009)),
)  # fmt: skip
_FLANGE_M = 0.081
_RADIUS_M = (0.062, 0.060, 0.055, 0.052, 0.050, 0.048, 0.040)
RIZON4_VELOCITY_LIMITS_RAD_S = np.radians([120, 120, 140, 140, 280, 280, 280])  # Flexiv data sheet

# Servos stiff enough to follow as the real controller does; commands carry a feed-forward of
# damping over stiffness seconds, see FishCell.
_STIFFNESS = (15000.0, 15000.0, 10000.0, 10000.0, 4000.0, 4000.0, 2500.0)
JOINT_FEEDFORWARD_S = 0.05


def load_rizon() -> mujoco.MjSpec:
    """Model of the arm alone, `base` at the world's origin, with a site and a body called `flange`."""
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    spec.compiler.inertiafromgeom = mujoco.mjtInertiaFromGeom.mjINERTIAFROMGEOM_FALSE
    parent = spec.worldbody.add_body(name="base")
    _rest_of_inertia(parent)
    _capsule(parent, (0, 0, 0.02), (0, 0, 0.14), 0.072)
    for index, (offset, turn, axis, limits, torque, mass, center, inertia) in enumerate(_LINKS):
        body = parent.add_body(name=f"link{index + 1}", pos=offset, quat=_quat(turn))
        name = ARM_JOINTS[index]
        body.add_joint(
            name=name,
            type=mujoco.mjtJoint.mjJNT_HINGE,
            axis=[float(axis == letter) for letter in "xyz"],
            range=limits,
            limited=mujoco.mjtLimited.mjLIMITED_TRUE,
            armature=0.3,
        )
        body.mass, body.ipos, body.inertia = mass, center, inertia
        body.explicitinertial = True
        end = _LINKS[index + 1][0] if index + 1 < len(_LINKS) else (0, 0, _FLANGE_M - 0.03)
        _capsule(body, (0, 0, 0), end, _RADIUS_M[index])
        spec.add_actuator(
            name=name,
            target=name,
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            gaintype=mujoco.mjtGain.mjGAIN_FIXED,
            biastype=mujoco.mjtBias.mjBIAS_AFFINE,
            gainprm=[_STIFFNESS[index]] + [0.0] * 9,
            biasprm=[0.0, -_STIFFNESS[index], -_STIFFNESS[index] * JOINT_FEEDFORWARD_S] + [0.0] * 7,
            forcerange=(-torque, torque),
            forcelimited=mujoco.mjtLimited.mjLIMITED_TRUE,
        )
        parent = body
    flange = parent.add_body(name=FLANGE_SITE, pos=(0, 0, _FLANGE_M))
    _rest_of_inertia(flange)
    flange.add_site(name=FLANGE_SITE)
    for body in spec.bodies:
        if body.name != "world":
            body.gravcomp = 1.0  # the real controller compensates the weight of the arm and of its tool
    return spec


def _rest_of_inertia(body: Any) -> None:
    """A body that weighs next to nothing: its mass is part of another's figures."""
    body.mass, body.inertia, body.explicitinertial = 1e-3, (1e-6, 1e-6, 1e-6), True


def _capsule(body: Any, start: tuple[float, ...], end: tuple[float, ...], radius: float) -> None:
    body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_CAPSULE,
        fromto=(*start, *end),
        size=(radius, 0, 0),
        rgba=(0.86, 0.87, 0.89, 1.0),
        contype=0,
        conaffinity=0,
    )


def _quat(turn: tuple[str, float] | None) -> tuple[float, ...]:
    """w x y z of a turn about a named axis."""
    if turn is None:
        return (1.0, 0.0, 0.0, 0.0)
    axis, angle = turn
    return (np.cos(angle / 2), *(np.sin(angle / 2) * (axis == letter) for letter in "xyz"))
