# SPDX-License-Identifier: Apache-2.0
"""Toys: bricks, arches, animals, rings and cars of painted wood and plastic."""

from __future__ import annotations

import numpy as np

from anygrasp_training.objects.procedural_object import Color, ConvexPart
from anygrasp_training.objects.shapes import box, frustum, hull, ring

__all__ = ["animal", "arch", "brick", "car", "toy_ring"]

_PAINTS: tuple[Color, ...] = (
    (0.85, 0.13, 0.13),
    (0.10, 0.35, 0.80),
    (0.98, 0.80, 0.10),
    (0.12, 0.60, 0.25),
    (0.95, 0.48, 0.10),
    (0.50, 0.25, 0.65),
)
_PLASTIC_KG_M3 = 550.0  # hollow plastic, or soft wood


def _paints(rng: np.random.Generator, count: int) -> list[Color]:
    return [_PAINTS[i] for i in rng.choice(len(_PAINTS), size=count, replace=False)]


def brick(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Stud brick of 2 x 2 or 2 x 3 studs, 32-60 mm."""
    pitch = rng.uniform(0.016, 0.020)
    columns = int(rng.integers(2, 4))
    height = 1.2 * pitch * float(rng.choice([1.0, 1.6]))
    color = _paints(rng, 1)[0]
    stud = 0.31 * pitch
    parts = [box((columns * pitch, 2 * pitch, height), (0, 0, 0), color, chamfer=0.0006)]
    for i in range(columns):
        for j in range(2):
            at = ((i - (columns - 1) / 2) * pitch, (j - 0.5) * pitch, 0)
            span = (0.4 * height, height / 2 + 0.22 * pitch)
            parts.append(frustum((stud, stud), span, color, center=at, sides=12))
    return parts, _PLASTIC_KG_M3


def animal(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Block animal standing on four legs, looking along x, 70-120 mm long."""
    length = rng.uniform(0.06, 0.085)
    width = rng.uniform(0.028, 0.038)
    height = rng.uniform(0.026, 0.036)
    leg = rng.uniform(0.022, 0.034)
    body, accent = _paints(rng, 2)
    head = rng.uniform(0.8, 1.0) * width
    neck = rng.uniform(0.0, 0.3) * head
    foot = 0.35 * width
    head_at = (length / 2 + 0.25 * head, 0, height / 2 + neck)
    parts = [
        box((length, width, height), (0, 0, 0), body, chamfer=0.004),
        box((head, head, head), head_at, body, chamfer=0.004),
        box(
            (0.5 * head, 0.6 * head, 0.4 * head),
            (head_at[0] + 0.6 * head, 0, head_at[2] - 0.2 * head),
            accent,
        ),
        box((0.03, 0.010, 0.010), (-length / 2 - 0.008, 0, 0.25 * height), accent, chamfer=0.002),
    ]
    for x in (-1, 1):
        for y in (-1, 1):
            at = (x * (length / 2 - foot / 2 - 0.002), y * (width - foot) / 2, -(height + leg) / 2 + 0.003)
            parts.append(box((foot, foot, leg + 0.006), at, body, chamfer=0.001))
    return parts, _PLASTIC_KG_M3


def toy_ring(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Stacking ring about z, 65-100 mm across, with a hole that takes a finger."""
    section = (rng.uniform(0.009, 0.012), rng.uniform(0.009, 0.012))
    return ring(rng.uniform(0.028, 0.038), section, _paints(rng, 1)[0]), _PLASTIC_KG_M3


def car(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Toy car driving along x, 75-110 mm long."""
    length = rng.uniform(0.075, 0.11)
    width = rng.uniform(0.034, 0.044)
    height = rng.uniform(0.016, 0.022)
    wheel = rng.uniform(0.010, 0.013)
    cabin = rng.uniform(0.4, 0.6) * length
    body, roof = _paints(rng, 2)
    tyre = (0.10, 0.10, 0.11)
    parts = [
        box((length, width, height), (0, 0, 0), body, chamfer=0.004),
        box((cabin, 0.85 * width, 1.2 * height), (-0.05 * length, 0, 0.8 * height), roof, chamfer=0.005),
    ]
    for x in (-0.3, 0.3):
        for side in (-1, 1):
            rim = side * width / 2
            span = (min(rim - side * 0.004, rim + side * 0.004), max(rim - side * 0.004, rim + side * 0.004))
            at = (x * length, 0, -0.45 * height)
            parts.append(frustum((wheel, wheel), span, tyre, center=at, axis=1, sides=16))
    return parts, _PLASTIC_KG_M3


def arch(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Building block with a round gateway through it along y, 70-100 mm long, 35-52 mm high."""
    length = rng.uniform(0.07, 0.10)
    gate = rng.uniform(0.25, 0.33) * length  # radius
    top = gate + rng.uniform(0.012, 0.020)
    depth = rng.uniform(0.022, 0.034)
    color = _paints(rng, 1)[0]
    # From one pillar to the other, below the upper edge and outside of the half circle.
    angle = np.linspace(0, np.pi, 9)
    inner = gate * np.column_stack([np.cos(angle), np.sin(angle)])
    outer = np.column_stack([inner[:, 0], np.full(len(angle), top)])
    spans = [np.array([inner[k], inner[k + 1], outer[k], outer[k + 1]]) for k in range(len(angle) - 1)]
    pillars = [
        side * np.array([[gate, 0], [length / 2, 0], [gate, top * side], [length / 2, top * side]])
        for side in (-1, 1)
    ]
    return [
        hull([(x, y, z) for x, z in outline for y in (-depth / 2, depth / 2)], color)
        for outline in (*pillars, *spans)
    ], _PLASTIC_KG_M3
