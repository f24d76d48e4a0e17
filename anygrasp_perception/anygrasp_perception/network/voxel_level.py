# SPDX-License-Identifier: Apache-2.0
"""One resolution of a voxelised scene: which voxels are occupied, and who is whose neighbour."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import torch
from torch import Tensor

from anygrasp_perception.network.matmul import CHUNK_ROWS, padded_rows
from anygrasp_perception.network.row_pairs import RowPairs, neighbour_pairs, pairs_of

__all__ = ["Downsampling", "PairChunk", "TargetBlock", "VoxelLevel", "kernel_offsets"]

_MARGIN = 2  # free voxels around the box, so that neighbours of the outermost are inside; half a kernel
_TABLE_VOXELS = 1 << 25  # of a box that may have a dense table (128 MB); larger ones are searched
_KEY_LIMIT = 1 << 62
_PRODUCT_ROWS = 4096  # a block's products are a multiple: few sizes, and memory is prepared for each
_BLOCK_ROWS = 8192  # of targets whose products a CPU keeps at a time: they should stay in its largest cache


@cache
def kernel_offsets(size: int) -> Tensor:
    """Return the (size^3, 3) offsets of a cubic kernel, z fastest; the middle one is (0, 0, 0)."""
    reach = range(-(size // 2), size // 2 + 1)
    return torch.tensor(list(itertools.product(reach, repeat=3)), dtype=torch.int64)


@dataclass(frozen=True, eq=False)
class PairChunk:
    """Some pairs of voxels that one kernel offset connects."""

    offset: int
    source: Tensor  # (n,) rows that are read
    target: Tensor  # (n,) rows that are added to
    start: int  # of their products among those of the block
    rows: int  # n, rounded up to a size whose matrix product is prepared


@dataclass(frozen=True, eq=False)
class TargetBlock:
    """All pairs of some targets, each voxel with itself included."""

    chunks: list[PairChunk]
    rows: int  # of the products of all chunks, or more
    products: Tensor  # (p,) rows of these: those of the first target, then those of the next
    bags: Tensor  # (t,) where in `products` each target begins


@dataclass(frozen=True, eq=False)
class Downsampling:
    """How a level's voxels fill the voxels of twice the size."""

    level: VoxelLevel
    slot: Tensor  # (N,) 8 x row of the large voxel + octant

    @cached_property
    def child_pairs(self) -> RowPairs:
        """Each small voxel and the large one that it is in, by octant."""
        rows = np.full((len(self.level), 8), len(self.slot))
        rows.reshape(-1)[self.slot.numpy()] = np.arange(len(self.slot))
        return pairs_of(np.ascontiguousarray(rows.T), len(self.slot))

    @cached_property
    def parent_pairs(self) -> RowPairs:
        """Each large voxel and the small ones in it, by octant."""
        large, octant = np.divmod(self.slot.numpy(), 8)
        rows = np.full((8, len(large)), len(self.level))
        rows[octant, np.arange(len(large))] = large
        return pairs_of(rows, len(self.level))


