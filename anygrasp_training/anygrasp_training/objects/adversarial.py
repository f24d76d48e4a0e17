# SPDX-License-Identifier: Apache-2.0
"""Adversarial: smooth, complex bodies after the paper's 3D-printed set (VI-A, Fig. 8; EGAD and Dex-Net).

Few of their surfaces have a parallel one opposite, which is what a parallel gripper looks for.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from anygrasp_training.objects.procedural_object import Color, ConvexPart
from anygrasp_training.objects.shapes import capsule, ellipsoid, hull, loft, superquadric

__all__ = ["blend", "gourd", "horn", "oloid", "spiral", "star", "twist"]

_FILAMENTS: tuple[Color, ...] = (
    (0.86, 0.87, 0.88),
    (0.93, 0.45, 0.15),
    (0.20, 0.55, 0.75),
    (0.55, 0.72, 0.25),
    (0.72, 0.25, 0.42),
    (0.45, 0.42, 0.62),
)
_PRINTED_KG_M3 = 500.0  # poly-lactic acid, printed with a third of infill
_AROUND = 32  # points of an outline


def _filament(rng: np.random.Generator) -> Color:
    return _FILAMENTS[rng.integers(len(_FILAMENTS))]


def _angles() -> npt.NDArray[np.float64]:
    return np.arange(_AROUND) * 2 * np.pi / _AROUND


def twist(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Column about z with two to four soft edges that turn as they rise, 60-110 mm high."""
    edges = int(rng.integers(2, 5))
    softness = 0.9 / (edges**2 - 1)  # beyond 1 / (n^2 - 1) the outline 1 + e cos(n a) is no longer convex
    radius = rng.uniform(0.022, 0.034)
    height = rng.uniform(0.06, 0.11)
    turn = rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 1.2)
    waist = rng.uniform(-0.25, 0.3)
    angle = _angles()
    outline = radius * (1 + softness * np.cos(edges * angle))
    sections = []
    for s in np.linspace(0, 1, 13):
        at = angle + turn * s
        scale = 1 - waist * np.sin(np.pi * s)
        sections.append(
            np.column_stack(
                [scale * outline * np.cos(at), scale * outline * np.sin(at), np.full(_AROUND, height * s)]
            )
        )
    return loft(sections, [_filament(rng)]), _PRINTED_KG_M3


