# SPDX-License-Identifier: Apache-2.0
"""Snacks: cartons, cans, pouches, bananas and bars of chocolate."""

from __future__ import annotations

import numpy as np

from anygrasp_training.objects.procedural_object import Color, ConvexPart
from anygrasp_training.objects.shapes import box, frustum, hull, loft, superellipsoid

__all__ = ["banana", "can", "carton", "chocolate_bar", "pouch"]

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


def banana(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Banana bent in the xz plane, 135-195 mm long."""
    length = rng.uniform(0.14, 0.20)
    bend = rng.uniform(0.9, 1.5)
    thick = rng.uniform(0.015, 0.019)
    peel: Color = (0.93, rng.uniform(0.70, 0.82), 0.18)
    stem: Color = (0.45, 0.34, 0.16)
    radius = length / bend
    angle = np.arange(12) * np.pi / 6
    sections = []
    for s in np.linspace(0, 1, 12):
        # Thick all along, a stalk at the one end and a blunt tip at the other.
        girth = thick * (0.28 if s < 0.1 else min(1.0, 0.45 + 2.2 * (s - 0.08), 0.35 + 3.2 * (1 - s)))
        a = bend * (s - 0.5)
        out = np.array([np.sin(a), 0.0, -np.cos(a)])
        ellipse = np.cos(angle)[:, None] * out + np.sin(angle)[:, None] * (0.0, 0.95, 0.0)
        sections.append(radius * out + girth * ellipse)
    return loft(sections, [stem, *[peel] * 10]), 950.0


def chocolate_bar(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Bar of chocolate, 90-160 x 35-70 x 9-14 mm, half of it in its wrapper."""
    size = np.array([rng.uniform(0.09, 0.16), rng.uniform(0.035, 0.07), rng.uniform(0.008, 0.012)])
    ground, label = _brand(rng)
    brown: Color = (0.30, 0.17, 0.10)
    split = rng.uniform(-0.1, 0.15) * size[0]
    wrapped = size[0] / 2 + split
    parts = [
        box(size, (0, 0, 0), brown, chamfer=0.001),
        box(
            (wrapped, size[1] + 0.001, size[2] + 0.001),
            (split / 2 - size[0] / 4, 0, 0),
            ground,
            chamfer=0.001,
        ),
        box((0.6 * wrapped, 0.6 * size[1], size[2] + 0.0018), (split / 2 - size[0] / 4, 0, 0), label),
    ]
    square = (size[0] / 2 - split) / 4
    for i in range(4):
        for side in (-1, 1):
            at = (split + (i + 0.5) * square, side * size[1] / 4, size[2] / 2)
            parts.append(box((0.8 * square, 0.42 * size[1], 0.003), at, brown, chamfer=0.001))
    return parts, 1000.0
