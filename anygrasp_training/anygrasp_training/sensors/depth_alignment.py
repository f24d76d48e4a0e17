# SPDX-License-Identifier: Apache-2.0
"""Carry a depth image over to another camera's image, as the camera's driver aligns depth to colour."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from anygrasp_perception.arrays import Float32Array, IntpArray
from anygrasp_perception.camera import CameraIntrinsics

__all__ = ["align_depth"]


def align_depth(
    depth_m: Float32Array, source: CameraIntrinsics, target: CameraIntrinsics, offset_x_m: float
) -> Float32Array:
    """Depth (H, W) in metres, 0 invalid, of camera `source` as camera `target` would have it.

    The target's origin lies at x = -offset_x_m in the source's frame, axes parallel. Every source pixel
    covers the rectangle it projects to; the nearest wins. Holes stay holes.
    """
    if depth_m.shape != (source.height, source.width):
        raise ValueError(f"depth_m has shape {depth_m.shape}, its camera ({source.height}, {source.width})")
    rows, columns = np.nonzero(depth_m > 0)
    z = depth_m[rows, columns]
    far_first = np.argsort(-z, kind="stable")  # so that the nearest is written last
    rows, columns, z = rows[far_first], columns[far_first], z[far_first]
    scale_x, scale_y = target.fx / source.fx, target.fy / source.fy
    shift = target.fx * offset_x_m / z + target.cx
    first_u = _nearest_pixel((columns - 0.5 - source.cx) * scale_x + shift)
    last_u = _nearest_pixel((columns + 0.5 - source.cx) * scale_x + shift)
    first_v = _nearest_pixel((rows - 0.5 - source.cy) * scale_y + target.cy)
    last_v = _nearest_pixel((rows + 0.5 - source.cy) * scale_y + target.cy)
    aligned = np.zeros((target.height, target.width), np.float32)
    nearest = np.full(aligned.shape, np.inf, np.float32)
    for dv in range(math.ceil(scale_y) + 1):
        for du in range(math.ceil(scale_x) + 1):
            u, v = first_u + du, first_v + dv
            inside = (
                (u <= last_u) & (v <= last_v) & (u >= 0) & (v >= 0) & (u < target.width) & (v < target.height)
            )
            layer = np.full(aligned.shape, np.inf, np.float32)
            layer[v[inside], u[inside]] = z[inside]
            nearest = np.minimum(nearest, layer)
    aligned[np.isfinite(nearest)] = nearest[np.isfinite(nearest)]
    return aligned


def _nearest_pixel(position: NDArray[np.floating]) -> IntpArray:
    return np.asarray(np.floor(position + 0.5), dtype=np.intp)
