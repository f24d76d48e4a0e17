# SPDX-License-Identifier: Apache-2.0
"""Hardware: bolts, nuts, wrenches and brackets. Small, hard, mostly flat when they lie."""

from __future__ import annotations

import numpy as np

from anygrasp_training.objects.procedural_object import Color, ConvexPart
from anygrasp_training.objects.shapes import box, frustum, hull, wall_ring

__all__ = ["bolt", "bracket", "nut", "wrench"]

_METALS: tuple[Color, ...] = ((0.62, 0.63, 0.66), (0.78, 0.64, 0.32), (0.30, 0.31, 0.34), (0.70, 0.42, 0.28))
_STEEL_KG_M3 = 6000.0  # steel with threads and drillings the shapes leave out


def _metal(rng: np.random.Generator) -> Color:
    return _METALS[rng.integers(len(_METALS))]


def bolt(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Hexagon-head bolt along z, 50-105 mm long."""
    shaft = rng.uniform(0.006, 0.009)
    head = shaft * rng.uniform(1.75, 2.0)
    head_height = shaft * rng.uniform(1.3, 1.6)
    length = rng.uniform(0.045, 0.09)
    color = _metal(rng)
    thread = tuple(0.8 * c for c in color)
    return [
        frustum((head, head), (0.0, head_height), color, sides=6),
        frustum((shaft, shaft), (-0.45 * length, 0.0), color),
        frustum((shaft, shaft), (-0.95 * length, -0.45 * length), (thread[0], thread[1], thread[2])),
        frustum((0.7 * shaft, shaft), (-length, -0.95 * length), color),
    ], _STEEL_KG_M3


def nut(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Hexagon nut about z, 28-46 mm across corners."""
    outer = rng.uniform(0.014, 0.023)
    inner = outer * rng.uniform(0.5, 0.6)
    height = rng.uniform(0.014, 0.021)
    chamfer = 0.93 * outer
    profile = [
        (0.0, inner, chamfer),
        (0.12 * height, inner, outer),
        (0.88 * height, inner, outer),
        (height, inner, chamfer),
    ]
    return wall_ring(profile, _metal(rng), sectors=6, outline=6), _STEEL_KG_M3


def wrench(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Open-end wrench along x, 150-195 mm long, 12-16 mm thick."""
    length = rng.uniform(0.11, 0.15)
    width = rng.uniform(0.014, 0.020)
    thickness = rng.uniform(0.012, 0.016)
    jaw = rng.uniform(0.018, 0.024)  # opening between the prongs
    prong = rng.uniform(0.008, 0.011)
    color = _metal(rng)
    half_z = (-thickness / 2, thickness / 2)
    span = jaw / 2 + prong
    neck = length / 2
    head = [
        (x, y, z)
        for z in half_z
        for x, y in (
            (neck - 0.012, -width / 2),
            (neck - 0.012, width / 2),
            (neck + 0.004, -span),
            (neck + 0.004, span),
            (neck + 0.014, -span),
            (neck + 0.014, span),
        )
    ]
    prongs = [
        box((0.022, prong, thickness), (neck + 0.024, side * (jaw + prong) / 2, 0), color, chamfer=0.0015)
        for side in (-1, 1)
    ]
    return [
        box((length, width, 0.85 * thickness), (0, 0, 0), color, chamfer=0.002),
        hull(head, color),
        *prongs,
        frustum((0.8 * width, 0.8 * width), half_z, color, center=(-length / 2, 0, 0)),
    ], 2700.0  # aluminium alloy: a steel one this thick would weigh half a kilogram


def bracket(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Angle bracket: two plates and a rib between them, 40-70 mm legs."""
    legs = rng.uniform(0.04, 0.07, size=2)
    width = rng.uniform(0.026, 0.042)
    thickness = rng.uniform(0.006, 0.009)
    rib = rng.uniform(0.006, 0.009)
    color = _metal(rng)
    reach = 0.7 * min(legs)
    corners = [
        (x, y, z) for y in (-rib / 2, rib / 2) for x, z in ((0, 0), (reach, 0), (0, reach), (reach, 0.003))
    ]
    offset = thickness / 2
    return [
        box((legs[0], width, thickness), (legs[0] / 2 - offset, 0, 0), color, chamfer=0.001),
        box((thickness, width, legs[1]), (0, 0, legs[1] / 2 - offset), color, chamfer=0.001),
        hull(corners, color),
    ], 2700.0
