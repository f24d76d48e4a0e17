# SPDX-License-Identifier: Apache-2.0
"""Convex building blocks of the procedural objects, all as hulls of points, in metres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import trimesh

from anygrasp_training.objects.procedural_object import Color, ConvexPart

__all__ = [
    "box",
    "capsule",
    "ellipsoid",
    "frustum",
    "hull",
    "loft",
    "ring",
    "superellipsoid",
    "superquadric",
    "wall_ring",
]

Vector = Sequence[float] | npt.NDArray[np.float64]
_SIDES = 24  # of a round outline; a finger pad cannot tell it from a circle
_OVERLAP_RAD = 2e-3  # of neighbouring sectors, so that their union is one body and not a row of wedges

_OVERLAP_SHARE = 0.03  # of the gap behind it, by which a lofted part reaches past its last section


def hull(points: npt.ArrayLike, color: Color) -> ConvexPart:
    """Convex hull of points (N, 3)."""
    return ConvexPart(trimesh.convex.convex_hull(np.asarray(points, dtype=np.float64)), color)


def box(size: Vector, center: Vector, color: Color, *, chamfer: float = 0.0) -> ConvexPart:
    """Box of edge lengths `size` about `center` (3,), its edges cut by `chamfer`."""
    half = np.asarray(size, dtype=np.float64) / 2
    signs = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1]), axis=-1).reshape(-1, 3)
    # A chamfered corner is three points, each drawn in along the two other axes.
    offsets = (1 - np.eye(3)) * chamfer if chamfer > 0 else np.zeros((1, 3))
    points = (signs[:, None] * (half - offsets[None])).reshape(-1, 3)
    return hull(points + np.asarray(center), color)


def frustum(
    radii: tuple[float, float],
    span: tuple[float, float],
    color: Color,
    *,
    center: Vector = (0.0, 0.0, 0.0),
    axis: int = 2,
    sides: int = _SIDES,
    phase: float = 0.0,
) -> ConvexPart:
    """Round or regular-polygon solid along `axis` from span[0] to span[1] with the end radii given.

    A cylinder has two equal radii; `sides=6` makes a hexagonal prism (radii to its corners); `center` (3,) is
    added to every point.
    """
    angle = phase + np.arange(sides) * 2 * np.pi / sides
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    ends = [np.column_stack([r * circle, np.full(sides, at)]) for r, at in zip(radii, span, strict=True)]
    # (u, v, along) -> xyz, a cyclic shift so that no axis is mirrored
    return hull(np.roll(np.concatenate(ends), axis + 1, axis=1) + np.asarray(center), color)


def ellipsoid(radii: Vector, center: Vector, color: Color) -> ConvexPart:
    """Ellipsoid with semi-axes `radii` (3,)."""
    sphere = trimesh.creation.icosphere(subdivisions=2)
    return hull(sphere.vertices * np.asarray(radii) + np.asarray(center), color)


def superellipsoid(radii: Vector, exponent: float, color: Color) -> ConvexPart:
    """Pillow-like solid |x/a|^n + |y/b|^n + |z/c|^2 = 1 about the origin; n above 2 squares its outline."""
    unit = trimesh.creation.icosphere(subdivisions=3).vertices
    outline = (np.abs(unit[:, :2]) ** exponent).sum(axis=1)
    # Scale each direction out to the surface: bisection-free because both terms are monotone in the scale.
    scale = np.ones(len(unit))
    for _ in range(30):
        value = outline * scale**exponent + (unit[:, 2] * scale) ** 2
        slope = exponent * outline * scale ** (exponent - 1) + 2 * unit[:, 2] ** 2 * scale
        scale -= (value - 1) / slope
    return hull(unit * scale[:, None] * np.asarray(radii), color)


def superquadric(
    radii: Vector,
    exponent: float,
    color: Color,
    *,
    center: Vector = (0.0, 0.0, 0.0),
    rotation: npt.NDArray[np.float64] | None = None,
) -> ConvexPart:
    """Solid |x/a|^n + |y/b|^n + |z/c|^n = 1, turned by `rotation` (3, 3), moved to `center`.

    n = 2 is an ellipsoid, a large n nearly a box, n towards 1 an octahedron with soft edges; n is at least 1.
    """
    unit = trimesh.creation.icosphere(subdivisions=3).vertices
    unit = unit / (np.abs(unit) ** exponent).sum(axis=1, keepdims=True) ** (1 / exponent)
    turned = unit * np.asarray(radii) @ (np.eye(3) if rotation is None else rotation).T
    return hull(turned + np.asarray(center), color)


def capsule(ends: npt.ArrayLike, radii: tuple[float, float], color: Color) -> ConvexPart:
    """Hull of two spheres about `ends` (2, 3): a finger, an arm, a drop."""
    sphere = np.asarray(trimesh.creation.icosphere(subdivisions=2).vertices)
    points = [
        sphere * radius + center
        for center, radius in zip(np.asarray(ends, dtype=np.float64), radii, strict=True)
    ]
    return hull(np.concatenate(points), color)


def loft(sections: npt.ArrayLike, colors: Sequence[Color], *, steps: int = 1) -> list[ConvexPart]:
    """Solid through flat, convex outlines `sections` (S, N, 3), cut into the hulls of `steps` gaps each.

    `colors` take turns along it. The hull fills what is hollow within a part: where the solid has a waist,
    few steps keep it.
    """
    outlines = np.asarray(sections, dtype=np.float64)
    # A part reaches a little into the next one, narrower than it is there: leaning faces that only touch
    # unite with slivers between.
    reach = outlines[:-1] + _OVERLAP_SHARE * np.diff(outlines, axis=0)
    reach += _OVERLAP_SHARE * (reach.mean(axis=1, keepdims=True) - reach)
    starts = range(0, len(outlines) - 1, steps)
    return [
        hull(
            np.concatenate([*outlines[first : first + steps + 1], *reach[first + steps : first + steps + 1]]),
            colors[index % len(colors)],
        )
        for index, first in enumerate(starts)
    ]


def wall_ring(
    profile: Sequence[tuple[float, float, float]], color: Color, *, sectors: int = 8, outline: int = _SIDES
) -> list[ConvexPart]:
    """Hollow solid of revolution about z, cut into convex sectors.

    `profile` lists (z, inner radius, outer radius) from the bottom up. The inside of a sector is flat (a
    concave arc cannot be convex), the outside follows `outline` facets.
    """
    parts = []
    steps = outline // sectors
    for k in range(sectors):
        angle = (k + np.arange(steps + 1) / steps) * 2 * np.pi / sectors
        angle[-1] += _OVERLAP_RAD
        points = []
        for z, inner, outer in profile:
            for radius, at in ((inner, angle[[0, -1]]), (outer, angle)):
                points.append(
                    np.column_stack([radius * np.cos(at), radius * np.sin(at), np.full(len(at), z)])
                )
        parts.append(hull(np.concatenate(points), color))
    return parts


def ring(radius: float, section: tuple[float, float], color: Color, *, sectors: int = 12) -> list[ConvexPart]:
    """Flat-lying torus of mean `radius` with an octagonal section (radial, axial semi-axes), in sectors."""
    corner = np.pi / 8 + np.arange(8) * np.pi / 4
    rho = radius + section[0] * np.cos(corner)
    z = section[1] * np.sin(corner)
    turn = 2 * np.pi / sectors
    parts = []
    for k in range(sectors):
        ends = (k * turn, (k + 1) * turn + _OVERLAP_RAD)
        parts.append(
            hull(
                np.concatenate([np.column_stack([rho * np.cos(a), rho * np.sin(a), z]) for a in ends]), color
            )
        )
    return parts
