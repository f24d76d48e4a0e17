# SPDX-License-Identifier: Apache-2.0
"""A rigid object made of coloured convex parts, with the mass properties that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import trimesh

__all__ = ["Color", "ConvexPart", "ProceduralObject", "assemble"]

Color = tuple[float, float, float]  # red, green, blue in [0, 1]
_SLIVER_SHARE = 1e-6  # of the volume


@dataclass(frozen=True, eq=False)
class ConvexPart:
    """One convex solid: closed mesh in metres in the object's frame, and its colour."""

    mesh: trimesh.Trimesh
    color: Color


@dataclass(frozen=True, eq=False)
class ProceduralObject:
    """A rigid object: what a camera sees, what physics touches, what a label is computed on.

    The origin is the centre of mass; the axes are those in which the family was drawn (z up when the object
    stands). `mesh` is the watertight union of `parts`, so sight and touch agree exactly; only for a user's
    mesh that `mesh_color` is set for, the parts are an approximation and cameras look at `mesh`.
    """

    name: str
    family: str
    category: str
    mesh: trimesh.Trimesh
    parts: tuple[ConvexPart, ...]
    mass_kg: float
    inertia_kg_m2: npt.NDArray[np.float64]  # (3, 3) about the centre of mass
    size_m: npt.NDArray[np.float64]  # (3,) axis-aligned extents in the object's frame
    mesh_color: Color | None = None

    @property
    def convex_parts(self) -> tuple[trimesh.Trimesh, ...]:
        """The parts' meshes, for a physics engine."""
        return tuple(part.mesh for part in self.parts)

    @property
    def surfaces(self) -> tuple[tuple[trimesh.Trimesh, Color], ...]:
        """What a camera sees: closed meshes, each with its colour."""
        if self.mesh_color is not None:
            return ((self.mesh, self.mesh_color),)
        return tuple((part.mesh, part.color) for part in self.parts)

    @property
    def face_colors(self) -> npt.NDArray[np.float64]:
        """(F, 3) colour of each face of `mesh`: that of the part on whose surface the face lies."""
        if self.mesh_color is not None:
            return np.tile(np.array(self.mesh_color, dtype=np.float64), (len(self.mesh.faces), 1))
        centers = self.mesh.triangles_center
        # Distance to a convex part's surface: its planes at their largest, zero for a face that is its own.
        outside = np.stack(
            [
                np.abs(np.max(centers @ normals.T - np.einsum("fi,fi->f", normals, origins), axis=1))
                for normals, origins in (
                    (part.mesh.face_normals, part.mesh.triangles[:, 0]) for part in self.parts
                )
            ]
        )
        colors = np.array([part.color for part in self.parts], dtype=np.float64)
        return np.asarray(colors[outside.argmin(axis=0)], dtype=np.float64)

    @property
    def center_of_mass_m(self) -> npt.NDArray[np.float64]:
        """(3,) centre of mass in the object's frame: its origin, by construction."""
        return np.zeros(3)

    @property
    def color(self) -> Color:
        """The colour of the part of largest volume."""
        return max(self.parts, key=lambda part: float(part.mesh.volume)).color


def assemble(
    name: str, family: str, category: str, parts: Sequence[ConvexPart], density_kg_m3: float
) -> ProceduralObject:
    """Unite the parts of one object of uniform density and put its origin at the centre of mass.

    Raises:
        ValueError: a part is not convex, or the union is not one watertight body.
    """
    for index, part in enumerate(parts):
        if not part.mesh.is_convex:
            raise ValueError(f"{name}: part {index} is not convex: build it as a hull, or split it")
    union = _without_slivers(trimesh.boolean.union([part.mesh for part in parts], engine="manifold"))
    if not union.is_watertight or union.body_count != 1:
        raise ValueError(
            f"{name}: the union of its {len(parts)} parts has {union.body_count} bodies and "
            f"watertight={union.is_watertight}: the parts must overlap or share faces"
        )
    union.density = density_kg_m3
    center = np.asarray(union.center_mass, dtype=np.float64)
    inertia = np.asarray(union.moment_inertia, dtype=np.float64)  # already about the centre of mass
    union.apply_translation(-center)
    moved = tuple(ConvexPart(part.mesh.copy().apply_translation(-center), part.color) for part in parts)
    return ProceduralObject(
        name=name,
        family=family,
        category=category,
        mesh=union,
        parts=moved,
        mass_kg=float(union.mass),
        inertia_kg_m2=inertia,
        size_m=np.asarray(union.extents, dtype=np.float64),
    )


def _without_slivers(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """Leave out the specks and bubbles that rounding makes where faces of parts nearly coincide."""
    if mesh.body_count == 1:
        return mesh
    bodies = mesh.split(only_watertight=False)
    kept = [body for body in bodies if abs(body.volume) > _SLIVER_SHARE * mesh.volume]
    return trimesh.util.concatenate(kept)
