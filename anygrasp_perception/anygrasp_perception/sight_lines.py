# SPDX-License-Identifier: Apache-2.0
"""Which space the camera has seen to be free: what lies in front of the surfaces it measured."""

from __future__ import annotations

import numpy as np

from anygrasp_perception.arrays import BoolArray, Float32Array, Float64Array, IntpArray

__all__ = ["SightLines"]


class SightLines:
    """Nearest depth by viewing direction, from a cloud (N, 3) in the optical frame; needs no intrinsics.

    Raises ValueError on a cell size that is not positive.
    """

    def __init__(self, points: Float32Array, cell_rad: float = 0.005) -> None:
        if not cell_rad > 0.0:
            raise ValueError(f"cell_rad must be positive, got {cell_rad}")
        self._cell_rad = cell_rad
        points = points[points[:, 2] > 0]
        cells = self._cells(points)
        self._first = cells.min(axis=0, initial=0)
        self._nearest = np.full(cells.max(axis=0, initial=0) - self._first + 1, np.inf, dtype=np.float32)
        np.minimum.at(self._nearest, tuple((cells - self._first).T), points[:, 2])

    def seen_free(self, points: Float64Array, tolerance_m: float = 0.005) -> BoolArray:
        """Which of points (..., 3) lie in front of what was measured in their direction, or just behind it.

        Hidden points, and points in whose direction nothing was measured, are not seen to be free.
        """
        flat = points.reshape(-1, 3)
        ahead = flat[:, 2] > 0
        cells = self._cells(np.where(ahead[:, None], flat, 1.0)) - self._first
        known = ahead & ((cells >= 0) & (cells < self._nearest.shape)).all(axis=1)
        nearest = self._nearest[tuple(np.where(known[:, None], cells, 0).T)]
        known &= np.isfinite(nearest)
        return np.asarray((known & (flat[:, 2] <= nearest + tolerance_m)).reshape(points.shape[:-1]))

    def _cells(self, points: Float32Array | Float64Array) -> IntpArray:
        return np.floor(points[:, :2] / points[:, 2:] / self._cell_rad).astype(np.intp)
