# SPDX-License-Identifier: Apache-2.0
"""Things under 3 mm thick: sheets, washers and the fragments of a broken pot (paper VI-A, Fig. 9)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from anygrasp_training.objects.procedural_object import Color, ConvexPart
from anygrasp_training.objects.shapes import box, hull, wall_ring

__all__ = ["pot_fragment", "sheet", "washer"]

_METALS: tuple[Color, ...] = ((0.70, 0.71, 0.73), (0.80, 0.66, 0.38), (0.42, 0.44, 0.47))
_CLAYS: tuple[Color, ...] = ((0.72, 0.42, 0.28), (0.80, 0.62, 0.45), (0.50, 0.32, 0.26), (0.86, 0.82, 0.74))
_STRIPS = 10  # flat facets that a bent fragment is made of


def sheet(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Flat plate, 50-110 x 25-60 mm, 1.5-2.9 mm thick."""
    size = (rng.uniform(0.05, 0.11), rng.uniform(0.025, 0.06), rng.uniform(0.0015, 0.0029))
    color = _METALS[rng.integers(len(_METALS))]
    return [box(size, (0, 0, 0), color, chamfer=0.0003)], 2700.0


def washer(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Flat ring about z, 24-50 mm across, 1.8-2.9 mm thick."""
    outer = rng.uniform(0.012, 0.025)
    inner = outer * rng.uniform(0.35, 0.6)
    height = rng.uniform(0.0018, 0.0029)
    color = _METALS[rng.integers(len(_METALS))]
    return wall_ring([(0.0, inner, outer), (height, inner, outer)], color), 7800.0


def pot_fragment(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Shard of a conical pot wall lying with its hollow side down, 40-80 mm across, 2.0-2.9 mm thick."""
    radius = rng.uniform(0.035, 0.08)  # of the pot, on its outside
    slope = rng.uniform(-0.25, 0.25)  # of its wall
    thickness = rng.uniform(0.0020, 0.0029)
    outline = _shard_outline(rng)
    color = _CLAYS[rng.integers(len(_CLAYS))]
    cuts = np.linspace(outline[:, 0].min(), outline[:, 0].max(), _STRIPS + 1)
    parts = []
    for left, right in pairwise(cuts):
        # A strip reaches a little into the next one: faces that only touch unite with slivers between.
        along = np.array([left, min(right + 0.03 * (right - left), cuts[-1])])
        low, high = _span_at(outline, along)
        points = []
        for arc, z in zip(np.tile(along, 2), np.concatenate([low, high]), strict=True):
            angle = arc / radius
            for depth in (0.0, thickness):
                rho = radius + slope * z - depth
                points.append((rho * np.sin(angle), z, rho * np.cos(angle)))
        parts.append(hull(points, color))
    return parts, 1900.0


def _shard_outline(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """(V, 2) corners of a convex polygon in the unrolled wall, counter-clockwise, arc length and height."""
    half = (rng.uniform(0.022, 0.045), rng.uniform(0.020, 0.035))
    count = int(rng.integers(5, 8))
    angle = (np.arange(count) + rng.uniform(-0.3, 0.3, size=count)) * 2 * np.pi / count
    return np.column_stack([half[0] * np.cos(angle), half[1] * np.sin(angle)])


def _span_at(
    outline: npt.NDArray[np.float64], x: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Lowest and highest ordinate of a convex polygon at the abscissae x (N,)."""
    start, end = outline, np.roll(outline, -1, axis=0)
    run = end[:, 0] - start[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        s = (x[:, None] - start[:, 0]) / run
    on_edge = (s >= -1e-9) & (s <= 1 + 1e-9)
    y = start[:, 1] + np.nan_to_num(s) * (end[:, 1] - start[:, 1])
    return np.where(on_edge, y, np.inf).min(axis=1), np.where(on_edge, y, -np.inf).max(axis=1)
