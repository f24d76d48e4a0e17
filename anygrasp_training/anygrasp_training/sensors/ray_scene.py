# SPDX-License-Identifier: Apache-2.0
"""Triangle meshes with infrared materials, hit by rays: what the optical sensor models look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import open3d as o3d
import trimesh
from numpy.typing import NDArray

from anygrasp_perception.arrays import Float32Array, Float64Array, Int32Array
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_training.sensors.clean_view import CleanView
from anygrasp_training.sensors.pixel_rays import pixel_rays

__all__ = ["Material", "RayHits", "RayScene", "view_scene"]

_WAVES = 24  # cosines in a material's texture: enough to look random


@dataclass(frozen=True)
class Material:
    """How a surface answers infrared light."""

    albedo: float = 0.5  # diffuse reflectance; black plastic 0.05, paper 0.8
    texture_contrast: float = 0.15  # relative standard deviation of the albedo over the surface
    texture_scale_m: float = 0.01  # size of the texture's features
    specular: float = 0.05  # mirror-like share; metal 0.6
    shininess: float = 40.0  # exponent of the highlight

    def __post_init__(self) -> None:
        for name in ("albedo", "specular"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be in [0, 1]")
        if self.texture_contrast < 0 or not self.texture_scale_m > 0 or not self.shininess > 0:
            raise ValueError(
                f"texture_contrast {self.texture_contrast} must be >= 0, texture_scale_m "
                f"{self.texture_scale_m} and shininess {self.shininess} positive"
            )


@dataclass(frozen=True, eq=False)
class RayHits:
    """First hits of rays (...,): NaN points, zero normals and id -1 where nothing was hit."""

    distances: Float32Array  # (...) along the unit direction, m
    points: Float32Array  # (..., 3) scene frame
    normals: Float32Array  # (..., 3) towards the ray's origin
    ids: Int32Array  # (...) index of the mesh
    albedo: Float32Array  # (...) diffuse reflectance with texture
    specular: Float32Array  # (...)
    shininess: Float32Array  # (...)


class RayScene:
    """Meshes (scene frame, metres) with one material each; a seed fixes their textures."""

    def __init__(
        self, meshes: Sequence[trimesh.Trimesh], materials: Sequence[Material], seed: int = 0
    ) -> None:
        if len(meshes) != len(materials) or not meshes:
            raise ValueError(f"{len(meshes)} meshes with {len(materials)} materials: give one for each")
        self.materials = tuple(materials)
        self._scene = o3d.t.geometry.RaycastingScene(nthreads=1)
        for mesh in meshes:
            self._scene.add_triangles(
                o3d.core.Tensor.from_numpy(np.array(mesh.vertices, dtype=np.float32)),
                o3d.core.Tensor.from_numpy(np.array(mesh.faces, dtype=np.uint32)),
            )
        rng = np.random.default_rng(seed)
        directions = rng.standard_normal((len(meshes), _WAVES, 3))
        directions /= np.linalg.norm(directions, axis=2, keepdims=True)
        octaves = rng.uniform(-1.0, 1.0, (len(meshes), _WAVES, 1))
        scales = np.array([material.texture_scale_m for material in materials])[:, None, None]
        self._waves = (2 * np.pi / scales * 2.0**octaves * directions).astype(np.float32)  # (M, waves, 3)
        self._phases = rng.uniform(0, 2 * np.pi, (len(meshes), _WAVES)).astype(np.float32)

    def cast(self, origin: Float64Array, directions: NDArray[np.floating]) -> RayHits:
        """Cast rays from one `origin` (3,) along unit `directions` (..., 3), both in the scene frame."""
        rays = np.empty((*directions.shape[:-1], 6), dtype=np.float32)
        rays[..., :3] = origin
        rays[..., 3:] = directions
        answer = self._scene.cast_rays(o3d.core.Tensor.from_numpy(rays), nthreads=1)
        distances = answer["t_hit"].numpy()
        hit = np.isfinite(distances)
        ids = np.where(hit, answer["geometry_ids"].numpy().astype(np.int32), -1)
        normals = answer["primitive_normals"].numpy()
        away = np.sum(normals * rays[..., 3:], axis=-1, keepdims=True) > 0
        normals = np.where(away, -normals, normals)
        points = rays[..., :3] + np.where(hit, distances, np.nan)[..., None] * rays[..., 3:]
        albedo, specular, shininess = self._shade(points, ids)
        return RayHits(distances, points, normals, ids, albedo, specular, shininess)

    def sees(self, origin: Float64Array, points: Float32Array) -> NDArray[np.bool_]:
        """Whether `origin` (3,) has free sight of each of `points` (..., 3); False for NaN points."""
        offsets = points - origin.astype(np.float32)
        lengths = np.linalg.norm(offsets, axis=-1, keepdims=True)
        known = np.isfinite(lengths)
        rays = np.empty((*points.shape[:-1], 6), dtype=np.float32)
        rays[..., :3] = origin
        rays[..., 3:] = np.where(known, offsets / np.maximum(lengths, 1e-9), [0, 0, 1])
        first = self._scene.cast_rays(o3d.core.Tensor.from_numpy(rays), nthreads=1)["t_hit"].numpy()
        return np.asarray(known[..., 0] & (first > lengths[..., 0] - 1e-3))

    def _shade(
        self, points: Float32Array, ids: Int32Array
    ) -> tuple[Float32Array, Float32Array, Float32Array]:
        albedo, specular, shininess = (np.zeros(ids.shape, np.float32) for _ in range(3))
        for index, material in enumerate(self.materials):
            chosen = ids == index
            if not chosen.any():
                continue
            waves = np.cos(points[chosen] @ self._waves[index].T + self._phases[index])
            texture = waves.sum(axis=1) * np.sqrt(2.0 / _WAVES)  # unit variance
            albedo[chosen] = material.albedo * np.clip(1 + material.texture_contrast * texture, 0.05, 2.0)
            specular[chosen] = material.specular
            shininess[chosen] = material.shininess
        return np.minimum(albedo, 1.0), specular, shininess


def view_scene(scene: RayScene, T_scene_camera: Float64Array, intrinsics: CameraIntrinsics) -> CleanView:
    """Render what an ideal camera at `T_scene_camera` (4, 4) sees of a scene."""
    hits = scene.cast(T_scene_camera[:3, 3], pixel_rays(intrinsics, T_scene_camera))
    along_axis = (hits.points - T_scene_camera[:3, 3].astype(np.float32)) @ T_scene_camera[:3, 2]
    return CleanView(
        depth_m=np.where(hits.ids >= 0, along_axis, 0).astype(np.float32),
        intrinsics=intrinsics,
        albedo=hits.albedo,
        specular=hits.specular,
        scene=scene,
        T_scene_camera=T_scene_camera,
    )
