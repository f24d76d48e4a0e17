# SPDX-License-Identifier: Apache-2.0
"""Height profiles across the closing direction: what a gripper meets on its way in.

A camera above a bin sees tops, seldom sides. So the evidence for a grasp is how the visible surface falls
off on either side: seen along the approach, the object is a hill between two drops that must take the
fingers. One height map for each approach direction serves all seeds and in-plane angles.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from anygrasp_perception.arrays import Float32Array, Float64Array, IntpArray
from anygrasp_perception.compiled import compiled
from anygrasp_perception.grasp import ANGLE_COUNT

__all__ = ["HeightMap", "ProfileGrid", "rasterise"]


@dataclass(frozen=True)
class ProfileGrid:
    """Square cells of a profile: bins along the closing direction, rows along the finger height."""

    cell_m: float
    half_bins: int
    half_rows: int

    @classmethod
    def covering(cls, half_width_m: float, half_height_m: float, cell_m: float) -> ProfileGrid:
        """The grid that reaches half_width_m along y and stays within half_height_m along z."""
        return cls(cell_m, int(np.ceil(half_width_m / cell_m)), int(half_height_m / cell_m))

    @property
    def bins(self) -> int:
        """Cells along the closing direction; the middle one holds the seed."""
        return 2 * self.half_bins + 1

    @property
    def rows(self) -> int:
        """Cells along the finger height; the middle one holds the seed."""
        return 2 * self.half_rows + 1

    @property
    def reach(self) -> int:
        """Cells from the seed to the furthest corner, at any in-plane angle."""
        return int(np.ceil(np.hypot(self.half_bins, self.half_rows))) + 1


def _cells(coordinates: Float32Array, grid: ProfileGrid) -> IntpArray:
    cells: IntpArray = np.rint(coordinates / np.float32(grid.cell_m)).astype(np.intp)
    return cells


@lru_cache(maxsize=4)
def _offsets(grid: ProfileGrid) -> tuple[IntpArray, IntpArray]:
    """Map cells (12, rows, bins), relative to the seed's, under the profile at each in-plane angle."""
    angle = np.arange(ANGLE_COUNT)[:, None, None] * (np.pi / ANGLE_COUNT)
    y = np.arange(-grid.half_bins, grid.half_bins + 1)[None, None, :]
    z = np.arange(-grid.half_rows, grid.half_rows + 1)[None, :, None]
    # In the map, the y axis of the turned grasp is (cos, sin) and its z axis (-sin, cos).
    u = np.rint(np.cos(angle) * y - np.sin(angle) * z)
    v = np.rint(np.sin(angle) * y + np.cos(angle) * z)
    return u.astype(np.intp), v.astype(np.intp)


@dataclass(frozen=True, eq=False)
class HeightMap:
    """Depth along one approach of what is met first, infinite where nothing was seen."""

    tops_m: Float32Array  # (U * V,) along the approach, from the camera
    first_cell: tuple[int, int]  # cell coordinates of the corner
    columns: int  # V

    def depths_at(self, points: Float32Array, rotation: Float64Array, grid: ProfileGrid) -> Float32Array:
        """Depth (N,) along the approach from points (N, 3) to what is met first there; inf: nothing."""
        x, row, column = self._locate(points, rotation, grid)
        rows = len(self.tops_m) // self.columns
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < self.columns)
        cell = np.where(inside, row * self.columns + column, 0)
        return np.where(inside, self.tops_m[cell] - x, np.float32(np.inf))

    def profiles(self, seeds: Float32Array, rotation: Float64Array, grid: ProfileGrid) -> Float32Array:
        """Profiles (S, 12, rows, bins) around seeds (S, 3), metres along the approach from the seed.

        `rotation` (3, 3) is the grasp at in-plane angle zero, as it was for `rasterise`.
        """
        x, row, column = self._locate(seeds, rotation, grid)
        du, dv = _offsets(grid)
        cells = (row * self.columns + column)[:, None] + (du * self.columns + dv).reshape(-1)
        profiles = np.take(self.tops_m, cells) - x[:, None]
        return np.asarray(profiles.reshape(len(seeds), ANGLE_COUNT, grid.rows, grid.bins))

    def lowest_profiles(self, seeds: Float32Array, rotation: Float64Array, grid: ProfileGrid) -> Float32Array:
        """The least of `profiles` over its rows (S, 12, bins): what a finger of their height meets first."""
        x, row, column = self._locate(seeds, rotation, grid)
        du, dv = _offsets(grid)
        cells = row * self.columns + column
        return _lowest_tops(self.tops_m, cells, np.ascontiguousarray(x), du * self.columns + dv)

    def _locate(
        self, points: Float32Array, rotation: Float64Array, grid: ProfileGrid
    ) -> tuple[Float32Array, IntpArray, IntpArray]:
        """Depth along the approach, row and column (N,) of points (N, 3)."""
        x, u, v = (points @ rotation.astype(np.float32)).T
        row, column = _cells(u, grid) - self.first_cell[0], _cells(v, grid) - self.first_cell[1]
        return x, row, column


def rasterise(points: Float32Array, rotation: Float64Array, grid: ProfileGrid) -> HeightMap:
    """Height map of points (M, 3), M > 0, seen along the approach, the first column of rotation (3, 3)."""
    # A border as wide as a profile, so that none around a point leaves the map.
    axes = np.ascontiguousarray(rotation, dtype=np.float32)
    tops, row, column, columns = _rasterise(
        np.ascontiguousarray(points, dtype=np.float32), axes, np.float32(grid.cell_m), grid.reach
    )
    return HeightMap(tops, (row, column), columns)


@compiled
def _rasterise(
    points: Float32Array, axes: Float32Array, cell_m: np.float32, border: int
) -> tuple[Float32Array, int, int, int]:
    """Tops of the map, row and column of its corner, and how many columns it has."""
    cells = np.empty((2, len(points)), dtype=np.int64)
    low, high = np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int64)
    for point in range(len(points)):
        for k in range(2):
            along = np.float32(0)
            for axis in range(3):
                along += points[point, axis] * axes[axis, 1 + k]
            cell = np.int64(np.rint(along / cell_m))
            cells[k, point] = cell
            low[k] = cell if point == 0 else min(low[k], cell)
            high[k] = cell if point == 0 else max(high[k], cell)
    first_row, first_column = low[0] - border, low[1] - border
    rows, columns = high[0] + border + 1 - first_row, high[1] + border + 1 - first_column
    tops = np.full(rows * columns, np.inf, dtype=np.float32)
    for point in range(len(points)):
        cell = (cells[0, point] - first_row) * columns + cells[1, point] - first_column
        x = np.float32(0)
        for axis in range(3):
            x += points[point, axis] * axes[axis, 0]
        if x < tops[cell]:
            tops[cell] = x
    return tops, first_row, first_column, columns


@compiled
def _lowest_tops(tops: Float32Array, cells: IntpArray, x: Float32Array, offsets: IntpArray) -> Float32Array:
    """Least (S, 12, bins) of the tops around cells (S,), at offsets (12, rows, bins), less x (S,)."""
    angles, rows, bins = offsets.shape
    lowest = np.full((len(cells), angles, bins), np.inf, dtype=np.float32)
    for seed in range(len(cells)):
        for angle in range(angles):
            for row in range(rows):
                for place in range(bins):
                    top = tops[cells[seed] + offsets[angle, row, place]] - x[seed]
                    if top < lowest[seed, angle, place]:
                        lowest[seed, angle, place] = top
    return lowest
