# SPDX-License-Identifier: Apache-2.0
"""Objects from the user's own meshes: OBJ, STL and PLY files, closed and in metres."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

import numpy as np
import trimesh

from anygrasp_training.labels.mesh_checks import MAX_EXTENT_M, check_mesh
from anygrasp_training.objects.procedural_object import Color, ConvexPart, ProceduralObject, assemble

__all__ = ["MESH_SUFFIXES", "MeshFileError", "load_mesh_folder", "load_mesh_object", "mesh_files"]

MESH_SUFFIXES = (".obj", ".ply", ".stl")
_MIN_EXTENT_M = 0.005
_MAX_PARTS = 12
_MAX_HULL_EXCESS = 0.10  # of the volume: what a hull may fill before touch differs from sight
_GREY: Color = (0.6, 0.6, 0.6)


class MeshFileError(ValueError):
    """A mesh file that no object can be made of; the message names the file and the fix."""


def load_mesh_folder(
    folder: Path, *, scale: float = 1.0, density_kg_m3: float = 600.0
) -> list[ProceduralObject]:
    """Load all OBJ, STL and PLY files of a folder, by name, as objects of category `mesh`.

    `scale` turns the files' unit into metres; see `load_mesh_object`.

    Raises:
        MeshFileError: no folder, no mesh in it, or one that cannot be used.
    """
    return [load_mesh_object(path, scale=scale, density_kg_m3=density_kg_m3) for path in mesh_files(folder)]


def mesh_files(folder: Path) -> list[Path]:
    """The OBJ, STL and PLY files of a folder, by name.

    Raises:
        MeshFileError: no folder, or no mesh in it.
    """
    if not folder.is_dir():
        raise MeshFileError(f"{folder} is not a folder; give one with {', '.join(MESH_SUFFIXES)} files")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in MESH_SUFFIXES)
    if not files:
        raise MeshFileError(f"{folder} holds no mesh; put {', '.join(MESH_SUFFIXES)} files into it")
    return files


def load_mesh_object(
    path: Path,
    *,
    scale: float = 1.0,
    density_kg_m3: float = 600.0,
    color: Color | None = None,
    part_padding_m: float = 0.0,
) -> ProceduralObject:
    """Load one closed mesh as an object of uniform density, named after the file.

    A mesh of convex bodies becomes their union; `part_padding_m` makes them thicker, to close the gaps that
    a convex decomposition leaves. Any other is cut into convex parts by `coacd` if that is installed;
    without it, its hull is its only part, if it is nearly convex. `color` defaults to the file's.

    Raises:
        MeshFileError: unreadable, empty, not in metres, not watertight, or concave without `coacd`.
        ValueError: `scale` or density is not positive.
    """
    if scale <= 0 or density_kg_m3 <= 0:
        raise ValueError(f"scale {scale} and density {density_kg_m3} kg/m^3 must both be positive")
    mesh = _read(path)
    mesh.apply_scale(scale)
    _check(mesh, path)
    paint = color or _main_color(mesh)
    bodies = mesh.split(only_watertight=False)
    if not all(body.is_convex and body.volume > 0 for body in bodies):
        return _with_approximate_parts(path, _united(path, mesh, bodies), paint, density_kg_m3)
    parts = [ConvexPart(_padded(body, part_padding_m), paint) for body in bodies]
    try:
        return assemble(path.stem, path.stem, "mesh", parts, density_kg_m3)
    except ValueError as error:
        raise MeshFileError(f"{path}: {error}; a larger part_padding_m closes gaps") from error


def _read(path: Path) -> trimesh.Trimesh:
    try:
        mesh = trimesh.load(path, force="mesh")
    except Exception as error:  # trimesh raises whatever its parsers stumble over
        raise MeshFileError(f"{path} cannot be read as a mesh ({error}); export it again") from error
    if len(mesh.faces) == 0:
        raise MeshFileError(f"{path} holds no triangles; export it again as a triangle mesh")
    # STL knows no shared vertices and OBJ splits them at texture seams: the surface would be open there.
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    return mesh


def _check(mesh: trimesh.Trimesh, path: Path) -> None:
    extent = float(np.ptp(mesh.vertices, axis=0).max())
    if extent > MAX_EXTENT_M:
        raise MeshFileError(
            f"{path} measures {extent:.4g} m, limit {MAX_EXTENT_M:g} m: it is likely in millimetres; "
            f"load it with scale=0.001"
        )
    if extent < _MIN_EXTENT_M:
        raise MeshFileError(
            f"{path} measures {extent:.4g} m, at least {_MIN_EXTENT_M:g} m is needed: it is likely not in "
            f"metres; load it with the scale that makes it so"
        )
    try:
        check_mesh(mesh, str(path))
    except ValueError as error:
        raise MeshFileError(str(error)) from error


def _main_color(mesh: trimesh.Trimesh) -> Color:
    if mesh.visual.kind not in ("vertex", "face"):
        return _GREY
    red, green, blue = (float(channel) / 255 for channel in mesh.visual.main_color[:3])
    return (red, green, blue)


def _united(path: Path, mesh: trimesh.Trimesh, bodies: list[trimesh.Trimesh]) -> trimesh.Trimesh:
    """One surface of bodies that overlap; a mesh with a cavity, an inverted shell, stays as it is."""
    if len(bodies) == 1 or any(body.volume <= 0 for body in bodies):
        return mesh
    union = trimesh.boolean.union(bodies, engine="manifold")
    if union.body_count > 1:
        raise MeshFileError(
            f"{path} holds {union.body_count} separate bodies, an object is one; export each to its own file"
        )
    return union


def _padded(body: trimesh.Trimesh, padding_m: float) -> trimesh.Trimesh:
    hull = body.convex_hull
    return trimesh.convex.convex_hull(hull.vertices + padding_m * hull.vertex_normals) if padding_m else hull


def _with_approximate_parts(
    path: Path, mesh: trimesh.Trimesh, color: Color, density_kg_m3: float
) -> ProceduralObject:
    mesh.density = density_kg_m3
    center = np.asarray(mesh.center_mass, dtype=np.float64)
    inertia = np.asarray(mesh.moment_inertia, dtype=np.float64)
    mesh.apply_translation(-center)
    return ProceduralObject(
        name=path.stem,
        family=path.stem,
        category="mesh",
        mesh=mesh,
        parts=tuple(ConvexPart(part, color) for part in _convex_parts(path, mesh)),
        mass_kg=float(mesh.mass),
        inertia_kg_m2=inertia,
        size_m=np.asarray(mesh.extents, dtype=np.float64),
        mesh_color=color,
    )


def _convex_parts(path: Path, mesh: trimesh.Trimesh) -> list[trimesh.Trimesh]:
    hull = mesh.convex_hull
    excess = float(hull.volume / mesh.volume) - 1
    if excess <= _MAX_HULL_EXCESS:
        return [hull]
    if importlib.util.find_spec("coacd") is None:
        raise MeshFileError(
            f"{path} is concave: its hull holds {excess:.0%} more than itself, limit {_MAX_HULL_EXCESS:.0%}; "
            f"pip install coacd to cut it into convex parts, or store it as closed convex bodies in one file"
        )
    coacd = importlib.import_module("coacd")
    coacd.set_log_level("error")
    pieces = coacd.run_coacd(coacd.Mesh(mesh.vertices, mesh.faces), max_convex_hull=_MAX_PARTS, seed=0)
    return [trimesh.Trimesh(vertices, faces).convex_hull for vertices, faces in pieces]
