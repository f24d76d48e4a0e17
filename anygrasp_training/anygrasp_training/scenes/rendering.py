# SPDX-License-Identifier: Apache-2.0
"""Renders scenes by ray casting: clean depth, segmentation and shaded colour, without any GL."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from anygrasp_perception.arrays import Float32Array, Float64Array, Uint8Array
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_training.scenes.appearance import FinishTable
from anygrasp_training.scenes.light import Light, draw_light
from anygrasp_training.scenes.scene import Scene
from anygrasp_training.scenes.surfaces import scene_surfaces

__all__ = ["SceneRenderer", "SceneView"]

_LOOK_STEP = 16  # pixels a ray of the quick look
_LEAST_SHARE = 0.004  # of the image: a bolt from a metre away has as much
_FREE_SIGHT_M = 0.2
_NOTHING = np.iinfo(np.uint32).max  # Open3D's id of a ray that met nothing


@dataclass(frozen=True, eq=False)
class SceneView:
    """What an ideal camera sees from one pose."""

    T_scene_camera: Float64Array  # (4, 4)
    intrinsics: CameraIntrinsics
    depth_m: Float32Array  # (H, W) along the optical axis, 0 where nothing is
    label: NDArray[np.uint16]  # (H, W) object id + 1, 0 where there is no object
    color: Uint8Array  # (H, W, 3) RGB
    infrared_albedo: Float32Array  # (H, W) in [0, 1]
    specular: Float32Array  # (H, W) in [0, 1]


class SceneRenderer:
    """One scene, ready for rays; on one thread, since generators run one process a core."""

    def __init__(self, scene: Scene, *, textured: bool = True) -> None:
        surfaces = scene_surfaces(scene, textured=textured)
        self._rays = o3d.t.geometry.RaycastingScene(nthreads=1)
        for surface in surfaces:
            self._rays.add_triangles(
                o3d.core.Tensor.from_numpy(np.ascontiguousarray(surface.mesh.vertices, dtype=np.float32)),
                o3d.core.Tensor.from_numpy(np.ascontiguousarray(surface.mesh.faces, dtype=np.uint32)),
            )
        poses = np.array([surface.T_body_scene for surface in surfaces])
        self._finishes = FinishTable([surface.finish for surface in surfaces], poses)
        self._labels = np.array([surface.label for surface in surfaces], dtype=np.uint16)
        self._light: Light = draw_light(np.random.default_rng([scene.seed, 5]))

    def render(self, T_scene_camera: Float64Array, intrinsics: CameraIntrinsics) -> SceneView:
        """Render the view from `T_scene_camera` (4, 4)."""
        rays = _pixel_rays(T_scene_camera, intrinsics)  # (H, W, 6), directions of unit depth
        hits = self._rays.cast_rays(o3d.core.Tensor.from_numpy(rays), nthreads=1)
        surface = hits["geometry_ids"].numpy()
        seen = surface != _NOTHING
        depth = np.where(seen, hits["t_hit"].numpy(), np.float32(0))
        label = np.zeros(seen.shape, dtype=np.uint16)
        color = np.full((*seen.shape, 3), 128, dtype=np.uint8)
        infrared, specular = np.zeros_like(depth), np.zeros_like(depth)
        if seen.any():
            surface = surface[seen].astype(np.intp)
            directions = rays[seen, 3:]
            points = (rays[seen, :3] + depth[seen, None] * directions).astype(np.float32, copy=False)
            normals = hits["primitive_normals"].numpy()[seen]
            normals *= -np.sign(np.einsum("ni,ni->n", normals, directions))[:, None]
            albedo, infrared[seen], shine = self._finishes.shade(surface, points)
            specular[seen] = shine
            label[seen] = self._labels[surface]
            color[seen] = self._light.shade(self._rays, points, normals, directions, albedo, shine)
        return SceneView(T_scene_camera, intrinsics, depth, label, color, infrared, specular)

    def sees_objects(self, T_scene_camera: Float64Array, intrinsics: CameraIntrinsics) -> bool:
        """Whether objects fill a fair part of the view and nothing stands right before the camera."""
        coarse = CameraIntrinsics(
            intrinsics.fx / _LOOK_STEP,
            intrinsics.fy / _LOOK_STEP,
            intrinsics.cx / _LOOK_STEP,
            intrinsics.cy / _LOOK_STEP,
            intrinsics.width // _LOOK_STEP,
            intrinsics.height // _LOOK_STEP,
        )
        hits = self._rays.cast_rays(
            o3d.core.Tensor.from_numpy(_pixel_rays(T_scene_camera, coarse)), nthreads=1
        )
        surface, depth = hits["geometry_ids"].numpy(), hits["t_hit"].numpy()
        objects = self._labels[surface[surface != _NOTHING]] > 0
        return bool(objects.sum() >= _LEAST_SHARE * surface.size and depth.min() > _FREE_SIGHT_M)


def _pixel_rays(T_scene_camera: Float64Array, intrinsics: CameraIntrinsics) -> Float32Array:
    """(H, W, 6) origins and directions; the directions' length is such that distances are depths."""
    x = (np.arange(intrinsics.width) - intrinsics.cx) / intrinsics.fx
    y = (np.arange(intrinsics.height) - intrinsics.cy) / intrinsics.fy
    rays = np.empty((intrinsics.height, intrinsics.width, 6), dtype=np.float32)
    rays[..., :3] = T_scene_camera[:3, 3]
    R = T_scene_camera[:3, :3]
    rays[..., 3:] = x[None, :, None] * R[:, 0] + y[:, None, None] * R[:, 1] + R[:, 2]
    return rays
