# SPDX-License-Identifier: Apache-2.0
"""A water surface in front of a time-of-flight camera: where its beams end, how long and how weakened."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from anygrasp_perception.arrays import BoolArray, Float32Array
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_training.sensors.noise_field import smooth_noise

__all__ = ["UnderWater", "WaterSurface", "look_through"]


@dataclass(frozen=True)
class WaterSurface:
    """Plane `normal . p = distance_m` in the camera's optical frame; beyond it is water."""

    normal: tuple[float, float, float] = (0.0, 0.0, 1.0)  # unit, from the camera into the water
    distance_m: float = 0.5
    refractive_index: float = 1.33
    absorption_per_m: float = 4.6  # of water at 860 nm, the wavelength of the L515
    wave_slope_rad: float = 0.02  # standard deviation of the surface's inclination
    wave_scale_m: float = 0.03  # Gaussian sigma of the waves
    glint_rad: float = 0.03  # beams this close to a mirrored return blind the receiver

    def __post_init__(self) -> None:
        length = math.sqrt(sum(value * value for value in self.normal))
        if abs(length - 1) > 1e-3 or self.normal[2] <= 0:
            raise ValueError(f"normal is {self.normal}; it must be a unit vector with positive z")
        if not self.distance_m > 0 or not self.wave_scale_m > 0:
            raise ValueError(
                f"distance_m {self.distance_m} and wave_scale_m {self.wave_scale_m} must be positive"
            )
        if not 1 <= self.refractive_index < 2:
            raise ValueError(f"refractive_index is {self.refractive_index}; it must be in [1, 2)")
        for name in ("absorption_per_m", "wave_slope_rad", "glint_rad"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must not be negative")


@dataclass(frozen=True, eq=False)
class UnderWater:
    """What a water surface does to each beam (H, W)."""

    range_m: Float32Array  # apparent distance along the unbent ray: air plus index times water; 0 nothing
    transmission: Float32Array  # share of the light left after the way there and back
    source_x: Float32Array  # pixel of the clean image that shows what the bent beam meets
    source_y: Float32Array
    glint: BoolArray  # beams the surface throws back


def look_through(
    surface: WaterSurface,
    depth_m: Float32Array,
    intrinsics: CameraIntrinsics,
    rng: np.random.Generator,
) -> UnderWater:
    """Bend the beams of a camera whose clean depth (H, W) was rendered without water.

    A beam bends at the surface, meets the scene elsewhere and takes longer in water. Where it ends is found
    by a fixed point on the depth below the surface, so surfaces steeper than the beam are approximate.
    """
    rows, columns = np.indices(depth_m.shape, dtype=np.float32)
    x = (columns - np.float32(intrinsics.cx)) / np.float32(intrinsics.fx)
    y = (rows - np.float32(intrinsics.cy)) / np.float32(intrinsics.fy)
    length = np.sqrt(x * x + y * y + 1)
    ray = np.stack([x / length, y / length, 1 / length], axis=-1)
    normal = np.asarray(surface.normal, dtype=np.float32)

    below = depth_m * (x * normal[0] + y * normal[1] + normal[2]) - np.float32(surface.distance_m)
    below = np.where(depth_m > 0, below, 0).astype(np.float32)  # how deep the scene lies, along the normal
    facing = ray @ normal
    to_surface = np.float32(surface.distance_m) / np.maximum(facing, 1e-3)
    wavy = _wavy_normals(surface, normal, depth_m.shape, intrinsics, rng)
    bent, incidence = _refract(ray, wavy, surface.refractive_index)
    sinking = np.maximum(bent @ normal, 0.1)

    depth_below, source_x, source_y = below, columns, rows
    for _ in range(3):
        way = (np.maximum(depth_below, 0) / sinking)[..., None]
        end = ray * to_surface[..., None] + bent * way
        source_x = np.float32(intrinsics.fx) * end[..., 0] / end[..., 2] + np.float32(intrinsics.cx)
        source_y = np.float32(intrinsics.fy) * end[..., 1] / end[..., 2] + np.float32(intrinsics.cy)
        depth_below = cv2.remap(below, source_x, source_y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    wet = below > 0
    in_water = np.where(wet, np.maximum(depth_below, 0) / sinking, 0)
    range_m = np.where(wet, to_surface + np.float32(surface.refractive_index) * in_water, depth_m * length)
    return UnderWater(
        range_m=np.where(depth_m > 0, range_m, 0).astype(np.float32),
        transmission=np.exp(-2 * surface.absorption_per_m * in_water).astype(np.float32),
        source_x=np.where(wet, source_x, columns).astype(np.float32),
        source_y=np.where(wet, source_y, rows).astype(np.float32),
        glint=np.asarray(wet & (incidence < surface.glint_rad)),
    )


def _wavy_normals(
    surface: WaterSurface,
    normal: Float32Array,
    shape: tuple[int, ...],
    intrinsics: CameraIntrinsics,
    rng: np.random.Generator,
) -> Float32Array:
    """Unit normals (H, W, 3) of the moving surface."""
    scale_px = surface.wave_scale_m * intrinsics.fx / surface.distance_m
    tilted = np.broadcast_to(normal, (*shape, 3)).copy()
    for axis in (0, 1):
        tilted[..., axis] += np.float32(surface.wave_slope_rad) * smooth_noise(shape, scale_px, rng)
    return np.asarray(tilted / np.linalg.norm(tilted, axis=-1, keepdims=True), dtype=np.float32)


def _refract(ray: Float32Array, normal: Float32Array, index: float) -> tuple[Float32Array, Float32Array]:
    """Directions (H, W, 3) in the water by Snell's law, and angles of incidence (H, W) in rad."""
    cosine = np.clip(np.sum(ray * normal, axis=-1), 0, 1)
    sine_bent = np.sqrt(1 - cosine**2) / np.float32(index)
    along = (np.sqrt(1 - sine_bent**2) - cosine / np.float32(index))[..., None]
    return np.asarray(ray / np.float32(index) + along * normal), np.asarray(np.arccos(cosine))
