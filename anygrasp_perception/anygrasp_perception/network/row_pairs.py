# SPDX-License-Identifier: Apache-2.0
"""Which rows of the input add to which of the result, and by which matrix, for `row_products`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import Int32Array, IntpArray
from anygrasp_perception.compiled import compiled, in_parts, thread_count

__all__ = ["BLOCK_ROWS", "PartPairs", "RowPairs", "neighbour_pairs", "one_to_one", "pairs_of"]

BLOCK_ROWS = 256  # of results that are summed at a time: they stay in the second cache
_PART_ROWS = 1024  # that a thread takes at a time, at most
_LEAST_PART_ROWS = 64
_TABLE_VOXELS = 1 << 25  # of a box that may have a dense table (128 MB); larger ones are searched


@dataclass(frozen=True, eq=False)
class PartPairs:
    """The pairs of the results from row `start` to `stop`: block by block, and in these matrix by matrix."""

    start: int
    stop: int
    bounds: IntpArray  # (blocks x matrices + 1,) where in the pairs those of a block and matrix begin
    sources: Int32Array  # (P,) rows of the input
    targets: Int32Array  # (P,) rows of the result


@dataclass(frozen=True, eq=False)
class RowPairs:
    """All pairs, in parts that one thread each works on."""

    parts: list[PartPairs]
    rows: int  # of the result
    inputs: int
    matrices: int


def pairs_of(sources: IntpArray, inputs: int) -> RowPairs:
    """The pairs of a table (K, M): which row of the input adds to a result by a matrix, `inputs`: none."""

    def find(start: int, stop: int) -> tuple[IntpArray, Int32Array, Int32Array]:
        return _listed(np.ascontiguousarray(sources[:, start:stop]), inputs, start)

    return _in_parts(find, sources.shape[1], inputs, len(sources))


def one_to_one(rows: int) -> RowPairs:
    """The pairs of a product of every row with one matrix."""
    return pairs_of(np.arange(rows)[None], rows)


def neighbour_pairs(keys: IntpArray, shifts: IntpArray, box_voxels: int) -> RowPairs:
    """The pairs of voxels whose keys (N,), sorted, are one of the shifts (K,) apart.

    `box_voxels`: all keys, shifted ones too, are from 0 to less than that.
    """
    table = np.zeros(0, dtype=np.int32)
    if box_voxels <= _TABLE_VOXELS:
        table = np.full(box_voxels, len(keys), dtype=np.int32)
        table[keys] = np.arange(len(keys), dtype=np.int32)

    def find(start: int, stop: int) -> tuple[IntpArray, Int32Array, Int32Array]:
        return _listed(_neighbours(keys, shifts, table, start, stop), len(keys), start)

    return _in_parts(find, len(keys), len(keys), len(shifts))


def _in_parts(
    find: Callable[[int, int], tuple[IntpArray, Int32Array, Int32Array]],
    rows: int,
    inputs: int,
    matrices: int,
) -> RowPairs:
    found: dict[int, PartPairs] = {}

    def part(start: int, stop: int) -> None:
        found[start] = PartPairs(start, stop, *find(start, stop))

    step = min(_PART_ROWS, max(_LEAST_PART_ROWS, -(-rows // 4)))
    in_parts(part, rows, step, thread_count())
    return RowPairs([found[start] for start in sorted(found)], rows, inputs, matrices)


@compiled
def _listed(table: IntpArray, inputs: int, start: int) -> tuple[IntpArray, Int32Array, Int32Array]:
    """Bounds, sources and targets of the pairs in a table (K, R) of the results from row `start` on."""
    matrices, rows = table.shape
    blocks = -(-rows // BLOCK_ROWS)
    bounds = np.zeros(blocks * matrices + 1, dtype=np.intp)
    most = matrices * rows + 1  # what is no pair is written behind the last one
    sources, targets = np.empty(most, dtype=np.int32), np.empty(most, dtype=np.int32)
    found = 0
    for block in range(blocks):
        first = block * BLOCK_ROWS
        for matrix in range(matrices):
            for row in range(first, min(first + BLOCK_ROWS, rows)):
                source = table[matrix, row]
                sources[found], targets[found] = source, start + row
                found += source < inputs
            bounds[block * matrices + matrix + 1] = found
    return bounds, sources[:found].copy(), targets[:found].copy()


@compiled
def _neighbours(keys: IntpArray, shifts: IntpArray, table: Int32Array, start: int, stop: int) -> IntpArray:
    """Row (K, stop - start) of each voxel's neighbour at each shift, N where there is none.

    By the table if it has entries, by search otherwise.
    """
    count = len(keys)
    found = np.empty((len(shifts), stop - start), dtype=np.int64)
    for matrix in range(len(shifts)):
        shift = shifts[matrix]
        at = 0 if len(table) else np.searchsorted(keys, keys[start] + shift)
        for row in range(start, stop):
            wanted = keys[row] + shift
            if len(table):
                found[matrix, row - start] = table[wanted]
                continue
            while at < count and keys[at] < wanted:  # what is wanted rises from row to row
                at += 1
            found[matrix, row - start] = at if at < count and keys[at] == wanted else count
    return found