class VoxelLevel:
    """N occupied voxels, sorted; tables are made at first use and kept.

    `coordinates` (N, 4) int64: batch, x, y, z; unique, not negative, sorted (`of` sorts), N at least 1.
    Raises ValueError on a box too large to number its voxels.
    """

    def __init__(self, coordinates: Tensor) -> None:
        self.coordinates = coordinates
        size = coordinates[:, 1:].amax(dim=0) + 1 + 2 * _MARGIN
        x, y, z = (int(edge) for edge in size)
        self.box_voxels = (int(coordinates[:, 0].max()) + 1) * x * y * z
        if self.box_voxels >= _KEY_LIMIT:
            raise ValueError(f"the voxels span a box of {x} x {y} x {z}, too large; drop far-away points")
        self._steps = torch.tensor([y * z, z, 1], device=coordinates.device)
        keys = coordinates[:, 0] * (x * y * z) + ((coordinates[:, 1:] + _MARGIN) * self._steps).sum(dim=1)
        self.keys = keys
        self._blocks: dict[int, list[TargetBlock]] = {}
        self._neighbours: dict[int, Tensor] = {}
        self._pairs: dict[int, RowPairs] = {}

    @classmethod
    def of(cls, coordinates: Tensor) -> tuple[VoxelLevel, Tensor]:
        """Sort (N, 4) unique coordinates; returns the level and the rows (N,) in its order."""
        order = torch.argsort(cls(coordinates).keys)
        return cls(coordinates[order]), order

    def __len__(self) -> int:
        return len(self.coordinates)

    def shifts(self, kernel: int) -> Tensor:
        """Return by how much the key of each neighbour (kernel^3,) is larger than a voxel's own."""
        return (kernel_offsets(kernel).to(self.keys.device) * self._steps).sum(dim=1)

    def neighbours(self, kernel: int) -> Tensor:
        """Return the row (kernel^3, N) of each voxel's neighbour at each offset, N where there is none."""
        if kernel not in self._neighbours:
            self._neighbours[kernel] = self._find(self.keys[None] + self.shifts(kernel)[:, None])
        return self._neighbours[kernel]

    def pairs(self, kernel: int) -> RowPairs:
        """Return each voxel with each of its neighbours, itself included, by offset; on a CPU only."""
        if kernel not in self._pairs:
            shifts = self.shifts(kernel).numpy()
            self._pairs[kernel] = neighbour_pairs(self.keys.numpy(), shifts, self.box_voxels)
        return self._pairs[kernel]

    def _find(self, wanted: Tensor) -> Tensor:
        count = len(self)
        if self.box_voxels <= _TABLE_VOXELS:
            table = torch.full((self.box_voxels,), count, dtype=torch.int64, device=wanted.device)
            table[self.keys] = torch.arange(count, device=wanted.device)
            return table.index_select(0, wanted.flatten()).view(wanted.shape)
        found = torch.searchsorted(self.keys, wanted).clamp_(max=count - 1)
        return torch.where(self.keys[found] == wanted, found, count)

    def blocks(self, kernel: int) -> list[TargetBlock]:
        """Return all pairs of neighbours, in blocks of targets that together are all rows in their order."""
        if kernel not in self._blocks:
            neighbours = self.neighbours(kernel)
            step = _BLOCK_ROWS if neighbours.device.type == "cpu" else len(self)
            self._blocks[kernel] = [
                self._block(neighbours[:, first : first + step], first) for first in range(0, len(self), step)
            ]
        return self._blocks[kernel]

    def _block(self, neighbours: Tensor, first: int) -> TargetBlock:
        """The block of targets from row `first` on, whose neighbours (kernel^3, t) are given."""
        on_cpu = neighbours.device.type == "cpu"
        there = neighbours < len(self)
        offsets, targets = there.nonzero(as_tuple=True)
        sources, targets = neighbours[there], targets + first
        counts = there.sum(dim=1).tolist()
        chunks, starts = list[PairChunk](), list[int]()
        begin = rows = 0
        for offset, count in enumerate(counts):
            starts.append(rows - begin)
            for done in range(0, count, CHUNK_ROWS if on_cpu else max(count, 1)):
                size = min(CHUNK_ROWS, count - done) if on_cpu else count
                part = slice(begin + done, begin + done + size)
                padded = padded_rows(size) if on_cpu else size
                chunks.append(PairChunk(offset, sources[part], targets[part], rows, padded))
                rows += padded
            begin += count
        # Only the last chunk of an offset is padded: its products lie equally further on than its pairs.
        further = torch.tensor(starts, device=targets.device)
        of_pair = torch.empty_like(neighbours)
        of_pair[there] = torch.arange(begin, device=targets.device) + further[offsets]
        products, per_target = of_pair.t()[there.t()], there.sum(dim=0)
        rows = -(-rows // _PRODUCT_ROWS) * _PRODUCT_ROWS
        return TargetBlock(chunks, rows, products, per_target.cumsum(dim=0) - per_target)

    @cached_property
    def down(self) -> Downsampling:
        """The level of voxels twice as large, and where this one's voxels lie in them."""
        large = self.coordinates.clone()
        large[:, 1:] = large[:, 1:] >> 1
        x, y, z = (self.coordinates[:, axis] & 1 for axis in (1, 2, 3))
        keys = VoxelLevel(large).keys
        unique, row = torch.unique(keys, return_inverse=True)
        coordinates = large.new_empty(len(unique), 4)
        coordinates[row] = large  # voxels of one row write the same
        return Downsampling(VoxelLevel(coordinates), row * 8 + x * 4 + y * 2 + z)
