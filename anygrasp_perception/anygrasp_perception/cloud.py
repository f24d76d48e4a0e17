# SPDX-License-Identifier: Apache-2.0
"""Point cloud of one view: points, colours, source pixels; voxel downsampling and normals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from anygrasp_perception.arrays import Float32Array, Int32Array, IntpArray, check_points, check_vector

__all__ = ["PointCloud", "estimate_normals", "voxel_downsample"]


@dataclass(frozen=True, eq=False)
class PointCloud:
    """Points of one camera view, metres in the camera's optical frame.

    Raises ValueError on NaN or infinite points and on arrays of different lengths.
    """

    points: Float32Array  # (N, 3)
    colors: Float32Array | None = None  # (N, 3) RGB in [0, 1]
    pixels: Int32Array | None = None  # (N, 2) column, row of the source pixel

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", check_points(self.points, "PointCloud.points"))
        for name, width in (("colors", 3), ("pixels", 2)):
            array = getattr(self, name)
            if array is not None and array.shape != (len(self.points), width):
                raise ValueError(
                    f"PointCloud.{name} must have shape ({len(self.points)}, {width}), got {array.shape}"
                )

    def __len__(self) -> int:
        return len(self.points)

    def crop(self, selection: NDArray[Any]) -> PointCloud:
        """Return the points selected by a boolean mask (N,) or an index array."""
        return PointCloud(
            self.points[selection],
            None if self.colors is None else self.colors[selection],
            None if self.pixels is None else self.pixels[selection],
        )


def voxel_downsample(points: ArrayLike, voxel_m: float) -> IntpArray:
    """Return the indices, rising, of one point for each occupied voxel: the first in the input.

    `points` (N, 3) metres. Raises ValueError on a voxel size that is not positive.
    """
    if not voxel_m > 0:
        raise ValueError(f"voxel_m must be positive, got {voxel_m}")
    array = check_points(points)
    if len(array) == 0:
        return np.zeros(0, dtype=np.intp)
    cells = ((array - array.min(axis=0)) / np.float32(voxel_m)).astype(np.intp)
    keys = np.ravel_multi_index(tuple(cells.T), tuple(cells.max(axis=0) + 1))
    _, first = np.unique(keys, return_index=True)
    return np.sort(first)


def estimate_normals(
    points: ArrayLike,
    neighbours: int = 20,
    radius_m: float = np.inf,
    viewpoint: ArrayLike = (0.0, 0.0, 0.0),
) -> Float32Array:
    """Return unit normals (N, 3), towards `viewpoint` (3,), of planes fitted to each point's neighbours.

    Uses at most `neighbours` nearest points, itself included, no further than `radius_m`. With fewer
    than three the normal is the viewing direction. Raises ValueError on fewer than 3 neighbours asked.
    """
    array = check_points(points).astype(np.float64)
    to_viewer = check_vector(viewpoint, "viewpoint") - array
    if neighbours < 3:
        raise ValueError(f"neighbours must be at least 3, got {neighbours}")
    if len(array) == 0:
        return np.zeros((0, 3), dtype=np.float32)
    count = min(neighbours, len(array))
    _, index = cKDTree(array).query(array, k=count, distance_upper_bound=radius_m)
    index = np.asarray(index).reshape(len(array), count)
    found = index < len(array)  # the tree marks missing neighbours with the number of points
    offsets = array[np.where(found, index, 0)] - array[:, None]
    offsets *= found[..., None]
    number = found.sum(axis=1)
    mean = offsets.sum(axis=1) / number[:, None]
    covariance = offsets.transpose(0, 2, 1) @ offsets / number[:, None, None]
    covariance -= mean[:, :, None] * mean[:, None, :]
    normals = np.linalg.eigh(covariance)[1][:, :, 0]
    ray = to_viewer / np.maximum(np.linalg.norm(to_viewer, axis=1, keepdims=True), 1e-12)
    normals = np.where((number >= 3)[:, None], normals, ray)
    normals[np.einsum("ni,ni->n", normals, ray) < 0] *= -1
    return normals.astype(np.float32)