def gourd(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Revolved solid of two bulges and a waist on a leaning axis, 75-125 mm high."""
    height = rng.uniform(0.07, 0.12)
    bulges = rng.uniform(0.021, 0.032, size=2)
    waist = rng.uniform(0.5, 0.8) * bulges.min()
    lean = rng.uniform(-0.012, 0.012, size=2)
    phase = rng.uniform(0, 2 * np.pi)
    angle = _angles()
    sections = []
    for s in np.linspace(0, 1, 25):
        bulge = bulges[0] + (bulges[1] - bulges[0]) * s
        wave = waist + (bulge - waist) * (1 - np.cos(4 * np.pi * s)) / 2
        # The ends close like a sphere: the outline's wave alone would end them in a tube.
        radius = wave if 0.25 < s < 0.75 else bulge * np.sqrt(1 - (4 * min(s, 1 - s) - 1) ** 2 * 0.98)
        center = lean * np.sin(2 * np.pi * s + phase)
        sections.append(
            np.column_stack(
                [
                    center[0] + radius * np.cos(angle),
                    center[1] + radius * np.sin(angle),
                    np.full(_AROUND, height * s),
                ]
            )
        )
    return loft(sections, [_filament(rng)], steps=3), _PRINTED_KG_M3


def star(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Five to eight tapering arms in all directions about a ball, 70-115 mm across."""
    count = int(rng.integers(5, 9))
    core = rng.uniform(0.015, 0.022)
    color = _filament(rng)
    turn = Rotation.random(rng=rng)
    # Directions spread over the sphere like sunflower seeds, each shaken a little.
    z = 1 - (2 * np.arange(count) + 1) / count
    azimuth = np.arange(count) * np.pi * (3 - np.sqrt(5))
    rho = np.sqrt(1 - z**2)
    directions = np.column_stack([rho * np.cos(azimuth), rho * np.sin(azimuth), z])
    directions += rng.uniform(-0.2, 0.2, size=directions.shape)
    directions = turn.apply(directions / np.linalg.norm(directions, axis=1, keepdims=True))
    arms = [
        capsule(
            (np.zeros(3), rng.uniform(0.030, 0.050) * direction),
            (0.8 * core, rng.uniform(0.005, 0.011)),
            color,
        )
        for direction in directions
    ]
    return [ellipsoid((core,) * 3, (0, 0, 0), color), *arms], _PRINTED_KG_M3


def blend(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Four to seven soft boxes, balls and octahedra grown into each other, 60-105 mm across."""
    color = _filament(rng)
    parts = [superquadric(rng.uniform(0.018, 0.028, size=3), rng.uniform(1.6, 4.0), color)]
    for _ in range(rng.integers(3, 7)):
        direction = rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        parts.append(
            superquadric(
                rng.uniform(0.010, 0.026, size=3),
                rng.uniform(1.5, 4.0),
                color,
                center=rng.uniform(0.015, 0.030) * direction,
                rotation=Rotation.random(rng=rng).as_matrix(),
            )
        )
    return parts, _PRINTED_KG_M3


def horn(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Horn that bends and tapers in the xz plane and winds out of it, 90-160 mm along its curve."""
    length = rng.uniform(0.09, 0.16)
    bend = rng.uniform(1.2, 2.6)
    thick, thin = rng.uniform(0.015, 0.024), rng.uniform(0.004, 0.008)
    rise = rng.uniform(-0.02, 0.02)
    flat = rng.uniform(0.7, 1.0)
    arc = length / bend
    angle = _angles()
    sections = []
    for s in np.linspace(0, 1, 13):
        radius = thick + (thin - thick) * s**1.2
        a = bend * s
        out, up = np.array([np.cos(a), 0, np.sin(a)]), np.array([0.0, 1.0, 0.0])
        center = arc * out + rise * s**2 * up
        ellipse = radius * np.cos(angle)[:, None] * out + flat * radius * np.sin(angle)[:, None] * up
        sections.append(center + ellipse)
    return loft(sections, [_filament(rng)]), _PRINTED_KG_M3


def oloid(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Hull of two crossing circles, which rolls on its whole surface, 70-115 mm long."""
    radii = rng.uniform(0.022, 0.034, size=2)
    apart = rng.uniform(0.8, 1.3) * radii.mean()
    angle = np.arange(2 * _AROUND) * np.pi / _AROUND
    lying = radii[0] * np.column_stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)])
    standing = radii[1] * np.column_stack([np.cos(angle), np.zeros_like(angle), np.sin(angle)])
    return [hull(np.concatenate([lying, standing + np.array([apart, 0, 0])]), _filament(rng))], _PRINTED_KG_M3


def spiral(rng: np.random.Generator) -> tuple[list[ConvexPart], float]:
    """Three round lobes wound about z, drawn in towards both ends, 60-110 mm high."""
    height = rng.uniform(0.06, 0.11)
    lobe = rng.uniform(0.014, 0.019)
    reach = rng.uniform(0.7, 1.0) * lobe  # of a lobe's centre from the axis
    turn = rng.choice([-1.0, 1.0]) * rng.uniform(0.8, 1.6)
    color = _filament(rng)
    angle = _angles()
    circle = lobe * np.column_stack([np.cos(angle), np.sin(angle)])
    parts: list[ConvexPart] = []
    for phase in np.arange(3) * 2 * np.pi / 3:
        sections = []
        for s in np.linspace(0, 1, 13):
            at = phase + turn * s
            swell = 0.55 + 0.45 * np.sin(np.pi * s)
            xy = swell * (circle + reach * np.array([np.cos(at), np.sin(at)]))
            sections.append(np.column_stack([xy, np.full(_AROUND, height * s)]))
        parts += loft(sections, [color], steps=3)
    return parts, _PRINTED_KG_M3
