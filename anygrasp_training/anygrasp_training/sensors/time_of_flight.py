# SPDX-License-Identifier: Apache-2.0
"""Statistical model of a scanning time-of-flight camera like the L515, over land or into water."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from anygrasp_perception.arrays import BoolArray, Float32Array
from anygrasp_training.sensors.clean_view import CleanView
from anygrasp_training.sensors.noise_field import cut_noise, noise_tile, smooth_noise
from anygrasp_training.sensors.occlusion import seen_from_right
from anygrasp_training.sensors.water_surface import WaterSurface, look_through

__all__ = ["TimeOfFlight", "TimeOfFlightConfig"]


@dataclass(frozen=True)
class TimeOfFlightConfig:
    """One camera; its noise is the L515 data sheet's: 2.5 mm at 1 m, 15.5 mm at 9 m, on 95 % reflectance."""

    noise_floor_m: float = 0.0018  # standard deviation of the range, whatever the light
    noise_per_m: float = 0.0017  # more for each metre on a white surface; as 1 / sqrt(reflectance) on others
    noise_sigma_px: float = 0.6  # Gaussian sigma: little spatial correlation
    beam_sigma_px: float = 0.7  # footprint that mixes the two sides of an edge
    edge_m: float = 0.01  # range difference in the footprint from which a pixel is mixed
    flying_share: float = 0.3  # of mixed pixels that are reported, between the two surfaces
    dark_signal: float = 0.01  # reflectance x transmission / range^2 (1/m^2) at which half the pixels drop
    dark_spread: float = 0.5  # of ln(signal) around that
    specular_loss: float = 0.9  # invalid share of a mirror, by the cube of `specular` on others
    color_offset_m: float = 0.014  # colour camera left of the laser: a thin shadow left of objects
    min_range_m: float = 0.25
    max_range_m: float = 9.0
    depth_unit_m: float = 0.00025
    water: WaterSurface | None = None

    def __post_init__(self) -> None:
        for name in (
            "noise_sigma_px",
            "beam_sigma_px",
            "edge_m",
            "dark_signal",
            "dark_spread",
            "depth_unit_m",
        ):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")
        for name in ("noise_floor_m", "noise_per_m", "color_offset_m"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must not be negative")
        for name in ("flying_share", "specular_loss"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be in [0, 1]")
        if not 0 < self.min_range_m < self.max_range_m:
            raise ValueError(
                f"min_range_m {self.min_range_m} must be positive and below max_range_m {self.max_range_m}"
            )


class TimeOfFlight:
    """Applies a `TimeOfFlightConfig` to clean views; reflectances are used where the view has them."""

    def __init__(self, config: TimeOfFlightConfig) -> None:
        self.config = config

    def measure(self, view: CleanView, rng: np.random.Generator) -> Float32Array:
        """Depth (H, W) in metres, 0 invalid.

        Into water the depth is the apparent one, as the camera computes it: range of flight at the speed of
        light in air, along the ray as if it were straight.
        """
        config = self.config
        depth = np.where(view.depth_m > 0, view.depth_m, np.float32(0))  # NaN compares false
        albedo = np.full(depth.shape, 0.5, np.float32) if view.albedo is None else view.albedo
        specular = view.specular
        length = _ray_lengths(view)
        kept = depth > 0
        parallax = np.float32(view.intrinsics.fx * config.color_offset_m) / np.maximum(
            depth, np.float32(1e-2)
        )
        kept &= seen_from_right(parallax.astype(np.float32), tolerance_px=1.0, leftmost_px=-np.inf)
        transmission = np.ones_like(depth)
        ranges = depth * length
        if config.water is not None:
            seen = look_through(config.water, depth, view.intrinsics, rng)
            ranges, transmission = seen.range_m, seen.transmission
            sources = (seen.source_x, seen.source_y)
            albedo = cv2.remap(albedo, *sources, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
            if specular is not None:
                specular = cv2.remap(specular, *sources, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
            kept &= ~seen.glint
        reflectance = np.maximum(albedo * _cosine(ranges, view) * transmission, np.float32(1e-4))

        shape = (depth.shape[0], depth.shape[1])
        luck = noise_tile(shape, ((1.0, 1.0),))
        ranges, mixed = self._mixed(ranges, kept)
        kept &= ~mixed | (rng.random(shape, dtype=np.float32) < config.flying_share)
        signal = reflectance / np.square(np.maximum(ranges, np.float32(1e-2)))
        kept &= signal > config.dark_signal * cv2.exp(np.float32(config.dark_spread) * cut_noise(luck, rng))
        if specular is not None:
            kept &= rng.random(shape, dtype=np.float32) >= np.float32(config.specular_loss) * specular**3
        std = np.sqrt(config.noise_floor_m**2 + (config.noise_per_m * ranges) ** 2 * (0.95 / reflectance))
        ranges = ranges + std.astype(np.float32) * smooth_noise(shape, config.noise_sigma_px, rng)
        kept &= (ranges >= config.min_range_m) & (ranges <= config.max_range_m)
        measured = np.rint(ranges / length * np.float32(1 / config.depth_unit_m)) * np.float32(
            config.depth_unit_m
        )
        return np.asarray(measured * kept, dtype=np.float32)

    def _mixed(self, ranges: Float32Array, kept: BoolArray) -> tuple[Float32Array, BoolArray]:
        """Ranges (H, W), averaged over the beam's footprint where it meets two surfaces, and where so."""
        sigma = self.config.beam_sigma_px
        known = kept.astype(np.float32)
        weight = np.maximum(cv2.GaussianBlur(known, (0, 0), sigma), np.float32(1e-3))
        mean = cv2.GaussianBlur(ranges * known, (0, 0), sigma) / weight
        mixed = np.abs(mean - ranges) > self.config.edge_m
        return np.where(mixed, mean, ranges), np.asarray(mixed)


def _ray_lengths(view: CleanView) -> Float32Array:
    """Range over depth (H, W)."""
    intrinsics = view.intrinsics
    x = (np.arange(intrinsics.width) - intrinsics.cx) / intrinsics.fx
    y = (np.arange(intrinsics.height) - intrinsics.cy) / intrinsics.fy
    return np.sqrt(1 + x[None, :] ** 2 + y[:, None] ** 2).astype(np.float32)


def _cosine(ranges: Float32Array, view: CleanView) -> Float32Array:
    """Cosine (H, W) of the angle between beam and surface normal."""
    slope_x = cv2.Sobel(ranges, cv2.CV_32F, 1, 0, scale=1 / 8)
    slope_y = cv2.Sobel(ranges, cv2.CV_32F, 0, 1, scale=1 / 8)
    tangent = cv2.magnitude(slope_x, slope_y) * np.float32(view.intrinsics.fx)
    return np.asarray(
        1 / np.sqrt(1 + (tangent / np.maximum(ranges, np.float32(1e-2))) ** 2), dtype=np.float32
    )
