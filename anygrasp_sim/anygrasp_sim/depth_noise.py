# SPDX-License-Identifier: Apache-2.0
"""Statistical model of an active-stereo depth camera (Intel D415): from perfect to plausible depth images.

Everything happens in disparity, where a stereo camera measures: an error of a constant part of a pixel there
is a depth error that grows with the square of the distance. The scales of the noise were fitted to the
autocorrelation of table planes in real RealSense frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["D415", "DepthSensorConfig", "DepthSensorModel"]

DepthImage = npt.NDArray[np.float32]

# Spatial scale (Gaussian sigma, pixels) and share of the variance. Real planes at lags of 1, 4, 8, 20, 40
# pixels correlate by 0.96 0.86 0.74 0.48 0.25; this mixture by 0.97 0.84 0.73 0.47 0.22.
_NOISE_SCALES = ((1.2, 0.12), (5.0, 0.28), (20.0, 0.60))
_WINDOW_PX = 2.5  # Gaussian sigma of a matching window: the scale of ragged edges and of drop-outs


@dataclass(frozen=True)
class DepthSensorConfig:
    """A stereo depth camera; pixel figures hold at the size of the image it is applied to."""

    enabled: bool = True  # False passes perfect depth through
    baseline_m: float = 0.055  # between the two infrared imagers
    noise_px: float = 0.12  # standard deviation of the disparity
    disparity_step_px: float = 1 / 32  # resolution of the matcher
    depth_unit_m: float = 0.001  # of the 16-bit image
    edge_shift_px: float = 0.7  # how raggedly edges wander, standard deviation
    fattening_px: int = 1  # how far the near side of an edge grows over the far side
    dropout_fraction: float = 0.005  # of an evenly lit plane, in blobs
    max_slope: float = 5.0  # depth change over lateral distance past which a match is lost (79 deg)
    min_depth_m: float = 0.3
    max_depth_m: float = 3.0

    def __post_init__(self) -> None:
        for name in ("baseline_m", "disparity_step_px", "depth_unit_m", "min_depth_m", "max_slope"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")
        for name in ("noise_px", "edge_shift_px", "fattening_px"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must not be negative")
        if not 0 <= self.dropout_fraction < 1:
            raise ValueError(f"dropout_fraction is {self.dropout_fraction}; it must be in [0, 1)")
        if not self.max_depth_m > self.min_depth_m:
            raise ValueError(f"max_depth_m {self.max_depth_m} must exceed min_depth_m {self.min_depth_m}")


D415 = DepthSensorConfig()


class DepthSensorModel:
    """Applies a `DepthSensorConfig` to rendered depth; a seed fixes the whole sequence of frames."""

    def __init__(self, config: DepthSensorConfig, focal_px: float, seed: int) -> None:
        if not focal_px > 0:
            raise ValueError(f"focal_px is {focal_px}; it must be positive")
        self.config = config
        self.focal_px = focal_px
        self._rng = np.random.default_rng(seed)

    def apply(self, depth_m: DepthImage) -> DepthImage:
        """One noisy frame of perfect depth (H, W) in metres; 0 is invalid in both."""
        config = self.config
        if not config.enabled:
            return depth_m.copy()
        shape = depth_m.shape
        depth = self._wander(_fatten(depth_m, config.fattening_px))
        visible = (depth > config.min_depth_m) & (depth < config.max_depth_m)
        scale = self.focal_px * config.baseline_m
        disparity = np.where(visible, scale / np.maximum(depth, config.min_depth_m), 0).astype(np.float32)
        lost = ~visible | _occluded(disparity) | self._steep(depth) | self._dropout(shape)
        disparity += config.noise_px * self._noise(shape)
        steps = np.maximum(np.round(disparity / config.disparity_step_px), 1)
        units = np.round(scale / (steps * config.disparity_step_px) / config.depth_unit_m)
        return np.where(lost, 0, units * config.depth_unit_m).astype(np.float32)

    def _noise(self, shape: tuple[int, ...]) -> DepthImage:
        total = np.zeros(shape, np.float32)
        for sigma_px, share in _NOISE_SCALES:
            total += math.sqrt(share) * self._smooth_noise(shape, sigma_px)
        return total

    def _smooth_noise(self, shape: tuple[int, ...], sigma_px: float) -> DepthImage:
        """Unit-variance Gaussian noise (H, W) that is smooth over `sigma_px`."""
        # Coarse noise is drawn on a coarse grid: the same statistics for a fraction of the time.
        step = max(1, round(sigma_px / 1.25))
        sigma = sigma_px / step
        rows, columns = (math.ceil(n / step) + 2 for n in shape)
        white = self._rng.standard_normal((rows, columns), dtype=np.float32)
        smooth = cv2.GaussianBlur(white, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
        smooth *= 2 * math.sqrt(math.pi) * sigma  # a Gaussian filter leaves a variance of 1/(4 pi sigma^2)
        if step > 1:
            smooth = cv2.resize(smooth, (columns * step, rows * step), interpolation=cv2.INTER_CUBIC)
        return np.asarray(smooth[: shape[0], : shape[1]], dtype=np.float32)

    def _wander(self, depth: DepthImage) -> DepthImage:
        """Sample the image at shifted pixels: flat parts stay, edges become ragged."""
        height, width = depth.shape
        u, v = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        shift = self.config.edge_shift_px
        u += shift * self._smooth_noise(depth.shape, _WINDOW_PX)
        v += shift * self._smooth_noise(depth.shape, _WINDOW_PX)
        moved = cv2.remap(depth, u, v, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        # On a smooth surface the shift would add a depth ripple; it is for edges only.
        edge = np.abs(moved - depth) > 0.01
        return np.where(edge, moved, depth)

    def _steep(self, depth: DepthImage) -> npt.NDArray[np.bool_]:
        """Pixels on surfaces seen at so flat an angle that the two images no longer match."""
        dx = cv2.Sobel(depth, cv2.CV_32F, 1, 0, scale=1 / 8)
        dy = cv2.Sobel(depth, cv2.CV_32F, 0, 1, scale=1 / 8)
        pixel_m = np.maximum(depth, self.config.min_depth_m) / self.focal_px
        return np.asarray(np.hypot(dx, dy) > self.config.max_slope * pixel_m)

    def _dropout(self, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """Blobs that cover `dropout_fraction` of the image."""
        if self.config.dropout_fraction == 0:
            return np.zeros(shape, dtype=bool)
        threshold = NormalDist().inv_cdf(self.config.dropout_fraction)
        return np.asarray(self._smooth_noise(shape, _WINDOW_PX) < threshold)


def _fatten(depth: DepthImage, reach_px: int) -> DepthImage:
    """Grow near surfaces over far ones, as matching by windows does."""
    if reach_px == 0:
        return depth
    far = np.where(depth > 0, depth, np.inf).astype(np.float32)
    size = 2 * reach_px + 1
    grown = cv2.erode(far, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    return np.where(np.isfinite(grown), grown, 0).astype(np.float32)


def _occluded(disparity: DepthImage) -> npt.NDArray[np.bool_]:
    """Pixels of the left image that the right one cannot see.

    Pixel u appears at u - disparity in the right image; something nearer hides it when a pixel further to
    the right in the left image lands further to the left in the right one.
    """
    seen_at = np.arange(disparity.shape[1], dtype=np.float32) - disparity
    leftmost = np.minimum.accumulate(seen_at[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(seen_at > leftmost + 0.5)
