# SPDX-License-Identifier: Apache-2.0
"""The ray each pixel of a pinhole camera looks along."""

from __future__ import annotations

import numpy as np

from anygrasp_perception.arrays import Float32Array, Float64Array
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.se3 import check_transform

__all__ = ["pixel_rays"]


def pixel_rays(intrinsics: CameraIntrinsics, T_scene_camera: Float64Array) -> Float32Array:
    """Unit directions (H, W, 3) in the scene frame of a pinhole camera's pixels."""
    T_scene_camera = check_transform(T_scene_camera, "T_scene_camera")
    x = (np.arange(intrinsics.width) - intrinsics.cx) / intrinsics.fx
    y = (np.arange(intrinsics.height) - intrinsics.cy) / intrinsics.fy
    rays = np.stack(np.broadcast_arrays(x[None, :], y[:, None], 1.0), axis=-1)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    return np.asarray(rays @ T_scene_camera[:3, :3].T, dtype=np.float32)
