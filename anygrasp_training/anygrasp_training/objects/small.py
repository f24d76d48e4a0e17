# SPDX-License-Identifier: Apache-2.0
"""Things down to 15 mm: screws, nuts, dice and sweets, of which a depth camera sees a few dozen pixels."""

from __future__ import annotations

import numpy as np

from anygrasp_training.objects.procedural_object import Color, ConvexPart
from anygrasp_training.objects.shapes import box, frustum, hull, superquadric, wall_ring

__all__ = ["candy", "die", "screw", "small_nut"]

_METALS: tuple[Color, ...] = ((0.66, 0.67, 0.70), (0.80, 0.68, 0.36), (0.33, 0.34, 0.37))
_STEEL_KG_M3 = 7800.0


def _metal(rng: np.random.Generator) -> Color:
    return _METALS[rng.integers(len(_METALS))]


def screw(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Pan-head screw with a point, along z, 20-40 mm long."""
    shaft = rng.uniform(0.0022, 0.0032)
    head = shaft * rng.uniform(1.9, 2.3)
    length = rng.uniform(0.017, 0.034)
    color = _metal(rng)
    return [
        frustum((head, 0.75 * head), (0.0, 1.3 * shaft), color),
        frustum((shaft, shaft), (-0.8 * length, 0.0), color, sides=16),
        frustum((0.2 * shaft, shaft), (-length, -0.8 * length), color, sides=16),
    ], _STEEL_KG_M3


def small_nut(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Hexagon nut about z, 15-20 mm across corners, 6-9 mm thick."""
    outer = rng.uniform(0.0075, 0.010)
    inner = outer * rng.uniform(0.45, 0.55)
    height = rng.uniform(0.006, 0.009)
    return wall_ring(
        [(0.0, inner, outer), (height, inner, outer)], _metal(rng), sectors=6, outline=6
    ), _STEEL_KG_M3


def die(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Six-sided die of 15-20 mm with raised pips on two sides."""
    edge = rng.uniform(0.015, 0.0195)
    ground, pip = (((0.92, 0.91, 0.87), (0.10, 0.10, 0.12)), ((0.75, 0.10, 0.14), (0.95, 0.95, 0.92)))[
        rng.integers(2)
    ]
    radius, raised = 0.10 * edge, 2e-4
    step = 0.25 * edge
    parts = [box((edge,) * 3, (0, 0, 0), ground, chamfer=0.07 * edge)]
    for x, y in ((-step, -step), (0, 0), (step, step)):
        parts.append(
            frustum((radius, radius), (0.4 * edge, edge / 2 + raised), pip, center=(x, y, 0), sides=10)
        )
    for y, z in ((-step, -step), (step, -step), (-step, step), (step, step)):
        parts.append(
            frustum(
                (radius, radius), (0.4 * edge, edge / 2 + raised), pip, center=(0, y, z), axis=0, sides=10
            )
        )
    return parts, 1200.0


def candy(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Wrapped sweet along x with a twisted end on either side, 40-58 mm long."""
    half = np.array([rng.uniform(0.010, 0.015), rng.uniform(0.007, 0.010), rng.uniform(0.007, 0.010)])
    tail = rng.uniform(0.010, 0.014)
    spread = rng.uniform(0.8, 1.1) * half[1]
    wrap, end = (((0.85, 0.20, 0.30), (0.98, 0.85, 0.55)), ((0.25, 0.60, 0.40), (0.93, 0.93, 0.88)))[
        rng.integers(2)
    ]
    tails = [
        hull(
            [
                (side * x, y, z)
                for x, reach, thick in ((0.85 * half[0], 0.002, 0.002), (half[0] + tail, spread, 0.0012))
                for y in (-reach, reach)
                for z in (-thick, thick)
            ],
            end,
        )
        for side in (-1, 1)
    ]
    return [superquadric(half, 2.6, wrap), *tails], 1100.0
