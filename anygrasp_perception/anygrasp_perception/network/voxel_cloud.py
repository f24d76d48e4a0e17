# SPDX-License-Identifier: Apache-2.0
"""From points to what the network takes: one mean point and one feature row for each occupied voxel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anygrasp_perception.arrays import Float32Array, IntpArray
from anygrasp_perception.network.normals import voxel_normals
from anygrasp_perception.network.voxel_level import VoxelLevel

__all__ = ["VoxelBatch", "VoxelCloud", "voxelise"]

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
    finite = np.isfinite(points)
    if not finite.all():
        bad = np.count_nonzero(~finite.all(axis=1))
        raise ValueError(f"{bad} of {len(points)} points are NaN or infinite; drop them before")
    # The grid passes through the camera, not the cloud's corner: one outlier does not move all cells.
    cells = np.floor(points / np.float32(voxel_m)).astype(np.int64)
    cells -= cells.min(axis=0)
    size = cells.max(axis=0) + 1
    if float(size[0]) * float(size[1]) * float(size[2]) > 2.0**62:
        raise ValueError(
            f"points span {size * voxel_m} m, too far for voxels of {voxel_m} m; drop far-away points"
        )
    keys = (cells[:, 0] * size[1] + cells[:, 1]) * size[2] + cells[:, 2]
    unique, of_point = _number(keys, int(size.prod()))
    kept = np.arange(len(unique))
    if max_voxels is not None and len(unique) > max_voxels:
        if rng is None:
            raise ValueError(f"{len(unique)} voxels exceed {max_voxels}; give an rng to choose some")
        kept = np.sort(rng.permutation(len(unique))[:max_voxels])
    counts = np.bincount(of_point, minlength=len(unique))
    sums = [np.bincount(of_point, weights=points[:, axis], minlength=len(unique)) for axis in range(3)]
    means = (np.stack(sums, axis=-1)[kept] / counts[kept, None]).astype(np.float32)
    new_row = np.full(len(unique), -1, dtype=np.intp)
    new_row[kept] = np.arange(len(kept))
    chosen = unique[kept]
    plane = size[1] * size[2]
    xyz = np.stack([chosen // plane, chosen % plane // size[2], chosen % size[2]], axis=-1)
    return VoxelCloud(means, xyz.astype(np.intp), new_row[of_point], voxel_m)


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
            [np.column_stack([np.full(len(cloud), index), cloud.cells]) for index, cloud in enumerate(clouds)]
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
