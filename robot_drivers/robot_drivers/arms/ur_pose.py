# SPDX-License-Identifier: Apache-2.0
"""UR poses (x, y, z in metres, rotation vector in rad) to transforms and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.se3 import make_transform

__all__ = ["transform_from_ur_pose", "ur_pose_from_transform"]


def transform_from_ur_pose(pose: Sequence[float]) -> Float64Array:
    """Transform (4, 4) of a pose of six numbers."""
    return make_transform(Rotation.from_rotvec(pose[3:6]).as_matrix(), pose[:3])


def ur_pose_from_transform(transform: Float64Array) -> list[float]:
    """Six numbers of a transform (4, 4); a half turn has two rotation vectors, either may come back."""
    rotation_vector = Rotation.from_matrix(transform[:3, :3]).as_rotvec()
    return [float(value) for value in np.concatenate((transform[:3, 3], rotation_vector))]
