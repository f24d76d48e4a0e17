# SPDX-License-Identifier: Apache-2.0
"""Infrared images of a scene under room light and a dot projector: what a stereo camera's chip matches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from anygrasp_perception.arrays import Float32Array, Float64Array, Uint8Array
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.se3 import inverse
from anygrasp_training.sensors.dot_pattern import DotPattern
from anygrasp_training.sensors.pixel_rays import pixel_rays

if TYPE_CHECKING:
    from anygrasp_training.sensors.ray_scene import RayHits, RayScene

__all__ = ["InfraredConfig", "render_infrared"]

_GREY_LEVEL = 150.0  # of light 1 at gain 1


@dataclass(frozen=True)
class InfraredConfig:
    """Light, lens and imager."""

    ambient: float = 0.3  # room light on a white surface, against a dot's peak at 0.5 m
    light_directions: tuple[tuple[float, float, float], ...] = (  # scene frame, towards the light
        (0.3, 0.2, 0.93),
        (-0.4, 0.3, 0.87),
        (0.1, -0.5, 0.86),
    )
    speckle: float = 0.3  # contrast of laser light on rough surfaces, different in either image
    exposure: float = 90.0  # mean grey level that auto-exposure aims at
    max_gain: float = 12.0  # of the light at gain 1, where a dot's peak on white at 0.5 m reaches 150
    read_noise: float = 0.6  # grey levels at gain 1
    shot_noise: float = 0.04  # variance a grey level at gain 1
    blur_px: float = 0.6  # lens, Gaussian sigma
    vignetting: float = 0.35  # loss of light in the corners

    def __post_init__(self) -> None:
        for name in ("ambient", "speckle", "read_noise", "shot_noise", "blur_px"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must not be negative")
        if not 0 < self.exposure < 255 or not 0 <= self.vignetting < 1:
            raise ValueError(
                f"exposure {self.exposure} must be in (0, 255) and vignetting {self.vignetting} in [0, 1)"
            )


def render_infrared(
    scene: RayScene,
    T_scene_imager: Float64Array,
    T_scene_projector: Float64Array,
    intrinsics: CameraIntrinsics,
    pattern: DotPattern,
    config: InfraredConfig,
    rng: np.random.Generator,
) -> Uint8Array:
    """Image (H, W) of one imager; poses are (4, 4) of frames with z forward."""
    directions = pixel_rays(intrinsics, T_scene_imager)
    hits = scene.cast(T_scene_imager[:3, 3], directions)
    dots = _projected(scene, hits, directions, T_scene_projector, pattern)
    grain = 1 + config.speckle * rng.standard_normal(dots.shape, dtype=np.float32)
    light = _ambient(hits, directions, config) + dots * np.maximum(grain, 0)
    light = cv2.GaussianBlur(light, (0, 0), config.blur_px) if config.blur_px > 0 else light
    light *= _vignette(intrinsics, config.vignetting)
    grey = _GREY_LEVEL * light
    gain = min(config.exposure / max(float(grey.mean()), 1e-9), config.max_gain)
    grey *= gain
    spread = np.sqrt((gain * config.read_noise) ** 2 + gain * config.shot_noise * grey)
    grey = grey + spread * rng.standard_normal(grey.shape, dtype=np.float32)
    return np.asarray(np.clip(np.round(grey), 0, 255), dtype=np.uint8)


def _ambient(hits: RayHits, directions: Float32Array, config: InfraredConfig) -> Float32Array:
    total = 0.5 * hits.albedo  # light from everywhere
    for light in config.light_directions:
        towards = np.asarray(light, dtype=np.float32) / np.linalg.norm(light)
        lambert = np.maximum(hits.normals @ towards, 0)
        half_way = towards - directions
        half_way /= np.linalg.norm(half_way, axis=-1, keepdims=True)
        gloss = np.maximum(np.sum(hits.normals * half_way, axis=-1), 0) ** hits.shininess
        # A sharper highlight of the same energy is brighter (normalised Blinn-Phong).
        total += (
            hits.albedo * lambert + hits.specular * (hits.shininess + 8) / 8 * gloss * (lambert > 0)
        ) / 3
    return np.asarray(config.ambient * total, dtype=np.float32)


def _projected(
    scene: RayScene,
    hits: RayHits,
    directions: Float32Array,
    T_scene_projector: Float64Array,
    pattern: DotPattern,
) -> Float32Array:
    T_projector_scene = inverse(T_scene_projector).astype(np.float32)
    local = hits.points @ T_projector_scene[:3, :3].T + T_projector_scene[:3, 3]
    z = np.where(local[..., 2] > 0.01, local[..., 2], np.float32(np.inf))
    tangents = (local[..., :2] / z[..., None]).astype(np.float32)
    brightness = pattern.illumination(tangents[..., 0], tangents[..., 1])
    towards = T_scene_projector[:3, 3].astype(np.float32) - hits.points
    squared = np.sum(towards**2, axis=-1)
    towards /= np.sqrt(squared)[..., None]
    lambert = np.maximum(np.sum(hits.normals * towards, axis=-1), 0)
    half_way = towards - directions
    half_way /= np.linalg.norm(half_way, axis=-1, keepdims=True)
    gloss = np.maximum(np.sum(hits.normals * half_way, axis=-1), 0) ** hits.shininess
    answer = hits.albedo * lambert + hits.specular * (hits.shininess + 8) / 8 * gloss
    lit = scene.sees(T_scene_projector[:3, 3], hits.points)
    power = 0.25 / np.maximum(squared, 0.01)  # 1 at half a metre
    return np.where(lit, answer * brightness * power, 0).astype(np.float32)


def _vignette(intrinsics: CameraIntrinsics, loss: float) -> Float32Array:
    x = (np.arange(intrinsics.width) - intrinsics.cx) / intrinsics.cx
    y = (np.arange(intrinsics.height) - intrinsics.cy) / intrinsics.cy
    return np.asarray(1 - loss * (x[None, :] ** 2 + y[:, None] ** 2) / 2, dtype=np.float32)
