# SPDX-License-Identifier: Apache-2.0
"""Grasps as oriented rectangles in the image, GraspNet's `rect` files."""

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.grasp_group import GraspGroup

__all__ = ["rectangle_grasps"]

_MAX_TILT_RAD = np.deg2rad(30.0)  # beyond, a rectangle in the image says little about the grasp


def rectangle_grasps(group: GraspGroup, intrinsics: CameraIntrinsics) -> Float64Array:
    """Return (N, 7) of grasps, in the camera's frame, that approach within 30 degrees along its axis.

    Columns: centre x, y and opening point x, y (where one finger is), finger height, all in pixels, then
    score and object id.
    """
    frontal = group[group.approaches[:, 2] >= np.cos(_MAX_TILT_RAD)]
    finger = frontal.translations + frontal.closing_directions * frontal.widths[:, None] / 2
    center, opening = intrinsics.project(frontal.translations), intrinsics.project(finger)
    height_px = intrinsics.fx * frontal.heights / frontal.translations[:, 2]
    return np.column_stack([center, opening, height_px, frontal.scores, frontal.object_ids])
