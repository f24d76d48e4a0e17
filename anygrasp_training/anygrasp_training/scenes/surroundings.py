# SPDX-License-Identifier: Apache-2.0
"""What stands around the objects: plates, bins, the floor, and clutter outside the workspace."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh

from anygrasp_training.scenes.table import Table

__all__ = ["Tray", "draw_clutter", "floor_mesh"]

_WALL_M = 0.008


@dataclass(frozen=True)
class Tray:
    """A floor and four walls, open on top, standing at the origin; metres."""

    inner_size_m: tuple[float, float]
    wall_height_m: float  # above the floor
    base_z_m: float  # where it stands
    floor_m: float = 0.006  # thickness

    @property
    def floor_z_m(self) -> float:
        """Height of the inner floor in the scene."""
        return self.base_z_m + self.floor_m

    def boxes(self) -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
        """Centres and full edge lengths of the floor and the four walls."""
        x, y = self.inner_size_m
        height = self.floor_m + self.wall_height_m
        middle = self.base_z_m + height / 2
        boxes: list[tuple[tuple[float, ...], tuple[float, ...]]] = [
            ((0.0, 0.0, self.base_z_m + self.floor_m / 2), (x, y, self.floor_m))
        ]
        for side in (-1, 1):
            boxes.append(((side * (x + _WALL_M) / 2, 0.0, middle), (_WALL_M, y + 2 * _WALL_M, height)))
            boxes.append(((0.0, side * (y + _WALL_M) / 2, middle), (x, _WALL_M, height)))
        return boxes

    def mesh(self) -> trimesh.Trimesh:
        """The boxes as one mesh; they touch and do not overlap."""
        parts = []
        for center, size in self.boxes():
            box = trimesh.creation.box(size)
            box.apply_translation(center)
            parts.append(box)
        return trimesh.util.concatenate(parts)


def floor_mesh(z_m: float) -> trimesh.Trimesh:
    """A large square below the table."""
    x = 3.0
    corners = [(-x, -x, z_m), (x, -x, z_m), (x, x, z_m), (-x, x, z_m)]
    return trimesh.Trimesh(corners, [(0, 1, 2), (0, 2, 3)], process=False)


def draw_clutter(
    rng: np.random.Generator, clear_radius_m: float, table: Table, floor_z_m: float
) -> list[trimesh.Trimesh]:
    """Draw 0 to 6 boxes, cylinders and balls, all farther out than `clear_radius_m`.

    They stand on the table or, where it has ended, on the floor.
    """
    meshes: list[trimesh.Trimesh] = []
    for _ in range(rng.integers(0, 7)):
        size = rng.uniform(0.03, 0.25, size=3) * (1.0, 1.0, 0.8)
        shape = rng.integers(3)
        if shape == 0:
            mesh = trimesh.creation.box(size)
        elif shape == 1:
            mesh = trimesh.creation.cylinder(radius=0.35 * size[0], height=size[2], sections=32)
        else:
            mesh = trimesh.creation.icosphere(subdivisions=3, radius=0.35 * size[0])
        azimuth, turn = rng.uniform(0, 2 * np.pi, size=2)
        mesh.apply_transform(trimesh.transformations.rotation_matrix(turn, (0, 0, 1)))
        reach = float(np.linalg.norm(mesh.extents[:2]) / 2)
        distance = clear_radius_m + reach + rng.uniform(0.0, 0.3)
        place = distance * np.array([np.cos(azimuth), np.sin(azimuth)])
        on_table = bool(((place > table.lower_xy) & (place < table.upper_xy)).all())
        stand_z = float(table.heights.min()) if on_table else floor_z_m
        mesh.apply_translation((*place, stand_z - mesh.bounds[0, 2]))
        meshes.append(mesh)
    return meshes
