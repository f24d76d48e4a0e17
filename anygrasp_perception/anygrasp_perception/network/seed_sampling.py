# SPDX-License-Identifier: Apache-2.0
"""Graspable farthest point sampling: seeds spread over the points worth grasping (paper IV-B.1)."""

from __future__ import annotations

import numpy as np

from anygrasp_perception.arrays import Float32Array, IntpArray

__all__ = ["farthest_points"]


def farthest_points(points: Float32Array, count: int, first: int = 0) -> IntpArray:
    """Return `count` rows of points (N, 3), each as far as can be from those before it, beginning at `first`.

    All rows, in their order, where there are no more than `count`.
    """
    if len(points) <= count:
        return np.arange(len(points))
    chosen = np.empty(count, dtype=np.intp)
    columns = np.ascontiguousarray(points.T, dtype=np.float32)  # (3, N)
    nearest = np.full(len(points), np.inf, dtype=np.float32)
    difference, square = np.empty_like(columns), np.empty_like(nearest)
    row = first
    for index in range(count):
        chosen[index] = row
        np.subtract(columns, columns[:, row, None], out=difference)
        np.einsum("ij,ij->j", difference, difference, out=square)
        np.minimum(nearest, square, out=nearest)
        row = int(nearest.argmax())
    return chosen
