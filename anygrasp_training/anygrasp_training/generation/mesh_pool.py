# SPDX-License-Identifier: Apache-2.0
"""The user's meshes as objects of the pool: which can be used, and how they are kept in the dataset."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from anygrasp_training.dataset.files import read_arrays, read_json, write_arrays
from anygrasp_training.dataset.layout import DatasetLayout
from anygrasp_training.objects import ConvexPart, ProceduralObject
from anygrasp_training.objects.mesh_folder import MeshFileError, load_mesh_object, mesh_files

__all__ = ["MeshFile", "load_kept_mesh", "mesh_facts", "usable_meshes", "write_parts"]

_MAX_SIZE_M = 0.40  # scenes are 0.48 m wide; the paper's objects reach 0.36 m


@dataclass(frozen=True)
class MeshFile:
    """One mesh of the user, by its content: a file that changes is another object."""

    path: Path
    sha256: str
    scale: float  # turns the file's unit into metres
    density_kg_m3: float

    def load(self) -> ProceduralObject:
        """Load it as an object.

        Raises:
            MeshFileError: the file cannot be used, or is not the one it was.
        """
        if _digest(self.path) != self.sha256:
            raise MeshFileError(f"{self.path} changed while it was used; keep it until all objects are made")
        return _load(self.path, self.scale, self.density_kg_m3)


def usable_meshes(
    folder: Path, scale: float = 1.0, density_kg_m3: float = 600.0
) -> tuple[tuple[MeshFile, ...], list[str]]:
    """Return the meshes of a folder that objects can be made of, by name, and why each other one cannot.

    Raises:
        MeshFileError: no folder, no mesh in it, or none that can be used.
        ValueError: `scale` or density is not positive.
    """
    usable, refused = [], []
    for path in mesh_files(folder):
        try:
            _load(path, scale, density_kg_m3)
            usable.append(MeshFile(path.resolve(), _digest(path), scale, density_kg_m3))
        except MeshFileError as error:
            refused.append(str(error))
    if not usable:
        raise MeshFileError(
            "\n".join([f"none of the {len(refused)} meshes in {folder} can be used:", *refused])
        )
    return tuple(usable), refused


def mesh_facts(file: MeshFile, body: ProceduralObject) -> dict[str, Any]:
    """What `load_kept_mesh` needs besides the files of surface and parts, and where the mesh came from."""
    return {
        "source": {"file": file.path.name, "sha256": file.sha256, "scale": file.scale},
        "inertia_kg_m2": body.inertia_kg_m2.tolist(),
        "part_colors": [list(part.color) for part in body.parts],
        "mesh_color": None if body.mesh_color is None else list(body.mesh_color),
    }


def write_parts(path: Path, body: ProceduralObject) -> None:
    """Keep the convex parts: cutting a concave mesh into them takes too long to do it in every scene."""
    arrays = {}
    for index, part in enumerate(body.parts):
        arrays[f"vertices_{index}"] = part.mesh.vertices
        arrays[f"faces_{index}"] = part.mesh.faces
    write_arrays(path, arrays)


def load_kept_mesh(layout: DatasetLayout, object_id: int) -> ProceduralObject:
    """Read an object that was made of a user's mesh back from the dataset; the user's file is not needed."""
    facts = read_json(layout.object_info(object_id))
    arrays = read_arrays(layout.parts(object_id))
    colors = [_color(color) for color in facts["part_colors"]]
    parts = tuple(
        ConvexPart(
            trimesh.Trimesh(arrays[f"vertices_{index}"], arrays[f"faces_{index}"], process=False), color
        )
        for index, color in enumerate(colors)
    )
    return ProceduralObject(
        name=facts["name"],
        family=facts["family"],
        category=facts["category"],
        mesh=trimesh.load_mesh(layout.mesh(object_id), process=False),
        parts=parts,
        mass_kg=facts["mass_kg"],
        inertia_kg_m2=np.array(facts["inertia_kg_m2"]),
        size_m=np.array(facts["size_m"]),
        mesh_color=None if facts["mesh_color"] is None else _color(facts["mesh_color"]),
    )


def _load(path: Path, scale: float, density_kg_m3: float) -> ProceduralObject:
    body = load_mesh_object(path, scale=scale, density_kg_m3=density_kg_m3)
    size_m = float(body.size_m.max())
    if size_m > _MAX_SIZE_M:
        raise MeshFileError(
            f"{path} measures {size_m:.3g} m, limit {_MAX_SIZE_M:g} m: scenes have no room for it; "
            f"check its unit, or give a smaller scale"
        )
    return body


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise MeshFileError(f"{path} cannot be read ({error.strerror}); put it back") from error


def _color(values: list[float]) -> tuple[float, float, float]:
    red, green, blue = values
    return (red, green, blue)
