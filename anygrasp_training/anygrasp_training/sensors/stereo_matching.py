# SPDX-License-Identifier: Apache-2.0
"""Disparity of a rectified infrared pair: semi-global matching, subpixel refinement, and what is rejected."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from anygrasp_perception.arrays import BoolArray, Float32Array, Uint8Array

__all__ = ["MatcherConfig", "match_disparity"]

_SURFACE_PX = 0.5  # disparities closer than this are one surface to the refinement


@dataclass(frozen=True)
class MatcherConfig:
    """Semi-global matching (OpenCV) and the checks after it."""

    block_px: int = 7  # of the matching cost
    smoothness: tuple[int, int] = (8, 32)  # penalty of disparity steps of 1 and of more, a block pixel
    prefilter_cap: int = 31
    uniqueness_percent: int = 5  # by how much the best match must beat the second
    left_right_px: int = 1  # tolerated difference of the match in the other direction
    speckle_px: int = 100  # connected patches smaller than this are dropped ...
    speckle_range_px: int = 2  # ... where connected means a step below this
    window_sigma_px: float = 4.0  # of the subpixel refinement: sets how far the noise is correlated
    iterations: int = 2
    min_texture: float = 3.0  # grey levels a pixel, mean gradient in the window; noise alone has about 2
    max_mismatch: float = 1.2  # residual of the matched windows over their contrast
    step_px: float = 1 / 32  # resolution of the disparity

    def __post_init__(self) -> None:
        if self.block_px < 1 or self.block_px % 2 == 0:
            raise ValueError(f"block_px is {self.block_px}; it must be odd")
        for name in ("window_sigma_px", "step_px", "max_mismatch"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")


def match_disparity(
    left: Uint8Array, right: Uint8Array, max_disparity_px: int, config: MatcherConfig
) -> Float32Array:
    """Disparity (H, W) in pixels of the left image, a multiple of `config.step_px`; 0 where none was found.

    Raises ValueError when the images are not two of the same size with 8 bits.
    """
    if left.shape != right.shape or left.ndim != 2 or left.dtype != np.uint8 or right.dtype != np.uint8:
        raise ValueError(
            f"left and right must be two uint8 images of one size, got {left.shape} {left.dtype} and "
            f"{right.shape} {right.dtype}"
        )
    disparity = _semi_global(left, right, max_disparity_px, config)
    found = disparity > 0
    left_grey, right_grey = left.astype(np.float32), right.astype(np.float32)
    for _ in range(config.iterations):
        disparity, trusted = _refine(left_grey, right_grey, disparity, found, config)
    disparity = np.round(disparity / config.step_px) * np.float32(config.step_px)
    usable = found & trusted & (disparity >= 1) & (disparity <= max_disparity_px)
    return np.where(usable, disparity, np.float32(0))


def _semi_global(
    left: Uint8Array, right: Uint8Array, max_disparity_px: int, config: MatcherConfig
) -> Float32Array:
    count = -(-(max_disparity_px + 1) // 16) * 16  # OpenCV searches a multiple of 16
    area = config.block_px**2
    matcher = cv2.StereoSGBM.create(
        minDisparity=0,
        numDisparities=count,
        blockSize=config.block_px,
        P1=config.smoothness[0] * area,
        P2=config.smoothness[1] * area,
        disp12MaxDiff=config.left_right_px,
        preFilterCap=config.prefilter_cap,
        uniquenessRatio=config.uniqueness_percent,
        speckleWindowSize=config.speckle_px,
        speckleRange=config.speckle_range_px,
        mode=cv2.STEREO_SGBM_MODE_SGBM_3WAY,
    )
    # Without a border OpenCV gives up on the first `count` columns, whatever the disparity there.
    padded = [cv2.copyMakeBorder(image, 0, 0, count, 0, cv2.BORDER_REPLICATE) for image in (left, right)]
    disparity = matcher.compute(*padded)[:, count:].astype(np.float32) / cv2.StereoMatcher_DISP_SCALE
    in_both = np.arange(left.shape[1], dtype=np.float32) >= disparity
    return np.where(in_both & (disparity > 0), disparity, np.float32(0))


def _refine(
    left: Float32Array, right: Float32Array, disparity: Float32Array, found: BoolArray, config: MatcherConfig
) -> tuple[Float32Array, BoolArray]:
    """One Gauss-Newton step of the shift that makes the windows equal (Lucas and Kanade).

    Semi-global matching alone favours whole and half pixels; real cameras of this kind do not.
    """

    def window(image: Float32Array) -> Float32Array:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), config.window_sigma_px), dtype=np.float32)

    weight = found.astype(np.float32)
    smooth = window(disparity * weight) / np.maximum(window(weight), 1e-3)
    # On a plane, however inclined, the two agree; towards another surface they part, and so ever less is
    # taken from its side of the window.
    alone = np.exp(-(((smooth - disparity) / _SURFACE_PX) ** 2))
    start = disparity + alone * (smooth - disparity)
    v, u = np.indices(left.shape, dtype=np.float32)
    moved = cv2.remap(right, u - start, v, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    slope = cv2.Sobel(moved, cv2.CV_32F, 1, 0, ksize=1, scale=1 / 2)
    difference = left - moved
    difference -= window(difference)
    texture = window(slope * slope)
    step = -window(slope * difference) / np.maximum(texture, 1.0)
    contrast = window(left * left) - window(left) ** 2
    mismatch = np.sqrt(window(difference * difference) / np.maximum(contrast, 1e-3))
    trusted = (texture > config.min_texture**2) & (mismatch < config.max_mismatch)
    step = np.where(np.abs(step) < 0.6, step, 0) * alone
    return np.where(found, start + step, 0).astype(np.float32), trusted
