# SPDX-License-Identifier: Apache-2.0
"""Graspable farthest point sampling: seeds spread over the points worth grasping (paper IV-B.1)."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right

import numpy as np

from anygrasp_perception.arrays import Float32Array, IntpArray

__all__ = ["farthest_points"]

_ROUNDING = 1.001  # more than float32 can lose of a distance
_FEW = 1000  # points whose distances from each other are worth a table


def farthest_points(points: Float32Array, count: int, first: int = 0) -> IntpArray:
    """Return `count` rows of points (N, 3), each as far as can be from those before it, beginning at `first`.

    All rows, in their order, where there are no more than `count`.
    """
    if len(points) <= count:
        return np.arange(len(points))
    if len(points) <= _FEW:
        return _among_few(points, count, first)
    axis = int(np.ptp(points, axis=0).argmax())
    order = np.argsort(points[:, axis], kind="stable")
    columns = np.ascontiguousarray(points[order].T, dtype=np.float32)  # (3, N)
    along: list[float] = columns[axis].tolist()
    nearest = np.full(len(points), np.inf, dtype=np.float32)
    difference, square = np.empty_like(columns), np.empty_like(nearest)
    chosen = np.empty(count, dtype=np.intp)
    row = int(np.flatnonzero(order == first)[0])
    for index in range(count):
        chosen[index] = order[row]
        # A point farther along the axis than all are from their nearest seed changes nothing.
        reach = math.sqrt(nearest[row]) * _ROUNDING
        start, stop = bisect_left(along, along[row] - reach), bisect_right(along, along[row] + reach)
        part = slice(start, stop)
        np.subtract(columns[:, part], columns[:, row, None], out=difference[:, part])
        np.einsum("ij,ij->j", difference[:, part], difference[:, part], out=square[part])
        np.minimum(nearest[part], square[part], out=nearest[part])
        row = int(nearest.argmax())
    return chosen


def _among_few(points: Float32Array, count: int, first: int) -> IntpArray:
    columns = np.ascontiguousarray(points.T, dtype=np.float32)
    difference = columns[:, :, None] - columns[:, None, :]
    squares = np.einsum("ijk,ijk->jk", difference, difference)
    nearest = np.full(len(points), np.inf, dtype=np.float32)
    chosen = np.empty(count, dtype=np.intp)
    row = first
    for index in range(count):
        chosen[index] = row
        np.minimum(nearest, squares[row], out=nearest)
        row = int(nearest.argmax())
    return chosen
