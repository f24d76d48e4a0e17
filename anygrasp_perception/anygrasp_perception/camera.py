# SPDX-License-Identifier: Apache-2.0
"""Pinhole camera, depth image to points, and one checked RGB-D frame."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from anygrasp_perception.arrays import BoolArray, Float32Array, Float64Array, Uint8Array
from anygrasp_perception.cloud import PointCloud

__all__ = [
    "CameraIntrinsics",
    "FrameError",
    "RgbdFrame",
    "depth_to_metres",
    "depth_to_points",
    "load_rgbd",
]


class FrameError(ValueError):
    """A camera frame that cannot be used; the message says what is wrong with it."""


@dataclass(frozen=True)
class CameraIntrinsics:
    """Pinhole model of an undistorted image: focal lengths and principal point in pixels.

    Optical frame: x right, y down, z forward. Pixel centres are at whole numbers.
    Raises ValueError on NaN, zero or negative values, as an unset camera_info has.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    def __post_init__(self) -> None:
        for name in ("fx", "fy", "cx", "cy", "width", "height"):
            value = getattr(self, name)
            least = 0.0 if name in ("cx", "cy") else math.nextafter(0.0, 1.0)
            if not (math.isfinite(value) and value >= least):
                raise ValueError(f"CameraIntrinsics.{name} must be positive and finite, got {value}")

    @classmethod
    def from_matrix(cls, K: ArrayLike, width: int, height: int) -> CameraIntrinsics:
        """Read a (3, 3) or row-major (9,) camera matrix, as camera_info carries it."""
        matrix = np.asarray(K, dtype=np.float64)
        if matrix.size != 9:
            raise ValueError(f"K must have 9 entries, got shape {matrix.shape}")
        matrix = matrix.reshape(3, 3)
        return cls(matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2], int(width), int(height))

    @classmethod
    def from_json(cls, path: str | PathLike[str]) -> CameraIntrinsics:
        """Read a JSON object with the keys fx, fy, cx, cy, width, height.

        Raises ValueError, naming the file, when it is no such object.
        """
        text = Path(path).read_text(encoding="utf-8")
        names = ("fx", "fy", "cx", "cy", "width", "height")
        try:
            content = json.loads(text)
            return cls(**{name: content[name] for name in names})
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path}: not an intrinsics file with the keys {', '.join(names)}: {error}"
            ) from error

    @property
    def matrix(self) -> Float64Array:
        """(3, 3) camera matrix."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], dtype=np.float64)

    def project(self, points: ArrayLike) -> Float64Array:
        """Project points (..., 3), metres in the optical frame, to pixels (..., 2), x then y.

        Points at or behind the camera plane give NaN.
        """
        array = np.asarray(points, dtype=np.float64)
        z = array[..., 2]
        z = np.where(z > 0, z, np.nan)
        return np.stack(
            [self.fx * array[..., 0] / z + self.cx, self.fy * array[..., 1] / z + self.cy], axis=-1
        )


def depth_to_metres(depth: NDArray[Any], scale: float = 0.001) -> Float32Array:
    """Return the depth image (H, W) in metres, float32, with 0 where it is invalid.

    Integers are multiplied by `scale` (metres a unit; 16UC1 images are millimetres); floats are metres
    already. NaN, infinite and negative values become 0. Raises FrameError on other types and shapes.
    """
    if depth.ndim != 2:
        raise FrameError(f"depth must have shape (H, W), got {depth.shape}")
    if depth.dtype == np.uint16:
        if not (math.isfinite(scale) and scale > 0):
            raise FrameError(f"depth scale must be positive, got {scale}")
        return depth * np.float32(scale)
    if depth.dtype in (np.float32, np.float64):
        metres = depth.astype(np.float32)
        return np.where(_valid(metres), metres, np.float32(0.0))
    raise FrameError(f"depth must be uint16 (scaled) or float (metres), got {depth.dtype}")


def depth_to_points(depth_m: Float32Array, intrinsics: CameraIntrinsics) -> Float32Array:
    """Return the organised cloud (H, W, 3) float32 in the optical frame, NaN where depth is invalid."""
    _check_size(depth_m, intrinsics, "depth")
    ray_x, ray_y = _rays(intrinsics)
    z = np.where(_valid(depth_m), depth_m, np.float32(np.nan))
    points = np.empty((*depth_m.shape, 3), dtype=np.float32)
    np.multiply(z, ray_x, out=points[..., 0])
    np.multiply(z, ray_y[:, None], out=points[..., 1])
    points[..., 2] = z
    return points


@dataclass(frozen=True, eq=False)
class RgbdFrame:
    """One depth image in metres with the colour image registered to it, or without.

    Raises FrameError when sizes differ, types are wrong, or no depth is valid.
    """

    color: Uint8Array | None  # (H, W, 3) RGB
    depth_m: Float32Array  # (H, W), 0 invalid
    intrinsics: CameraIntrinsics

    def __post_init__(self) -> None:
        if self.depth_m.dtype != np.float32:
            raise FrameError(f"depth_m must be float32 metres, got {self.depth_m.dtype}; use depth_to_metres")
        if self.depth_m.size == 0:
            raise FrameError(f"depth image is empty, shape {self.depth_m.shape}")
        _check_size(self.depth_m, self.intrinsics, "depth")
        if self.color is not None:
            if self.color.dtype != np.uint8 or self.color.ndim != 3 or self.color.shape[2] != 3:
                raise FrameError(
                    f"color must be (H, W, 3) uint8 RGB, got {self.color.shape} {self.color.dtype}"
                )
            if self.color.shape[:2] != self.depth_m.shape:
                raise FrameError(
                    f"color {_size(self.color)} and depth {_size(self.depth_m)} differ in size; "
                    "align depth to colour first"
                )
        if not _valid(self.depth_m).any():
            raise FrameError(f"no valid depth in {self.depth_m.size} pixels: all zero, NaN or negative")

    def cloud(self) -> PointCloud:
        """Return the points of all valid pixels, row by row, in the optical frame."""
        # Flat indices with take() are several times faster than boolean selection of rows.
        valid = np.flatnonzero(_valid(self.depth_m)).astype(np.int32)
        rows, columns = np.divmod(valid, np.int32(self.intrinsics.width))
        ray_x, ray_y = _rays(self.intrinsics)
        points = np.empty((len(valid), 3), dtype=np.float32)
        z = points[:, 2] = self.depth_m.ravel().take(valid)
        np.multiply(z, ray_x.take(columns), out=points[:, 0])
        np.multiply(z, ray_y.take(rows), out=points[:, 1])
        colors = None
        if self.color is not None:
            colors = self.color.reshape(-1, 3).take(valid, axis=0) * np.float32(1 / 255)
        return PointCloud(points, colors, np.stack([columns, rows], axis=-1))


def load_rgbd(
    color_path: str | PathLike[str] | None,
    depth_path: str | PathLike[str],
    intrinsics_path: str | PathLike[str],
    depth_scale: float = 0.001,
) -> RgbdFrame:
    """Read a colour image (optional), a 16-bit depth image and an intrinsics JSON.

    Raises FileNotFoundError and FrameError (unreadable or unusable images), ValueError (intrinsics).
    """
    intrinsics = CameraIntrinsics.from_json(intrinsics_path)
    depth = _read_image(depth_path, cv2.IMREAD_UNCHANGED)
    color = None
    if color_path is not None:
        color = cv2.cvtColor(_read_image(color_path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return RgbdFrame(color, depth_to_metres(depth, depth_scale), intrinsics)


def _read_image(path: str | PathLike[str], flags: int) -> NDArray[Any]:
    if not Path(path).is_file():
        raise FileNotFoundError(f"no image at {path}")
    image: NDArray[Any] | None = cv2.imread(str(path), flags)
    if image is None:
        raise FrameError(f"{path}: not an image that OpenCV can read")
    return image


@lru_cache(maxsize=4)
def _rays(intrinsics: CameraIntrinsics) -> tuple[Float32Array, Float32Array]:
    ray_x = (np.arange(intrinsics.width) - intrinsics.cx) / intrinsics.fx
    ray_y = (np.arange(intrinsics.height) - intrinsics.cy) / intrinsics.fy
    return ray_x.astype(np.float32), ray_y.astype(np.float32)


def _check_size(image: NDArray[Any], intrinsics: CameraIntrinsics, name: str) -> None:
    if image.shape != (intrinsics.height, intrinsics.width):
        raise FrameError(
            f"{name} has shape {image.shape}, the intrinsics are for {(intrinsics.height, intrinsics.width)}"
        )


def _valid(depth_m: Float32Array) -> BoolArray:
    return np.asarray((depth_m > 0) & (depth_m < np.inf))  # NaN is neither


def _size(image: NDArray[Any]) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"
