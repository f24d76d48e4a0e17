# SPDX-License-Identifier: Apache-2.0
"""Sparse convolutions on a CPU in one pass: gather, multiply, add, bias and ReLU, a few rows at a time.

All layers of the backbone are one operation: each row of the result is the sum, over the matrices of the
weight, of some row of the input times that matrix. What is gathered and what is summed stays in the
processor's first caches; `sparse_ops` does the same with torch alone, which writes both to memory.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from anygrasp_perception.arrays import Float32Array, Int32Array, IntpArray
from anygrasp_perception.compiled import compiled, in_parts, thread_count
from anygrasp_perception.network.register_tile import LANES, TILE_ROWS, multiply_tile, multiply_wide_tile
from anygrasp_perception.network.row_pairs import BLOCK_ROWS, RowPairs, one_to_one

__all__ = ["is_compiled", "linear", "row_products"]

_FLOAT_BYTES = 4
_WORTH_A_THREAD = 20_000_000  # products of numbers: fewer are nearly done when another thread has woken up


def is_compiled(x: Tensor, weight: Tensor) -> bool:
    """Whether `row_products` takes these: float32 on a CPU, no gradients wanted, columns a multiple of 8."""
    return (
        x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and not torch.is_grad_enabled()
        and weight.shape[2] % LANES == 0
    )


def row_products(
    x: Tensor,
    weight: Tensor,
    pairs: RowPairs,
    bias: Tensor | None = None,
    added: Tensor | None = None,
    activate: bool = False,
) -> Tensor:
    """Return rows (M, O): each the sum, over its pairs, of a row of x (N, I) times a matrix of weight
    (K, I, O). Then `bias` (O,) and `added` (M, O) are added and, if asked for, ReLU taken.

    On `thread_count()` threads; the result does not depend on how many. Raises ValueError on shapes that do
    not fit: what is compiled would read and write past their ends.
    """
    inputs, outputs = weight.shape[1:]
    _check_shapes(x, weight, pairs, bias, added)
    result = torch.empty(pairs.rows, outputs)  # begins at a cache line, as numpy's arrays need not
    out = result.numpy()
    rows, matrices = x.contiguous().numpy(), weight.detach().contiguous().numpy()
    first = np.zeros(outputs, dtype=np.float32) if bias is None else bias.detach().numpy()
    more = out[:0] if added is None else added.contiguous().numpy()

    def multiply(start: int, stop: int) -> None:
        spare = np.zeros(outputs, dtype=np.float32)
        for part in pairs.parts[start:stop]:
            of_part = part.bounds, part.sources, part.targets, part.start, part.stop
            _multiply(rows, matrices, *of_part, first, more, activate, spare, out)

    work = inputs * outputs * sum(len(part.sources) for part in pairs.parts)
    in_parts(multiply, len(pairs.parts), 1, thread_count() if work > _WORTH_A_THREAD else 1)
    return result


def linear(layer: nn.Linear, x: Tensor, activate: bool = False) -> Tensor:
    """Return what the layer makes of rows x (N, I), ReLU taken if asked for.

    Compiled where it may be and threads can share it: torch is as fast alone, and keeps to one beside ours.
    """
    weight: Tensor = layer.weight
    bias: Tensor | None = layer.bias
    missing = -len(weight) % LANES
    alone = thread_count() == 1 or len(x) * weight.numel() < _WORTH_A_THREAD
    if alone or not is_compiled(x, weight.new_empty(0, 0, len(weight) + missing)):
        y: Tensor = layer(x)
        return torch.relu(y) if activate else y
    if missing:
        weight = nn.functional.pad(weight, (0, 0, 0, missing))
        bias = None if bias is None else nn.functional.pad(bias, (0, missing))
    y = row_products(x, weight.t()[None], one_to_one(len(x)), bias, activate=activate)
    return y[:, : len(layer.weight)] if missing else y


def _check_shapes(
    x: Tensor, weight: Tensor, pairs: RowPairs, bias: Tensor | None, added: Tensor | None
) -> None:
    inputs, outputs = weight.shape[1:]
    for name, tensor, wanted in (
        ("x", x, (pairs.inputs, inputs)),
        ("weight", weight, (pairs.matrices, inputs, outputs)),
        ("bias", bias, (outputs,)),
        ("added", added, (pairs.rows, outputs)),
    ):
        if tensor is not None and tuple(tensor.shape) != wanted:
            raise ValueError(f"{name} must be {wanted}, got {tuple(tensor.shape)}")


@compiled
def _multiply(
    x: Float32Array,
    weight: Float32Array,
    bounds: IntpArray,
    sources: Int32Array,
    targets: Int32Array,
    start: int,
    stop: int,
    bias: Float32Array,
    added: Float32Array,
    activate: bool,
    spare: Float32Array,
    out: Float32Array,
) -> None:
    """Rows `start` to `stop` of `out`; what fills the last tile of pairs is added to `spare` (O,).

    That is an argument because Numba frees an array of its own after its last use that it knows of.
    """
    matrices, inputs, outputs = weight.shape
    x_at, out_at = np.intp(x.ctypes.data), np.intp(out.ctypes.data)
    weight_at, spare_at = np.intp(weight.ctypes.data), np.intp(spare.ctypes.data)
    x_bytes, out_bytes = inputs * _FLOAT_BYTES, outputs * _FLOAT_BYTES
    read, to = (
        np.empty(BLOCK_ROWS + TILE_ROWS, dtype=np.intp),
        np.empty(BLOCK_ROWS + TILE_ROWS, dtype=np.intp),
    )
    for block in range((len(bounds) - 1) // matrices):
        first = start + block * BLOCK_ROWS
        last = min(first + BLOCK_ROWS, stop)
        _begin(out, bias, added, first, last)
        for matrix in range(matrices):
            begin = bounds[block * matrices + matrix]
            count = bounds[block * matrices + matrix + 1] - begin
            tiles = -(-count // TILE_ROWS)
            for pair in range(count):
                read[pair] = x_at + sources[begin + pair] * x_bytes
                to[pair] = out_at + targets[begin + pair] * out_bytes
            for pair in range(count, tiles * TILE_ROWS):
                read[pair], to[pair] = read[count - 1], spare_at
            matrix_at = weight_at + matrix * inputs * out_bytes
            column = 0
            while column < outputs:
                byte = column * _FLOAT_BYTES
                wide = column + 2 * LANES <= outputs
                for tile in range(tiles):
                    a = tile * TILE_ROWS
                    reads = (read[a], read[a + 1], read[a + 2], read[a + 3], read[a + 4], read[a + 5])
                    adds = (
                        to[a] + byte,
                        to[a + 1] + byte,
                        to[a + 2] + byte,
                        to[a + 3] + byte,
                        to[a + 4] + byte,
                        to[a + 5] + byte,
                    )
                    if wide:
                        multiply_wide_tile(reads, adds, matrix_at + byte, outputs, inputs)
                    else:
                        multiply_tile(reads, adds, matrix_at + byte, outputs, inputs)
                column += 2 * LANES if wide else LANES
        if activate:
            for row in range(first, last):
                for column in range(outputs):
                    value = out[row, column]
                    out[row, column] = value if value > 0 else np.float32(0)


@compiled
def _begin(out: Float32Array, bias: Float32Array, added: Float32Array, first: int, last: int) -> None:
    """Write bias and what is added to the rows `first` to `last`."""
    for row in range(first, last):
        for column in range(out.shape[1]):
            out[row, column] = bias[column]
    if len(added):
        for row in range(first, last):
            for column in range(out.shape[1]):
                out[row, column] += added[row, column]
