# SPDX-License-Identifier: Apache-2.0
"""How much friction a grasp needs to hold an object: force closure of two contacts, from the mesh."""

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.se3 import inverse
from anygrasp_training.evaluation.object_model import SceneObject
from anygrasp_training.labels.antipodal import antipodal_friction
from anygrasp_training.labels.contacts import close_fingers
from anygrasp_training.labels.finger_pad import FingerPad

__all__ = ["required_friction"]


def required_friction(group: GraspGroup, target: SceneObject, pad: FingerPad) -> Float64Array:
    """Return the smallest friction coefficients (N,) at which N grasps hold `target`, infinite for none.

    The fingers close from the grasp's own width at its fingertips, on this object alone; the grasps are in
    the camera frame. Two contacts with friction are in force closure when the line between them is in
    both friction cones, whose tangent this is.
    """
    local = group.transformed(inverse(target.T_camera_object))
    R = local.rotation_matrices.astype(np.float32)
    half_openings = (local.widths / 2).astype(np.float32)
    contacts = close_fingers(target.model.rays, local.fingertips.astype(np.float32), R, half_openings, pad)
    return antipodal_friction(contacts, R[:, :, 1]).astype(np.float64)
