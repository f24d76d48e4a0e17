# SPDX-License-Identifier: Apache-2.0
"""Snacks: cartons, cans and pouches."""

from __future__ import annotations

import numpy as np

from anygrasp_training.objects.procedural_object import Color, ConvexPart
from anygrasp_training.objects.shapes import box, frustum, hull, superellipsoid

__all__ = ["can", "carton", "pouch"]

_BRANDS: tuple[tuple[Color, Color], ...] = (  # ground and label
    ((0.80, 0.12, 0.12), (0.97, 0.90, 0.74)),
    ((0.10, 0.32, 0.65), (0.95, 0.80, 0.20)),
    ((0.13, 0.52, 0.28), (0.95, 0.95, 0.90)),
    ((0.92, 0.62, 0.12), (0.55, 0.14, 0.10)),
    ((0.46, 0.20, 0.52), (0.98, 0.85, 0.35)),
)
_FILM_M = 0.0004  # how far a label stands out of what it is on


def _brand(rng: np.random.Generator) -> tuple[Color, Color]:
    return _BRANDS[rng.integers(len(_BRANDS))]


def carton(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Standing box, 80-150 mm high, its thinner side 30-55 mm, with a label on the front and back."""
    size = np.array([rng.uniform(0.05, 0.075), rng.uniform(0.03, 0.055), rng.uniform(0.08, 0.15)])
    ground, label = _brand(rng)
    panel = (0.8 * size[0], size[1] + 2 * _FILM_M, rng.uniform(0.35, 0.6) * size[2])
    return [box(size, (0, 0, 0), ground, chamfer=0.0015), box(panel, (0, 0, 0.1 * size[2]), label)], 450.0


def can(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Drink or food can, 52-68 mm in diameter, 60-125 mm high."""
    radius = rng.uniform(0.026, 0.034)
    height = rng.uniform(0.06, 0.125)
    ground, label = _brand(rng)
    metal = (0.75, 0.76, 0.78)
    band = rng.uniform(0.15, 0.3) * height
    film = radius + _FILM_M
    return [
        frustum((0.85 * radius, radius), (0, 0.05 * height), metal),
        frustum((radius, radius), (0.05 * height, 0.93 * height), ground),
        frustum((film, film), (0.5 * height - band, 0.5 * height + band), label),
        frustum((radius, 0.85 * radius), (0.93 * height, height), metal),
    ], 500.0


def pouch(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Filled bag lying flat: a pillow 26-42 mm thick with a sealed seam at either end."""
    half = np.array([rng.uniform(0.045, 0.065), rng.uniform(0.028, 0.037), rng.uniform(0.013, 0.021)])
    ground, label = _brand(rng)
    seam_x, seam_y = 0.97 * half[0], 0.75 * half[1]
    seams = [
        hull(
            [
                (s * x, y, z)
                for x in (0.75 * half[0], seam_x + 0.01)
                for y in (-seam_y, seam_y)
                for z in (-2e-3, 2e-3)
            ],
            label,
        )
        for s in (-1, 1)
    ]
    return [superellipsoid(half, 3.0, ground), *seams], 300.0
