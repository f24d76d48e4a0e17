# SPDX-License-Identifier: Apache-2.0
"""From points to what the network takes: one mean point and one feature row for each occupied voxel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anygrasp_perception.arrays import Float32Array, Float64Array, IntpArray
from anygrasp_perception.compiled import compiled
from anygrasp_perception.network.normals import voxel_normals
from anygrasp_perception.network.voxel_level import VoxelLevel

__all__ = ["VoxelBatch", "VoxelCloud", "voxelise"]

_SHIFTS = 4  # of the grid, along z, that are tried
_TABLE_VOXELS = 1 << 24  # of a box whose occupied voxels are looked up, not sorted


@dataclass(frozen=True, eq=False)
class VoxelCloud:
    """Occupied voxels of one cloud."""

    points: Float32Array  # (N, 3) means of the points in each voxel, metres
    cells: IntpArray  # (N, 3) voxel coordinates from 0
    of_point: IntpArray  # (P,) voxel of each point of the cloud, -1 where the voxel was left out
    voxel_m: float

    def __len__(self) -> int:
        return len(self.points)


def voxelise(
    points: Float32Array,
    voxel_m: float,
    max_voxels: int | None = None,
    rng: np.random.Generator | None = None,
) -> VoxelCloud:
    """Average points (P, 3) in cubes of `voxel_m`; of more than `max_voxels` cubes a random choice is kept.

    The means have less noise than any point. Raises ValueError on no points, on NaN or infinite ones, on
    points too far apart to number the cubes, and on too many cubes without `rng`.
    """
    if len(points) == 0:
        raise ValueError("no points to voxelise: nothing was measured; check the depth image")
    points = np.require(points, np.float32, ("C", "W"))  # another kind would be compiled for
    # The grid passes through the camera, not the cloud's corner: one outlier does not move all cells.
    lowest, highest, bad = _extent(points, np.float32(voxel_m))
    if bad:
        raise ValueError(f"{bad} of {len(points)} points are NaN or infinite; drop them before")
    size = highest - lowest + 1
    if not size.prod() <= 2.0**62:
        raise ValueError(
            f"points span {size * voxel_m} m, too far for voxels of {voxel_m} m; drop far-away points"
        )
    cells = size.astype(np.int64)
    keys = _keys(points, np.float32(voxel_m), lowest, cells)
    unique, of_point = _number(keys, int(cells.prod()))
    kept = np.arange(len(unique))
    if max_voxels is not None and len(unique) > max_voxels:
        if rng is None:
            raise ValueError(f"{len(unique)} voxels exceed {max_voxels}; give an rng to choose some")
        kept = np.sort(rng.permutation(len(unique))[:max_voxels])
    new_row = np.full(len(unique), -1, dtype=np.intp)
    new_row[kept] = np.arange(len(kept))
    of_point = new_row[of_point]
    means = _means(points, of_point, len(kept))
    chosen = unique[kept]
    plane = cells[1] * cells[2]
    xyz = np.stack([chosen // plane, chosen % plane // cells[2], chosen % cells[2]], axis=-1)
    return VoxelCloud(means, xyz.astype(np.intp), of_point, voxel_m)


@compiled
def _extent(points: Float32Array, voxel_m: np.float32) -> tuple[Float64Array, Float64Array, int]:
    """Lowest and highest cell (3,) of points (P, 3) along each axis, and how many points are not finite."""
    lowest, highest, bad = np.full(3, np.inf), np.full(3, -np.inf), 0
    for point in range(len(points)):
        finite = True
        for axis in range(3):
            finite &= np.isfinite(points[point, axis])
        if not finite:
            bad += 1
            continue
        for axis in range(3):
            cell = np.floor(points[point, axis] / voxel_m)
            lowest[axis], highest[axis] = min(lowest[axis], cell), max(highest[axis], cell)
    return lowest, highest, bad


@compiled
def _keys(points: Float32Array, voxel_m: np.float32, lowest: Float64Array, size: IntpArray) -> IntpArray:
    """Number (P,) of the cell of each point (P, 3) in the box of `size` (3,) cells, z fastest."""
    keys = np.empty(len(points), dtype=np.int64)
    for point in range(len(points)):
        key = np.int64(0)
        for axis in range(3):
            key = key * size[axis] + np.int64(np.floor(points[point, axis] / voxel_m) - lowest[axis])
        keys[point] = key
    return keys


@compiled
def _means(points: Float32Array, of_point: IntpArray, count: int) -> Float32Array:
    """Mean (count, 3) of the points (P, 3) of each voxel; those of voxel -1 are left out."""
    sums, counts = np.zeros((count, 3)), np.zeros(count)
    for point in range(len(points)):
        voxel = of_point[point]
        if voxel >= 0:
            counts[voxel] += 1.0
            for axis in range(3):
                sums[voxel, axis] += points[point, axis]
    means = np.empty((count, 3), dtype=np.float32)
    for voxel in range(count):
        for axis in range(3):
            means[voxel, axis] = sums[voxel, axis] / counts[voxel]
    return means


def _shifted(cells: IntpArray) -> IntpArray:
    """Cells (N, 3) shifted along z so that they fill few larger voxels in the levels below.

    A table seen from above is one layer of voxels twice as large, or two, as they happen to begin: the
    network then takes up to half as long again.
    """
    size = cells.max(axis=0) + 1 + _SHIFTS
    if float(size[0]) * float(size[1]) * float(size[2]) > _TABLE_VOXELS:
        return cells
    shift = np.argmin([_larger_voxels(cells, size, shift) for shift in range(_SHIFTS)])
    return np.asarray(cells + np.array((0, 0, shift)))


@compiled
def _larger_voxels(cells: IntpArray, size: IntpArray, shift: int) -> int:
    """How many voxels two and four times as large the shifted cells (N, 3) fill, together."""
    count = 0
    for halvings in range(1, 3):
        columns, layers = (size[1] >> halvings) + 1, (size[2] >> halvings) + 1
        filled = np.zeros(((size[0] >> halvings) + 1) * columns * layers, dtype=np.bool_)
        for row in range(len(cells)):
            x, y, z = cells[row, 0], cells[row, 1], cells[row, 2] + shift
            voxel = ((x >> halvings) * columns + (y >> halvings)) * layers + (z >> halvings)
            count += not filled[voxel]
            filled[voxel] = True
    return count


def _number(keys: IntpArray, box_voxels: int) -> tuple[IntpArray, IntpArray]:
    """Return the keys that occur, sorted, and for each key (P,) which of them it is."""
    if box_voxels > _TABLE_VOXELS:
        unique, of_point = np.unique(keys, return_inverse=True)
        return unique, of_point.astype(np.intp)
    occupied = np.zeros(box_voxels, dtype=np.bool_)
    occupied[keys] = True
    unique = np.flatnonzero(occupied)
    table = np.empty(box_voxels, dtype=np.intp)
    table[unique] = np.arange(len(unique))
    return unique, table[keys]


@dataclass(frozen=True, eq=False)
class VoxelBatch:
    """Voxels of several clouds, in the order the network keeps them: cloud by cloud."""

    points: Tensor  # (N, 3) metres
    normals: Tensor  # (N, 3) unit length, towards the camera
    features: Tensor  # (N, INPUT_CHANNELS)
    level: VoxelLevel
    bounds: tuple[int, ...]  # rows of cloud i are bounds[i] to bounds[i + 1]

    @classmethod
    def of(cls, clouds: list[VoxelCloud], device: torch.device | str = "cpu") -> VoxelBatch:
        """Join clouds; their voxels are sorted as `voxelise` gives them, so rows keep their order."""
        coordinates = np.concatenate(
            [
                np.column_stack([np.full(len(cloud), index), _shifted(cloud.cells)])
                for index, cloud in enumerate(clouds)
            ]
        )
        points = np.concatenate([cloud.points for cloud in clouds])
        sizes = np.repeat([cloud.voxel_m for cloud in clouds], [len(cloud) for cloud in clouds])[:, None]
        inside = points / sizes - np.floor(points / sizes) - 0.5
        offsets = torch.from_numpy((2 * inside).astype(np.float32)).to(device)
        bounds = np.concatenate([[0], np.cumsum([len(cloud) for cloud in clouds])])
        level = VoxelLevel(torch.from_numpy(coordinates).to(device))
        on_device = torch.from_numpy(points).to(device)
        normals = voxel_normals(on_device, level)
        return cls(
            on_device,
            normals,
            torch.cat([torch.ones_like(normals[:, :1]), offsets, normals], dim=1),
            level,
            tuple(int(bound) for bound in bounds),
        )

    def rows(self, cloud: int) -> slice:
        """Rows of one cloud."""
        return slice(self.bounds[cloud], self.bounds[cloud + 1])
