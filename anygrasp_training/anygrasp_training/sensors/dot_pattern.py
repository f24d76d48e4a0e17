# SPDX-License-Identifier: Apache-2.0
"""The pseudo-random dots a stereo camera's infrared projector throws on a scene."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from anygrasp_perception.arrays import Float32Array

__all__ = ["DotPattern"]

_TEXEL_RAD = 0.0006  # finer than a third of an infrared pixel


@dataclass(frozen=True)
class DotPattern:
    """Dots on a jittered hexagonal grid over the projector's field of view."""

    fov_deg: tuple[float, float] = (90.0, 63.0)  # horizontal, vertical
    dot_count: int = 5000
    dot_sigma_rad: float = 0.0014  # Gaussian profile of one dot
    jitter: float = 0.35  # of the grid spacing: what makes a neighbourhood unique
    brightness_spread: float = 0.3  # relative, between dots
    seed: int = 0  # the diffractive element of one unit

    def __post_init__(self) -> None:
        if self.dot_count < 1 or not self.dot_sigma_rad > 0:
            raise ValueError(
                f"dot_count {self.dot_count} and dot_sigma_rad {self.dot_sigma_rad} must be positive"
            )

    def illumination(self, tangent_x: Float32Array, tangent_y: Float32Array) -> Float32Array:
        """Brightness of directions (x/z, y/z) (H, W) in the projector's frame; a dot's peak is about 1."""
        image = _pattern_image(self)
        rows, columns = image.shape
        u = tangent_x * np.float32(1 / _TEXEL_RAD) + np.float32((columns - 1) / 2)
        v = tangent_y * np.float32(1 / _TEXEL_RAD) + np.float32((rows - 1) / 2)
        lit = cv2.remap(image, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
        return np.asarray(lit, dtype=np.float32)


@lru_cache(maxsize=4)
def _pattern_image(pattern: DotPattern) -> Float32Array:
    half_x, half_y = (math.tan(math.radians(angle) / 2) for angle in pattern.fov_deg)
    spacing = math.sqrt(4 * half_x * half_y / pattern.dot_count * 2 / math.sqrt(3))
    rng = np.random.default_rng(pattern.seed)
    y, x = np.mgrid[-half_y : half_y : spacing * math.sqrt(3) / 2, -half_x:half_x:spacing]
    x[1::2] += spacing / 2
    x += pattern.jitter * spacing * rng.standard_normal(x.shape)
    y += pattern.jitter * spacing * rng.standard_normal(y.shape)
    size = (math.ceil(2 * half_x / _TEXEL_RAD), math.ceil(2 * half_y / _TEXEL_RAD))
    image = np.zeros(size[::-1], np.float32)
    u = np.round(x / _TEXEL_RAD + (size[0] - 1) / 2).astype(int).ravel()
    v = np.round(y / _TEXEL_RAD + (size[1] - 1) / 2).astype(int).ravel()
    inside = (u >= 0) & (u < size[0]) & (v >= 0) & (v < size[1])
    brightness = np.maximum(1 + pattern.brightness_spread * rng.standard_normal(len(u)), 0.2)
    np.add.at(image, (v[inside], u[inside]), brightness[inside])
    sigma = pattern.dot_sigma_rad / _TEXEL_RAD
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma) * 2 * math.pi * sigma**2, dtype=np.float32)
