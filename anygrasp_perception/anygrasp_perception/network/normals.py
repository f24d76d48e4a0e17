# SPDX-License-Identifier: Apache-2.0
"""Surface normals of voxelised clouds: of planes fitted to the neighbourhood of each voxel."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from anygrasp_perception.arrays import Float32Array, Float64Array, Int32Array
from anygrasp_perception.compiled import compiled, in_parts, thread_count
from anygrasp_perception.network.voxel_level import VoxelLevel

__all__ = ["voxel_normals"]

_KERNEL = 3  # summed twice: a neighbourhood of 5 voxels that counts the near ones more
_ROWS_AT_ONCE = 2048  # of one thread
_FLAT = 1e-12  # m^2; spread below that is none


def voxel_normals(points: Tensor, level: VoxelLevel) -> Tensor:
    """Return unit normals (N, 3), towards the camera, of the level's points (N, 3), metres in its frame.

    Towards means a z of at most 0. Where the neighbours lie on a line or are none, the normal is one of many.
    """
    x, y, z = points.double().unbind(dim=1)  # not centred: a cloud has the same normals in every batch
    one = torch.ones_like(x)
    moments = torch.stack([one, x, y, z, x * x, x * y, x * z, y * y, y * z, z * z], dim=1)
    for _ in range(2):
        moments = _summed(moments, level)
    if _is_compiled(points):
        normals = torch.empty_like(points)
        sums, out = moments.numpy(), normals.numpy()
        in_parts(
            lambda start, stop: _fit_planes(sums, out, start, stop), len(out), _ROWS_AT_ONCE, thread_count()
        )
        return normals
    count, x, y, z, *products = moments.unbind(dim=1)
    x, y, z = x / count, y / count, z / count
    means = (x * x, x * y, x * z, y * y, y * z, z * z)
    spread = torch.stack([product / count - mean for product, mean in zip(products, means, strict=True)])
    normals = _least_axis(spread)
    return torch.where(normals[:, 2:] > 0, -normals, normals).to(points.dtype)


def _is_compiled(rows: Tensor) -> bool:
    return rows.device.type == "cpu"


def _summed(rows: Tensor, level: VoxelLevel) -> Tensor:
    """Sum of each voxel's row (N, C) and those of its neighbours."""
    if _is_compiled(rows):
        sums = torch.zeros_like(rows)
        values, parts, into = rows.contiguous().numpy(), level.pairs(_KERNEL).parts, sums.numpy()

        def add(start: int, stop: int) -> None:
            for part in parts[start:stop]:
                _sum_rows(values, part.sources, part.targets, into)

        in_parts(add, len(parts), 1, thread_count())
        return sums
    padded = torch.cat([rows, rows.new_zeros(1, rows.shape[1])])
    total = torch.zeros_like(rows)
    for each in level.neighbours(_KERNEL):
        total += padded.index_select(0, each)
    return total


@compiled
def _sum_rows(values: Float64Array, sources: Int32Array, targets: Int32Array, sums: Float64Array) -> None:
    for pair in range(len(sources)):
        for column in range(values.shape[1]):
            sums[targets[pair], column] += values[sources[pair], column]


def _least_axis(spread: Tensor) -> Tensor:
    """Eigenvectors (N, 3) of the smallest eigenvalues of symmetric matrices xx xy xz yy yz zz (6, N).

    In closed form (Smith 1961): thousands of calls of an eigensolver would take longer than the network.
    """
    xx, xy, xz, yy, yz, zz = spread
    mean = (xx + yy + zz) / 3
    a, b, c = xx - mean, yy - mean, zz - mean
    scale = torch.sqrt(((a * a + b * b + c * c) / 6 + (xy * xy + xz * xz + yz * yz) / 3).clamp_min(_FLAT**2))
    determinant = a * (b * c - yz * yz) - xy * (xy * c - yz * xz) + xz * (xy * yz - b * xz)
    angle = torch.acos((determinant / (2 * scale**3)).clamp(-1, 1)) / 3
    least = mean + 2 * scale * torch.cos(angle + 2 * math.pi / 3)
    rows = torch.stack(
        [
            torch.stack([xx - least, xy, xz], dim=1),
            torch.stack([xy, yy - least, yz], dim=1),
            torch.stack([xz, yz, zz - least], dim=1),
        ]
    )
    # The rows span the plane across the eigenvector: of their products the longest is the most exact.
    crosses = torch.linalg.cross(rows[[0, 0, 1]], rows[[1, 2, 2]], dim=2)  # (3, N, 3)
    lengths = crosses.norm(dim=2)
    best = lengths.argmax(dim=0)
    chosen = crosses[best, torch.arange(len(best), device=best.device)]
    length = lengths.amax(dim=0)[:, None]
    upright = torch.zeros_like(chosen)
    upright[:, 2] = -1.0
    return torch.where(length > _FLAT**2, chosen / length.clamp_min(1e-300), upright)


@compiled
def _fit_planes(moments: Float64Array, normals: Float32Array, start: int, stop: int) -> None:
    """Normals of some rows, as in torch above; of sums of 1, x, y, z, xx, xy, xz, yy, yz, zz."""
    for row in range(start, stop):
        count = moments[row, 0]
        x, y, z = moments[row, 1] / count, moments[row, 2] / count, moments[row, 3] / count
        xx, xy, xz = (
            moments[row, 4] / count - x * x,
            moments[row, 5] / count - x * y,
            moments[row, 6] / count - x * z,
        )
        yy, yz, zz = (
            moments[row, 7] / count - y * y,
            moments[row, 8] / count - y * z,
            moments[row, 9] / count - z * z,
        )
        mean = (xx + yy + zz) / 3
        a, b, c = xx - mean, yy - mean, zz - mean
        square = (a * a + b * b + c * c) / 6 + (xy * xy + xz * xz + yz * yz) / 3
        scale = math.sqrt(max(square, _FLAT**2))
        determinant = a * (b * c - yz * yz) - xy * (xy * c - yz * xz) + xz * (xy * yz - b * xz)
        angle = math.acos(min(max(determinant / (2 * scale**3), -1.0), 1.0)) / 3
        least = mean + 2 * scale * math.cos(angle + 2 * math.pi / 3)
        a, b, c = xx - least, yy - least, zz - least
        # Products of the rows (a xy xz), (xy b yz), (xz yz c), two by two.
        first = (xy * yz - xz * b, xz * xy - a * yz, a * b - xy * xy)
        second = (xy * c - xz * yz, xz * xz - a * c, a * yz - xy * xz)
        third = (b * c - yz * yz, yz * xz - xy * c, xy * yz - b * xz)
        best, length = first, math.sqrt(first[0] ** 2 + first[1] ** 2 + first[2] ** 2)
        for cross in (second, third):
            its_length = math.sqrt(cross[0] ** 2 + cross[1] ** 2 + cross[2] ** 2)
            if its_length > length:
                best, length = cross, its_length
        if length <= _FLAT**2:
            best, length = (0.0, 0.0, -1.0), 1.0
        sign = -1.0 if best[2] > 0 else 1.0
        for axis in range(3):
            normals[row, axis] = sign * best[axis] / length
