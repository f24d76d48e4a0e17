# SPDX-License-Identifier: Apache-2.0
"""How a depth image deviates from the plane it mostly shows: noise by distance, spatial correlation."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from anygrasp_perception.arrays import BoolArray, Float32Array, Float64Array
from anygrasp_perception.camera import CameraIntrinsics

__all__ = ["PlaneView", "autocorrelation", "correlation_length_mrad", "fit_plane", "noise_by_distance"]

_INLIER_M = 0.006  # at the median depth; three standard deviations of a good sensor, two of a noisy one
_TRIALS = 300
_MAX_LAG_PX = 80
_MARGIN_MRAD = 20.0  # kept clear of objects and holes, wider than a matching window


@dataclass(frozen=True, eq=False)
class PlaneView:
    """The dominant plane of a depth image and what deviates from it."""

    plane_depth_m: Float64Array  # (H, W), inf where the ray never meets the plane
    height_m: Float64Array  # (H, W) plane depth minus measured depth: positive is nearer; NaN where invalid
    surface: BoolArray  # (H, W) pixels of the plane itself, clear of objects, edges and holes

    @property
    def inverse_depth_error(self) -> Float64Array:
        """(H, W) error of 1/z in 1/m, NaN off the plane; of stereo it is proportional to the disparity's."""
        error = self.height_m / (self.plane_depth_m * (self.plane_depth_m - self.height_m))
        return np.where(self.surface, error, np.nan)


def fit_plane(depth_m: Float32Array, intrinsics: CameraIntrinsics, seed: int = 0) -> PlaneView:
    """Fit the plane most pixels of a depth image (H, W; metres, 0 invalid) lie on.

    RANSAC, then least squares in inverse depth, where a plane is linear in the pixel and a stereo camera's
    noise is even. Raises ValueError when under 1000 pixels are valid.
    """
    rows, columns = np.nonzero(depth_m > 0)
    if len(rows) < 1000:
        raise ValueError(f"only {len(rows)} valid pixels: a plane fit needs 1000")
    rng = np.random.default_rng(seed)
    some = rng.choice(len(rows), min(20_000, len(rows)), replace=False)
    basis = _ray_basis(rows[some], columns[some], intrinsics)
    inverse = 1.0 / depth_m[rows[some], columns[some]].astype(np.float64)
    plane = _ransac(basis, inverse, rng)
    spread = _INLIER_M / 3 * float(np.median(inverse)) ** 2
    for _ in range(10):
        residual = basis @ plane - inverse
        inlier = np.abs(residual) < 3 * spread
        plane = np.asarray(np.linalg.lstsq(basis[inlier], inverse[inlier], rcond=None)[0], dtype=np.float64)
        # Never wider, or low objects would be taken in one after the other.
        spread = min(spread, max(1.4826 * float(np.median(np.abs(residual[inlier]))), 1e-4))
    every = np.indices(depth_m.shape).reshape(2, -1)
    inverse_plane = (_ray_basis(every[0], every[1], intrinsics) @ plane).reshape(depth_m.shape)
    plane_depth = np.where(inverse_plane > 0, 1.0 / np.maximum(inverse_plane, 1e-9), np.inf)
    height = np.where(depth_m > 0, plane_depth - depth_m, np.nan)
    return PlaneView(plane_depth, height, _surface(depth_m, plane_depth, spread, intrinsics))


def noise_by_distance(view: PlaneView, edges_m: Float64Array) -> list[tuple[float, float, int]]:
    """Rows (mean distance m, standard deviation m, pixels) of the plane's residual in each bin of distance.

    Robust (median absolute deviation), with the bin's mean taken off; bins under 2000 pixels are left out.
    """
    rows = []
    for near, far in pairwise(edges_m):
        chosen = view.surface & (view.plane_depth_m >= near) & (view.plane_depth_m < far)
        if np.count_nonzero(chosen) < 2000:
            continue
        height = view.height_m[chosen]
        deviation = 1.4826 * float(np.median(np.abs(height - np.median(height))))
        rows.append((float(view.plane_depth_m[chosen].mean()), deviation, len(height)))
    return rows


def autocorrelation(view: PlaneView, lags_px: Float64Array) -> Float64Array:
    """Correlation (L,) of the inverse-depth error between pixels `lags_px` apart, along rows and columns."""
    error = view.inverse_depth_error
    known = np.isfinite(error)
    error = np.where(known, error - np.nanmedian(error), 0.0)
    variance = float(np.mean(error[known] ** 2))
    result = []
    for lag in np.asarray(lags_px).astype(int):
        total, pairs = 0.0, 0
        for first, second in (
            (np.s_[:, : error.shape[1] - lag], np.s_[:, lag:]),
            (np.s_[: error.shape[0] - lag], np.s_[lag:]),
        ):
            both = known[first] & known[second]
            total += float(np.sum((error[first] * error[second])[both]))
            pairs += int(np.count_nonzero(both))
        result.append(total / max(pairs, 1) / variance if variance > 0 else 0.0)
    return np.array(result)


def correlation_length_mrad(view: PlaneView, intrinsics: CameraIntrinsics) -> float:
    """Angle at which the residual's autocorrelation first falls below one half."""
    for lag in range(1, _MAX_LAG_PX):
        if autocorrelation(view, np.array([lag]))[0] < 0.5:
            break
    return lag / intrinsics.fx * 1000.0


def _ray_basis(rows: np.ndarray, columns: np.ndarray, intrinsics: CameraIntrinsics) -> Float64Array:
    x = (columns - intrinsics.cx) / intrinsics.fx
    y = (rows - intrinsics.cy) / intrinsics.fy
    return np.stack([x, y, np.ones_like(x)], axis=1)


def _ransac(basis: Float64Array, inverse: Float64Array, rng: np.random.Generator) -> Float64Array:
    best, best_count = np.array([0.0, 0.0, float(np.median(inverse))]), 0
    tolerance = _INLIER_M * inverse**2
    for _ in range(_TRIALS):
        chosen = rng.choice(len(inverse), 3, replace=False)
        if abs(np.linalg.det(basis[chosen])) < 1e-6:
            continue
        plane = np.linalg.solve(basis[chosen], inverse[chosen])
        count = int(np.count_nonzero(np.abs(basis @ plane - inverse) < tolerance))
        if count > best_count:
            best, best_count = plane, count
    return best


def _surface(
    depth_m: Float32Array, plane_depth_m: Float64Array, spread: float, intrinsics: CameraIntrinsics
) -> BoolArray:
    inverse = 1.0 / np.where(depth_m > 0, depth_m, np.inf)
    on_plane = (depth_m > 0) & (np.abs(inverse - 1.0 / plane_depth_m) < 5 * spread)
    # Single outliers are the plane's own noise; only patches are objects or holes.
    on_plane = cv2.morphologyEx(on_plane.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    margin = int(np.ceil(_MARGIN_MRAD / 1000.0 * intrinsics.fx))
    clear = cv2.erode(on_plane, np.ones((2 * margin + 1, 2 * margin + 1), np.uint8), borderValue=1)
    return np.asarray((clear > 0) & (depth_m > 0))
