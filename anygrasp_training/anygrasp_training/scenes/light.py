# SPDX-License-Identifier: Apache-2.0
"""One lamp with shadows, and light from all around."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import open3d as o3d

from anygrasp_perception.arrays import Float32Array, Uint8Array

__all__ = ["Light", "draw_light"]

_SHADOW_OFFSET_M = 5e-4  # a shadow ray must not meet the surface it starts from
_SHININESS = 30.0
_GAMMA = 1 / 2.2


@dataclass(frozen=True, eq=False)
class Light:
    """A far lamp over an ambient sky; strengths in [0, 1] by colour."""

    direction: Float32Array  # (3,) unit, towards the lamp
    lamp: Float32Array  # (3,) RGB
    ambient: Float32Array  # (3,) RGB

    def shade(
        self,
        rays: o3d.t.geometry.RaycastingScene,
        points: Float32Array,
        normals: Float32Array,
        view_directions: Float32Array,
        albedo: Float32Array,
        specular: Float32Array,
    ) -> Uint8Array:
        """Return sRGB colours (N, 3) of points (N, 3) with unit normals (N, 3) that face the camera.

        `view_directions` (N, 3) run from the camera, of any length; `albedo` (N, 3) and `specular` (N,)
        are in [0, 1].
        """
        facing = np.maximum(normals @ self.direction, 0)
        shadow_rays = np.empty((len(points), 6), dtype=np.float32)
        shadow_rays[:, :3] = points + _SHADOW_OFFSET_M * normals
        shadow_rays[:, 3:] = self.direction
        lit = facing * ~rays.test_occlusions(o3d.core.Tensor.from_numpy(shadow_rays), nthreads=1).numpy()
        towards_eye = -view_directions / np.linalg.norm(view_directions, axis=1, keepdims=True)
        half = towards_eye + self.direction
        half /= np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-6)
        highlight = np.maximum(np.einsum("ni,ni->n", normals, half), 0) ** _SHININESS * specular * (lit > 0)
        # What faces up sees more of the sky than what faces down.
        sky = 0.7 + 0.3 * normals[:, 2]
        light = albedo * (sky[:, None] * self.ambient + lit[:, None] * self.lamp)
        light += highlight[:, None] * self.lamp
        encoded: Uint8Array = (255 * np.clip(light, 0, 1) ** _GAMMA).astype(np.uint8)
        return encoded


def draw_light(rng: np.random.Generator) -> Light:
    """Draw a lamp up to 60 degrees from straight above, of warm or cold colour, and the ambient light."""
    polar, azimuth = rng.uniform(0, np.pi / 3), rng.uniform(0, 2 * np.pi)
    direction = np.array([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)])
    warmth = rng.uniform(-0.12, 0.12)
    tint = np.array([1 + warmth, 1.0, 1 - warmth])
    lamp, ambient = rng.uniform(0.35, 0.75) * tint, rng.uniform(0.2, 0.45) * np.ones(3)
    return Light(direction.astype(np.float32), lamp.astype(np.float32), ambient.astype(np.float32))
