# SPDX-License-Identifier: Apache-2.0
"""A PointNet over many small groups of points on a CPU: group after group, all layers in the first caches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from anygrasp_perception.arrays import Float32Array, IntpArray
from anygrasp_perception.compiled import compiled, in_parts, thread_count
from anygrasp_perception.network.register_tile import LANES, TILE_ROWS, multiply_tile, multiply_wide_tile

__all__ = ["pooled_layers", "pools_compiled"]

_GROUPS_AT_ONCE = 32  # of one thread
_FLOAT_BYTES = 4
_PART_ROWS = 4 * TILE_ROWS  # points whose features stay in the first cache


def pools_compiled(x: Tensor, weights: Sequence[Tensor]) -> bool:
    """Whether `pooled_layers` takes these: float32 on a CPU, no gradients wanted, widths a multiple of 8."""
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and not torch.is_grad_enabled()
        and all(weight.dtype == torch.float32 and weight.shape[1] % LANES == 0 for weight in weights)
    )


def pooled_layers(
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    table: Tensor | None = None,
    rows: Tensor | None = None,
    counts: Tensor | None = None,
) -> Tensor:
    """Return the largest value of each channel in each group (G, O), after all layers with ReLU.

    `x` (G, K, I) points of the groups, K at least 1; `weights` (I, O) of each layer, `biases` (O,). To the
    first layer the rows of `table` (N, O) at `rows` (G, K) are added, if given. Only the first `counts` (G,)
    points of a group are looked at, all without; of equal ones in a row only one. On `thread_count()`
    threads.
    Raises ValueError on shapes that do not fit: what is compiled would read past their ends.
    """
    groups, samples = x.shape[:2]
    _check_shapes(x, weights, biases, table, rows, counts)
    out = np.empty((groups, weights[-1].shape[1]), dtype=np.float32)
    points = x.contiguous().numpy()
    matrices = tuple(weight.detach().contiguous().numpy() for weight in weights)
    offsets = tuple(bias.detach().contiguous().numpy() for bias in biases)
    start = np.zeros((0, 1), dtype=np.float32) if table is None else table.contiguous().numpy()
    taken = np.zeros((0, 0), dtype=np.int64) if rows is None else rows.contiguous().numpy()

    different = np.full(groups, samples) if counts is None else counts.numpy()

    def pool(first: int, stop: int) -> None:
        _pool(points, matrices, offsets, start, taken, different, out, first, stop)

    if samples:
        in_parts(pool, groups, _GROUPS_AT_ONCE, thread_count())
    return torch.from_numpy(out)


def _check_shapes(
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    table: Tensor | None,
    rows: Tensor | None,
    counts: Tensor | None,
) -> None:
    groups, samples, columns = x.shape
    for weight, bias in zip(weights, biases, strict=True):
        if weight.shape[0] != columns or bias.shape != weight.shape[1:]:
            raise ValueError(
                f"a layer of {tuple(weight.shape)} and {tuple(bias.shape)} does not take {columns} channels"
            )
        columns = weight.shape[1]
    if (table is None) != (rows is None):
        raise ValueError("table and rows go together")
    if table is not None and rows is not None:
        if table.shape[1] != weights[0].shape[1] or rows.shape != (groups, samples):
            raise ValueError(f"table {tuple(table.shape)} and rows {tuple(rows.shape)} do not fit x")
        if rows.numel() and not 0 <= int(rows.min()) <= int(rows.max()) < len(table):
            raise ValueError(f"rows must be in [0, {len(table)}), got {int(rows.min())} to {int(rows.max())}")
    if counts is not None and (counts.shape != (groups,) or (groups and int(counts.max()) > samples)):
        raise ValueError(f"counts must be {groups} numbers up to {samples}")


@compiled
def _pool(
    x: Float32Array,
    weights: tuple[Float32Array, ...],
    biases: tuple[Float32Array, ...],
    table: Float32Array,
    rows: IntpArray,
    counts: IntpArray,
    out: Float32Array,
    first: int,
    stop: int,
) -> None:
    """Groups `first` to `stop` of `out`."""
    samples, inputs = x.shape[1], x.shape[2]
    width = inputs
    for weight in weights:
        width = max(width, weight.shape[1])
    # Layers read one and write the other.
    buffers = np.zeros((2, _PART_ROWS * width), dtype=np.float32)
    kept = np.empty(samples, dtype=np.intp)
    for group in range(first, stop):
        distinct = _distinct(x[group], counts[group], kept)
        for begin in range(0, distinct, _PART_ROWS):
            part = kept[begin : min(begin + _PART_ROWS, distinct)]
            tiles = -(-len(part) // TILE_ROWS)
            padded = tiles * TILE_ROWS  # rows beyond the part hold anything, and nobody looks
            for row in range(len(part)):
                for channel in range(inputs):
                    buffers[0, row * inputs + channel] = x[group, part[row], channel]
            of_input, columns = 0, inputs
            for layer in range(len(weights)):
                weight, bias = weights[layer], biases[layer]
                columns = weight.shape[1]
                source, result = buffers[of_input], buffers[1 - of_input]
                for row in range(padded):
                    for channel in range(columns):
                        result[row * columns + channel] = bias[channel]
                if layer == 0 and len(table):
                    for row in range(len(part)):
                        entry = rows[group, part[row]]
                        for channel in range(columns):
                            result[row * columns + channel] += table[entry, channel]
                _multiply(source, weight, result, tiles)
                for number in range(padded * columns):
                    value = result[number]
                    result[number] = value if value > 0 else np.float32(0)
                of_input = 1 - of_input
            last = buffers[of_input]
            if begin == 0:
                for channel in range(columns):
                    out[group, channel] = last[channel]
            for row in range(len(part)):
                for channel in range(columns):
                    value, before = last[row * columns + channel], out[group, channel]
                    out[group, channel] = value if value > before else before


@compiled
def _distinct(x: Float32Array, count: int, kept: IntpArray) -> int:
    """How many of the first `count` points (K, I) differ from the one before; which, is written to `kept`."""
    found = 0
    for sample in range(count):
        new = sample == 0
        for channel in range(x.shape[1]):
            if x[sample, channel] != x[sample - 1, channel]:
                new = True
        kept[found] = sample
        found += new
    return found


@compiled
def _multiply(x: Float32Array, weight: Float32Array, result: Float32Array, tiles: int) -> None:
    """Add the product of x, `tiles` tiles of rows side by side, with weight (I, O) to the result."""
    inputs, outputs = weight.shape
    x_at, result_at = np.intp(x.ctypes.data), np.intp(result.ctypes.data)
    weight_at = np.intp(weight.ctypes.data)
    step_in, step_out = inputs * _FLOAT_BYTES, outputs * _FLOAT_BYTES
    column = 0
    while column < outputs:
        byte = column * _FLOAT_BYTES
        wide = column + 2 * LANES <= outputs
        for tile in range(tiles):
            a, b = x_at + tile * TILE_ROWS * step_in, result_at + tile * TILE_ROWS * step_out + byte
            reads = (a, a + step_in, a + 2 * step_in, a + 3 * step_in, a + 4 * step_in, a + 5 * step_in)
            adds = (b, b + step_out, b + 2 * step_out, b + 3 * step_out, b + 4 * step_out, b + 5 * step_out)
            if wide:
                multiply_wide_tile(reads, adds, weight_at + byte, outputs, inputs)
            else:
                multiply_tile(reads, adds, weight_at + byte, outputs, inputs)
        column += 2 * LANES if wide else LANES
