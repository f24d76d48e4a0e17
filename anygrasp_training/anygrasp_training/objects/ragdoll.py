# SPDX-License-Identifier: Apache-2.0
"""Ragdolls: plush animals of ellipsoids (rigid here: soft bodies would cost more than they teach)."""

from __future__ import annotations

import numpy as np

from anygrasp_training.objects.procedural_object import Color, ConvexPart
from anygrasp_training.objects.shapes import capsule, ellipsoid

__all__ = ["plush_bear", "plush_octopus", "plush_snake", "plush_turtle", "plush_whale"]

_FABRICS: tuple[tuple[Color, Color], ...] = (  # body and accent
    ((0.55, 0.36, 0.22), (0.86, 0.72, 0.55)),
    ((0.87, 0.55, 0.65), (0.97, 0.86, 0.88)),
    ((0.35, 0.55, 0.75), (0.88, 0.92, 0.95)),
    ((0.45, 0.65, 0.40), (0.93, 0.90, 0.60)),
)
_STUFFING_KG_M3 = 220.0


def _fabric(rng: np.random.Generator) -> tuple[Color, Color]:
    return _FABRICS[rng.integers(len(_FABRICS))]


def plush_bear(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Sitting bear facing x, 110-150 mm high."""
    s = rng.uniform(0.85, 1.15)
    girth = rng.uniform(0.9, 1.1)
    body, accent = _fabric(rng)
    head = 0.068 * s
    parts = [
        ellipsoid((0.026 * s * girth, 0.030 * s * girth, 0.038 * s), (0, 0, 0), body),
        ellipsoid((0.025 * s, 0.028 * s, 0.026 * s), (0.004 * s, 0, 0.055 * s), body),
        ellipsoid((0.014 * s, 0.013 * s, 0.011 * s), (0.026 * s, 0, 0.050 * s), accent),
    ]
    for side in (-1, 1):
        parts += [
            ellipsoid((0.007 * s, 0.011 * s, 0.011 * s), (0, side * 0.022 * s, head + 0.009 * s), accent),
            ellipsoid((0.028 * s, 0.012 * s, 0.012 * s), (0.020 * s, side * 0.031 * s, 0.012 * s), body),
            ellipsoid((0.034 * s, 0.014 * s, 0.014 * s), (0.030 * s, side * 0.022 * s, -0.026 * s), body),
        ]
    return parts, _STUFFING_KG_M3


def plush_whale(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Whale swimming along x, 120-165 mm long."""
    s = rng.uniform(0.85, 1.15)
    height = rng.uniform(0.85, 1.1)
    body, accent = _fabric(rng)
    parts = [
        ellipsoid((0.055 * s, 0.032 * s, 0.030 * s * height), (0, 0, 0), body),
        ellipsoid((0.045 * s, 0.027 * s, 0.020 * s), (0.006 * s, 0, -0.013 * s * height), accent),
        ellipsoid((0.034 * s, 0.013 * s, 0.012 * s), (-0.055 * s, 0, 0.010 * s), body),
    ]
    for side in (-1, 1):
        parts += [
            ellipsoid((0.016 * s, 0.022 * s, 0.008 * s), (-0.085 * s, side * 0.017 * s, 0.016 * s), body),
            ellipsoid((0.014 * s, 0.020 * s, 0.007 * s), (0.010 * s, side * 0.036 * s, -0.010 * s), body),
        ]
    return parts, _STUFFING_KG_M3


def plush_snake(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Snake lying in a bend in the xy plane, 120-160 mm along its curve."""
    body, accent = _fabric(rng)
    radius = rng.uniform(0.014, 0.019)
    step = 1.35 * radius
    heading = rng.uniform(-0.6, 0.6)
    turn = rng.choice([-1.0, 1.0]) * rng.uniform(0.2, 0.5)
    at = np.zeros(3)
    parts = [ellipsoid((1.35 * radius, 1.35 * radius, 1.1 * radius), at, accent)]
    for k in range(6):
        heading += turn if k < 3 else -turn
        at = at + step * np.array([np.cos(heading), np.sin(heading), 0])
        taper = 1 - 0.05 * k
        parts.append(
            ellipsoid((1.25 * radius * taper,) * 2 + (radius * taper,), at, body if k % 2 else accent)
        )
    return parts, _STUFFING_KG_M3


def plush_octopus(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Octopus on its eight arms, 88-128 mm across."""
    s = rng.uniform(0.85, 1.15)
    body, accent = _fabric(rng)
    spread = rng.uniform(0.040, 0.048) * s
    parts = [ellipsoid((0.031 * s, 0.031 * s, 0.036 * s), (0, 0, 0.030 * s), body)]
    for k in range(8):
        a = (k + rng.uniform(-0.2, 0.2)) * np.pi / 4
        way = np.array([np.cos(a), np.sin(a), 0.0])
        parts.append(
            capsule((0.012 * s * way, spread * way), (0.013 * s, 0.008 * s), accent if k % 2 else body)
        )
    return parts, _STUFFING_KG_M3


def plush_turtle(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Turtle crawling along x, 105-146 mm long."""
    s = rng.uniform(0.85, 1.15)
    height = rng.uniform(0.8, 1.1)
    body, accent = _fabric(rng)
    parts = [
        ellipsoid((0.040 * s, 0.033 * s, 0.022 * s * height), (0, 0, 0.006 * s), body),
        ellipsoid((0.038 * s, 0.031 * s, 0.012 * s), (0, 0, -0.004 * s), accent),
        ellipsoid((0.019 * s, 0.015 * s, 0.014 * s), (0.050 * s, 0, 0.006 * s), accent),
        ellipsoid((0.014 * s, 0.005 * s, 0.005 * s), (-0.044 * s, 0, -0.004 * s), accent),
    ]
    for x in (-1, 1):
        for y in (-1, 1):
            ends = ((0.020 * s * x, 0.018 * s * y, -0.006 * s), (0.034 * s * x, 0.036 * s * y, -0.010 * s))
            parts.append(capsule(ends, (0.010 * s, 0.008 * s), accent))
    return parts, _STUFFING_KG_M3
