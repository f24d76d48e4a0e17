# SPDX-License-Identifier: Apache-2.0
"""Tables that bend, end and carry cloth, so that a flat endless plane is not what is learnt (DESIGN 9)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh

from anygrasp_perception.arrays import Float64Array, IntpArray

__all__ = ["Table", "draw_table", "flat_table"]

_CELL_M = 0.012  # of the height grid: finer than a fingertip
_FLAT_CELL_M = 0.05  # where there is nothing to resolve
_THICKNESS_M = 0.03


@dataclass(frozen=True, eq=False)
class Table:
    """A slab whose top is a height field over a rectangle, scene frame, metres."""

    lower_xy: Float64Array  # (2,) corner of the rectangle
    upper_xy: Float64Array  # (2,)
    heights: Float64Array  # (rows along y, columns along x)

    @property
    def is_flat(self) -> bool:
        """Whether the whole top is one level plane."""
        return float(np.ptp(self.heights)) < 1e-6

    def mesh(self) -> trimesh.Trimesh:
        """Top and sides of the slab; open below, where nobody looks."""
        rows, columns = self.heights.shape
        x = np.linspace(self.lower_xy[0], self.upper_xy[0], columns)
        y = np.linspace(self.lower_xy[1], self.upper_xy[1], rows)
        top = np.stack([*np.meshgrid(x, y), self.heights], axis=-1).reshape(-1, 3)
        index: IntpArray = np.arange(rows * columns).reshape(rows, columns)
        a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
        faces = np.concatenate([_triangles(a, b, c), _triangles(a, c, d)])
        rim = np.concatenate([index[0, :-1], index[:-1, -1], index[-1, :0:-1], index[:0:-1, 0]])
        below = top[rim] - (0.0, 0.0, _THICKNESS_M)
        low = len(top) + np.arange(len(rim))
        after, low_after = np.roll(rim, -1), np.roll(low, -1)
        sides = np.concatenate([_triangles(rim, low, low_after), _triangles(rim, low_after, after)])
        return trimesh.Trimesh(np.concatenate([top, below]), np.concatenate([faces, sides]), process=False)


def flat_table(half_size_m: float = 0.5) -> Table:
    """A level square table about the origin, top at z = 0."""
    corner = np.full(2, half_size_m)
    cells = int(np.ceil(2 * half_size_m / _FLAT_CELL_M)) + 1
    return Table(-corner, corner, np.zeros((cells, cells)))


def draw_table(rng: np.random.Generator) -> Table:
    """Draw size, edges near or far, bend and cloth; the top is near z = 0 around the origin."""
    # Each side of the table ends on its own: in some scenes an edge passes close by the objects.
    near, far = rng.uniform(0.26, 0.45, size=4), rng.uniform(0.5, 0.9, size=4)
    sides = np.where(rng.random(4) < 0.3, near, far)
    lower, upper = -sides[:2], sides[2:]
    bend, cloth = rng.random() < 0.35, rng.random() < 0.35
    cell_m = _CELL_M if bend or cloth else _FLAT_CELL_M
    columns, rows = np.ceil((upper - lower) / cell_m).astype(int) + 1
    x, y = np.meshgrid(np.linspace(lower[0], upper[0], columns), np.linspace(lower[1], upper[1], rows))
    heights = np.zeros_like(x)
    if bend:
        heights += _bend(x, y, rng)
    if cloth:
        heights += _cloth(x, y, rng)
    around_origin = (np.abs(x) < 0.1) & (np.abs(y) < 0.1)
    return Table(lower, upper, heights - heights[around_origin].mean())


def _bend(x: Float64Array, y: Float64Array, rng: np.random.Generator) -> Float64Array:
    """A sagging, arched or saddle-shaped board: up to 15 mm at 0.5 m from the middle."""
    azimuth = rng.uniform(0, np.pi)
    u = np.cos(azimuth) * x + np.sin(azimuth) * y
    v = np.cos(azimuth) * y - np.sin(azimuth) * x
    rise_m = rng.uniform(-0.015, 0.015, size=2)
    return np.asarray(rise_m[0] * (u / 0.5) ** 2 + rise_m[1] * (v / 0.5) ** 2)


def _cloth(x: Float64Array, y: Float64Array, rng: np.random.Generator) -> Float64Array:
    """Folds of 3 to 20 cm length and 1 to 5 mm height, long ones higher, as cloth lies on a table."""
    heights = np.zeros_like(x)
    for wavelength_m in rng.uniform(0.03, 0.20, size=10):
        azimuth, phase = rng.uniform(0, 2 * np.pi, size=2)
        along = np.cos(azimuth) * x + np.sin(azimuth) * y
        heights += wavelength_m * np.cos(2 * np.pi * along / wavelength_m + phase)
    heights *= rng.uniform(0.001, 0.005) / max(float(heights.std()), 1e-9)
    return heights


def _triangles(a: IntpArray, b: IntpArray, c: IntpArray) -> IntpArray:
    return np.stack([a, b, c], axis=-1).reshape(-1, 3)
