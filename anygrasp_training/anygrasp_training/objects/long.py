# SPDX-License-Identifier: Apache-2.0
"""Things up to 36 cm long: bars and tools, on which a grasp far from the centre of mass slips and turns."""

from __future__ import annotations

import numpy as np

from anygrasp_training.objects.procedural_object import Color, ConvexPart
from anygrasp_training.objects.shapes import box, ellipsoid, frustum, hull, wall_ring

__all__ = ["hammer", "long_bar", "pipe", "screwdriver", "spatula", "spoon"]

_METAL: Color = (0.68, 0.69, 0.72)
_GRIPS: tuple[Color, ...] = ((0.85, 0.25, 0.12), (0.15, 0.30, 0.65), (0.95, 0.75, 0.10), (0.20, 0.45, 0.25))
_WOODS: tuple[Color, ...] = ((0.72, 0.52, 0.32), (0.55, 0.36, 0.20), (0.85, 0.70, 0.50))


def _pick(colors: tuple[Color, ...], rng: np.random.Generator) -> Color:
    return colors[rng.integers(len(colors))]


def long_bar(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Square, round or hexagonal bar along x, 200-360 mm long, 14-30 mm thick, with a painted end."""
    length = rng.uniform(0.20, 0.36)
    thickness = rng.uniform(0.014, 0.030)
    wood, paint = _pick(_WOODS, rng), _pick(_GRIPS, rng)
    split = length * rng.uniform(0.6, 0.85)
    sides = int(rng.choice([4, 6, 24]))
    radius = thickness / 2 / np.cos(np.pi / sides)
    return [
        frustum((radius, radius), span, color, axis=0, sides=sides, phase=np.pi / sides)
        for span, color in (((0.0, split), wood), ((split, length), paint))
    ], 750.0


def pipe(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Length of pipe about z, 30-50 mm across, 40-140 mm long."""
    outer = rng.uniform(0.015, 0.025)
    wall = rng.uniform(0.0035, 0.006)
    length = rng.uniform(0.04, 0.14)
    color = ((0.60, 0.61, 0.63), (0.75, 0.43, 0.28), (0.88, 0.88, 0.84))[rng.integers(3)]
    return wall_ring([(0.0, outer - wall, outer), (length, outer - wall, outer)], color), 1400.0


def screwdriver(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Screwdriver along x, 150-240 mm long."""
    grip = rng.uniform(0.011, 0.015)
    handle = rng.uniform(0.07, 0.10)
    blade = rng.uniform(0.08, 0.14)
    shaft = rng.uniform(0.0030, 0.0045)
    color = _pick(_GRIPS, rng)
    tip = [
        (handle + x, y, z)
        for x, reach, thick in ((blade - 0.012, 0.0022, 0.0022), (blade, 1.3 * shaft, 0.0006))
        for y in (-reach, reach)
        for z in (-thick, thick)
    ]
    return [
        frustum((0.75 * grip, grip), (0.0, 0.12 * handle), color, axis=0, sides=8),
        frustum((grip, grip), (0.12 * handle, 0.75 * handle), color, axis=0, sides=8),
        frustum((grip, 0.65 * grip), (0.75 * handle, handle), (0.12, 0.12, 0.13), axis=0, sides=8),
        frustum((shaft, shaft), (0.9 * handle, handle + blade - 0.008), _METAL, axis=0, sides=12),
        hull(tip, _METAL),
    ], 1500.0


def hammer(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Hammer with its handle along x, 200-300 mm long; its head makes it heavy at one end."""
    length = rng.uniform(0.19, 0.28)
    head = rng.uniform(0.065, 0.09)
    face = rng.uniform(0.011, 0.014)
    handle = (rng.uniform(0.011, 0.014), rng.uniform(0.008, 0.011))  # semi-axes of its section
    wood = _pick(_WOODS, rng)
    steel: Color = (0.38, 0.39, 0.42)
    peen = [
        (length + x, y, z)
        for y, reach_x, reach_z in ((0.1 * head, face, 0.9 * face), (0.5 * head, 0.7 * face, 0.003))
        for x in (-reach_x, reach_x)
        for z in (-reach_z, reach_z)
    ]
    return [
        box((length, 2 * handle[0], 2 * handle[1]), (length / 2, 0, 0), wood, chamfer=0.004),
        box((2 * face, 0.4 * head, 2 * face), (length, 0, 0), steel, chamfer=0.002),
        frustum((face, 1.15 * face), (-0.5 * head, -0.15 * head), steel, center=(length, 0, 0), axis=1),
        hull(peen, steel),
    ], 1300.0  # of wood and hollow steel together; parts of one object share a density


def spoon(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Wooden spoon along x, 170-260 mm long."""
    length = rng.uniform(0.12, 0.20)
    radius = rng.uniform(0.0045, 0.006)
    bowl = np.array([rng.uniform(0.026, 0.034), rng.uniform(0.018, 0.024), rng.uniform(0.006, 0.008)])
    wood = _pick(_WOODS, rng)
    return [
        frustum((0.9 * radius, 0.9 * radius), (0.0, 0.5 * length), wood, axis=0, sides=12),
        frustum((0.9 * radius, 1.2 * radius), (0.5 * length, length), wood, axis=0, sides=12),
        ellipsoid(bowl, (length + 0.85 * bowl[0], 0, 0), wood),
    ], 700.0


def spatula(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Spatula along x with a blade 2-2.9 mm thick, 245-335 mm long."""
    handle = rng.uniform(0.14, 0.20)
    blade = np.array([rng.uniform(0.08, 0.11), rng.uniform(0.055, 0.075), rng.uniform(0.0020, 0.0029)])
    neck = rng.uniform(0.02, 0.03)
    grip = (rng.uniform(0.018, 0.024), rng.uniform(0.011, 0.014))
    color = _pick(_GRIPS, rng)
    dark: Color = (0.16, 0.16, 0.18)
    trapezium = [
        (handle + neck + x, y, z)
        for x, width in ((0.0, 0.6 * blade[1]), (0.25 * blade[0], blade[1]), (blade[0], blade[1]))
        for y in (-width / 2, width / 2)
        for z in (-blade[2] / 2, blade[2] / 2)
    ]
    return [
        box((handle, *grip), (handle / 2, 0, 0), color, chamfer=0.003),
        box((neck + 0.02, 0.7 * grip[0], 0.5 * grip[1]), (handle + neck / 2, 0, 0), dark, chamfer=0.001),
        hull(trapezium, dark),
    ], 900.0
