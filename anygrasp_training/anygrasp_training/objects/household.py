# SPDX-License-Identifier: Apache-2.0
"""Household: bottles, mugs, cups, bowls, sponges and remote controls."""

from __future__ import annotations

import numpy as np

from anygrasp_training.objects.procedural_object import Color, ConvexPart
from anygrasp_training.objects.shapes import box, frustum, wall_ring

__all__ = ["bottle", "bowl", "cup", "mug", "remote", "sponge"]

_GLAZES: tuple[Color, ...] = (
    (0.90, 0.90, 0.87),
    (0.25, 0.45, 0.62),
    (0.76, 0.36, 0.28),
    (0.42, 0.58, 0.48),
    (0.88, 0.74, 0.45),
)


def _glazes(rng: np.random.Generator, count: int) -> list[Color]:
    return [_GLAZES[i] for i in rng.choice(len(_GLAZES), size=count, replace=False)]


def bottle(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Bottle with a cap, 44-64 mm in diameter, 120-180 mm high."""
    radius = rng.uniform(0.022, 0.032)
    body = rng.uniform(0.075, 0.11)
    shoulder = rng.uniform(0.018, 0.03)
    neck = rng.uniform(0.011, 0.014)
    cap = neck + rng.uniform(0.002, 0.004)
    ground, label = _glazes(rng, 2)
    top = body + shoulder
    return [
        frustum((0.93 * radius, radius), (0, 0.004), ground),
        frustum((radius, radius), (0.004, body), ground),
        frustum((radius + 4e-4, radius + 4e-4), (0.25 * body, 0.7 * body), label),
        frustum((radius, neck), (body, top), ground),
        frustum((neck, neck), (top, top + 0.012), ground),
        frustum((cap, cap), (top + 0.010, top + 0.026), (0.15, 0.16, 0.18)),
    ], 350.0


def mug(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Mug with a handle, 62-74 mm in diameter, 70-95 mm high."""
    radius = rng.uniform(0.031, 0.037)
    height = rng.uniform(0.07, 0.095)
    wall = rng.uniform(0.0045, 0.006)
    color = _glazes(rng, 1)[0]
    grip = rng.uniform(0.009, 0.012)
    reach = rng.uniform(0.024, 0.030)  # of the handle, past the wall
    low, high = 0.25 * height, 0.75 * height
    arms = [
        box((reach, grip, 0.010), (radius - 0.004 + reach / 2, 0, z), color, chamfer=0.002)
        for z in (low, high)
    ]
    bar = box(
        (0.009, grip, high - low + 0.010), (radius - 0.004 + reach, 0, (low + high) / 2), color, chamfer=0.002
    )
    return [
        *wall_ring([(0.004, radius - wall, radius), (height, radius - wall, radius)], color),
        frustum((0.93 * radius, radius), (0, 0.006), color),
        *arms,
        bar,
    ], 1100.0


def bowl(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Small bowl, 66-80 mm across its rim, 34-48 mm high."""
    rim = rng.uniform(0.033, 0.040)
    foot = rng.uniform(0.55, 0.7) * rim
    height = rng.uniform(0.034, 0.048)
    wall = rng.uniform(0.005, 0.007)
    color = _glazes(rng, 1)[0]
    floor = 0.006
    middle = (foot + 0.62 * (rim - foot), 0.45 * height)
    profile = [
        (0.5 * floor, foot - wall, foot),
        (middle[1], middle[0] - wall, middle[0]),
        (height, rim - wall, rim),
    ]
    # The wall bends outwards like a cup, so that each sector stays convex on its outside.
    return [*wall_ring(profile, color), frustum((0.9 * foot, foot), (0, floor), color)], 1100.0


def sponge(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Kitchen sponge with a scouring layer, 80-110 x 50-70 x 26-38 mm."""
    size = np.array([rng.uniform(0.08, 0.11), rng.uniform(0.05, 0.07), rng.uniform(0.02, 0.03)])
    pad = rng.uniform(0.006, 0.009)
    foam, scour = (
        ((0.95, 0.82, 0.25), (0.15, 0.42, 0.22))
        if rng.random() < 0.5
        else ((0.55, 0.72, 0.88), (0.2, 0.25, 0.55))
    )
    return [
        box(size, (0, 0, 0), foam, chamfer=0.003),
        box((size[0], size[1], pad), (0, 0, (size[2] + pad) / 2 - 0.0005), scour, chamfer=0.001),
    ], 120.0


def remote(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Remote control with raised keys, 130-175 x 40-50 x 18-24 mm."""
    size = np.array([rng.uniform(0.13, 0.175), rng.uniform(0.040, 0.050), rng.uniform(0.018, 0.024)])
    case: Color = ((0.12, 0.12, 0.13), (0.55, 0.56, 0.58))[rng.integers(2)]
    top = size[2] / 2
    key = (0.75, 0.75, 0.77) if case[0] < 0.3 else (0.15, 0.15, 0.16)
    dial = 0.28 * size[1]
    return [
        box(size, (0, 0, 0), case, chamfer=0.003),
        box((0.30 * size[0], 0.6 * size[1], 0.003), (-0.22 * size[0], 0, top), key, chamfer=0.0005),
        frustum((dial, dial), (top - 0.002, top + 0.0015), key, center=(0.12 * size[0], 0, 0)),
        frustum(
            (0.005, 0.005),
            (top - 0.002, top + 0.002),
            (0.85, 0.1, 0.1),
            center=(0.40 * size[0], 0, 0),
            sides=12,
        ),
    ], 600.0


def cup(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Tumbler without a handle, wider at its rim, 58-82 mm across, 80-120 mm high."""
    rim = rng.uniform(0.029, 0.041)
    foot = rng.uniform(0.65, 0.85) * rim
    height = rng.uniform(0.08, 0.12)
    wall = rng.uniform(0.0025, 0.004)
    color = _glazes(rng, 1)[0]
    return [
        *wall_ring([(0.0, foot - wall, foot), (height, rim - wall, rim)], color),
        frustum((0.98 * foot, foot), (0.0, 0.006), color),
    ], 700.0
