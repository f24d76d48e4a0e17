# SPDX-License-Identifier: Apache-2.0
"""Flexiv poses (x y z in metres, quaternion w x y z) to transforms and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.se3 import make_transform

__all__ = ["flexiv_pose", "transform_from_flexiv_pose"]


def flexiv_pose(transform: Float64Array) -> list[float]:
    """Seven numbers of a transform (4, 4)."""
    x, y, z, w = Rotation.from_matrix(transform[:3, :3]).as_quat()
    return [float(value) for value in (*transform[:3, 3], w, x, y, z)]


def transform_from_flexiv_pose(pose: Sequence[float]) -> Float64Array:
    """Transform (4, 4) of seven numbers. Raises ValueError on a quaternion of no length."""
    w, x, y, z = pose[3:7]
    return make_transform(Rotation.from_quat([x, y, z, w]).as_matrix(), np.array(pose[:3]))
