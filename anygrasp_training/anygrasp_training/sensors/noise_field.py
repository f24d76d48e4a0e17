# SPDX-License-Identifier: Apache-2.0
"""Gaussian noise images that are smooth over chosen distances, drawn or cut from a prepared tile."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np

from anygrasp_perception.arrays import Float32Array

__all__ = ["cut_noise", "noise_tile", "smooth_noise"]

_SIGMA_STEP = 1.05


def smooth_noise(shape: tuple[int, ...], sigma_px: float, rng: np.random.Generator) -> Float32Array:
    """Unit-variance Gaussian noise (H, W) with autocorrelation exp(-(lag / 2 sigma)^2); sigma 0 is white.

    Coarse noise is drawn on a coarse grid and enlarged: the same statistics at a fraction of the time.
    """
    if len(shape) != 2 or not sigma_px >= 0:
        raise ValueError(f"shape {shape} must have two entries and sigma_px {sigma_px} must be >= 0")
    if sigma_px == 0:
        return rng.standard_normal(shape, dtype=np.float32)
    step = max(1, int(sigma_px / 1.5))
    sigma = sigma_px / step
    margin = 3  # grid points beyond the image, so that no border is reflected into it
    rows, columns = (math.ceil(size / step) + 2 * margin for size in shape)
    noise = rng.standard_normal((rows, columns), dtype=np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), sigma)
    noise *= np.float32(2 * math.sqrt(math.pi) * sigma)  # the filter leaves a variance of 1 / (4 pi sigma^2)
    if step > 1:
        noise = cv2.resize(noise, (columns * step, rows * step), interpolation=cv2.INTER_CUBIC)
    first = margin * step
    return np.asarray(noise[first : first + shape[0], first : first + shape[1]], dtype=np.float32)


def noise_tile(shape: tuple[int, int], components: tuple[tuple[float, float], ...]) -> Float32Array:
    """Read-only noise, twice `shape` (H, W) on a side: a sum of `components` (sigma px, standard deviation).

    The same in every process: which part of it a frame gets is what a frame's generator decides. Sigmas are
    kept to 5 %, so that cameras of nearly equal focal lengths share a tile.
    """
    rounded = tuple((_SIGMA_STEP ** round(math.log(sigma, _SIGMA_STEP)), std) for sigma, std in components)
    return _noise_tile(shape, rounded)


def cut_noise(tile: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Cut an image (H, W) at a random place of a `noise_tile`: drawing Gaussian numbers would cost 3 ms."""
    height, width = tile.shape[0] // 2, tile.shape[1] // 2
    top, left = rng.integers(0, (height + 1, width + 1))
    return tile[top : top + height, left : left + width]


@lru_cache(maxsize=8)
def _noise_tile(shape: tuple[int, int], components: tuple[tuple[float, float], ...]) -> Float32Array:
    size = (2 * shape[0], 2 * shape[1])
    rng = np.random.default_rng(0)
    total = np.zeros(size, np.float32)
    for sigma_px, std in components:
        total += np.float32(std) * smooth_noise(size, sigma_px, rng)
    total.setflags(write=False)
    return total
