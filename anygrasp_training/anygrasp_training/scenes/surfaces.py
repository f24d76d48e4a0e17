# SPDX-License-Identifier: Apache-2.0
"""A scene taken apart into surfaces of one finish each: what cameras of all kinds look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.se3 import inverse, transform_points
from anygrasp_training.scenes.appearance import SurfaceFinish, draw_finish, plain_finish
from anygrasp_training.scenes.scene import Scene

__all__ = ["Surface", "scene_surfaces"]


@dataclass(frozen=True, eq=False)
class Surface:
    """A mesh in the scene frame, how it looks, and whose it is."""

    mesh: trimesh.Trimesh
    finish: SurfaceFinish
    T_body_scene: Float64Array  # (4, 4) into the frame that the texture is fixed to
    label: int  # object id + 1, 0 for furniture


def scene_surfaces(scene: Scene, *, textured: bool = True) -> list[Surface]:
    """Return the surfaces of all objects and all furniture; the scene's seed fixes the objects' textures."""
    rng = np.random.default_rng([scene.seed, 2])
    surfaces = []
    for item in scene.objects:
        metallic = item.body.category == "hardware"
        # The parts carry the colours; their inner faces are out of sight in each other.
        for color in dict.fromkeys(color for _, color in item.body.surfaces):
            finish = draw_finish(color, rng, metallic=metallic) if textured else plain_finish(color)
            mesh = trimesh.util.concatenate([mesh for mesh, its in item.body.surfaces if its == color])
            placed = trimesh.Trimesh(
                transform_points(item.T_scene_object, mesh.vertices), mesh.faces, process=False
            )
            surfaces.append(Surface(placed, finish, inverse(item.T_scene_object), item.object_id + 1))
    surfaces += [Surface(item.mesh, item.finish, np.eye(4), 0) for item in scene.furniture]
    return surfaces
