# SPDX-License-Identifier: Apache-2.0
"""Sparse convolutions as gathers and matrix products, forward and backward.

In torch alone, for GPUs and all precisions; float32 on a CPU goes through `row_products`.

A submanifold convolution is, for each kernel offset, a product of the rows that have a neighbour there;
stride-2 convolutions need no pairs: eight children lie side by side in one row. autograd's own backward of
the gathers would be ten times slower, so each operation brings its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from anygrasp_perception.network.matmul import CHUNK_ROWS, matmul_rows, scratch, weight_gradient
from anygrasp_perception.network.row_products import is_compiled, row_products
from anygrasp_perception.network.voxel_level import Downsampling, VoxelLevel

__all__ = ["downsample", "linear_rows", "submanifold_conv", "upsample"]

_NARROW = 8  # input channels up to which all offsets are gathered at once: the products would be too thin
_SUM = 0  # of the modes of embedding_bag
_GRID_NUMBERS = 1 << 24  # of features on a dense grid (64 MB) that neighbours may be gathered from


def submanifold_conv(x: Tensor, weight: Tensor, level: VoxelLevel, kernel: int) -> Tensor:
    """Convolve x (N, I) with weight (kernel^3, I, O) at the occupied voxels; returns (N, O)."""
    operation = _GatheredConv if x.shape[1] <= _NARROW else _PairedConv
    result: Tensor = operation.apply(x, weight, level, kernel)  # type: ignore[no-untyped-call]
    return result


def downsample(x: Tensor, weight: Tensor, down: Downsampling) -> Tensor:
    """Convolve x (N, I) with weight (8, I, O), kernel and stride 2; returns (N', O)."""
    result: Tensor = _Downsample.apply(x, weight, down)  # type: ignore[no-untyped-call]
    return result


def upsample(x: Tensor, weight: Tensor, down: Downsampling) -> Tensor:
    """Transposed convolution of x (N', I) with weight (8, I, O), kernel and stride 2; returns (N, O)."""
    result: Tensor = _Upsample.apply(x, weight, down)  # type: ignore[no-untyped-call]
    return result


def linear_rows(x: Tensor, weight: Tensor) -> Tensor:
    """Return x (N, I) times weight (I, O) for an N that differs from scene to scene."""
    result: Tensor = _LinearRows.apply(x, weight)  # type: ignore[no-untyped-call]
    return result


class _PairedConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, level: VoxelLevel, kernel: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.level, ctx.kernel = level, kernel
        return _convolve(x, weight, level, kernel)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        x, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        inputs, outputs = weight.shape[1:]
        w_gradient = torch.zeros_like(weight)
        for block in ctx.level.blocks(ctx.kernel):
            for chunk in block.chunks:
                count = len(chunk.source)
                gathered = scratch("conv_in", chunk.rows, inputs, x)
                arriving = scratch("conv_back", chunk.rows, outputs, x)
                torch.index_select(x, 0, chunk.source, out=gathered[:count])
                torch.index_select(gradient, 0, chunk.target, out=arriving[:count])
                gathered[count:] = 0
                arriving[count:] = 0
                w_gradient[chunk.offset].addmm_(gathered.t(), arriving)
        # Neighbours are mutual: what a voxel passed on comes back from the opposite side.
        x_gradient = _convolve(gradient, weight.flip(0).transpose(1, 2), ctx.level, ctx.kernel)
        return x_gradient, w_gradient, None, None


def _convolve(x: Tensor, weight: Tensor, level: VoxelLevel, kernel: int) -> Tensor:
    """Products of pairs side by side, then each target's summed: faster than adding them one by one."""
    if is_compiled(x, weight):
        return row_products(x, weight, level.pairs(kernel))
    matrices = weight.unbind()
    inputs, outputs = weight.shape[1:]
    parts = []
    for block in level.blocks(kernel):
        products = scratch("conv_out", block.rows, outputs, x)
        for chunk in block.chunks:
            gathered = scratch("conv_in", chunk.rows, inputs, x)
            torch.index_select(x, 0, chunk.source, out=gathered[: len(chunk.source)])
            into = products[chunk.start : chunk.start + chunk.rows]
            torch.mm(gathered, matrices[chunk.offset], out=into)
        parts.append(torch.embedding_bag(products, block.products, block.bags, mode=_SUM)[0])
    return parts[0] if len(parts) == 1 else torch.cat(parts)


class _GatheredConv(torch.autograd.Function):
    """All neighbours of a voxel side by side in one row, and one product: for few input channels."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, level: VoxelLevel, kernel: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.level, ctx.kernel = level, kernel
        if is_compiled(x, weight):
            return row_products(x, weight, level.pairs(kernel))
        flat = weight.reshape(-1, weight.shape[2])
        return torch.cat([matmul_rows(rows, flat) for rows, _ in _gathered(x, level, kernel)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        x, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        flat = weight.new_zeros(weight.shape[0] * weight.shape[1], weight.shape[2])
        for rows, start in _gathered(x, ctx.level, ctx.kernel):
            flat += weight_gradient(rows, gradient[start : start + len(rows)])
        x_gradient = None
        if ctx.needs_input_grad[0]:
            mirrored = weight.flip(0).transpose(1, 2).reshape(-1, weight.shape[1])
            neighbours = _gathered(gradient, ctx.level, ctx.kernel)
            x_gradient = torch.cat([matmul_rows(rows, mirrored) for rows, _ in neighbours])
        return x_gradient, flat.view(weight.shape), None, None


def _gathered(x: Tensor, level: VoxelLevel, kernel: int) -> Iterator[tuple[Tensor, int]]:
    """Rows (n, kernel^3 x I) of all neighbours' features, zero where there is none: chunks and starts."""
    channels = x.shape[1]
    if level.box_voxels * channels <= _GRID_NUMBERS:
        # On a dense grid the `kernel` neighbours along z lie side by side: one index for all of them.
        grid = x.new_zeros(level.box_voxels + kernel, channels)
        grid.index_copy_(0, level.keys, x)
        source = grid.as_strided((level.box_voxels, kernel * channels), (channels, 1))
        rows = level.keys[:, None] + level.shifts(kernel)[::kernel]
    else:
        source = torch.cat([x, x.new_zeros(1, channels)])
        rows = level.neighbours(kernel).t()
    for start in range(0, len(level), CHUNK_ROWS):
        index = rows[start : start + CHUNK_ROWS].reshape(-1)
        yield source.index_select(0, index).view(-1, kernel**3 * channels), start


class _Downsample(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, down: Downsampling) -> Tensor:
        children = x.new_zeros(len(down.level) * 8, x.shape[1])
        children.index_copy_(0, down.slot, x)
        children = children.view(len(down.level), -1)
        ctx.save_for_backward(children, weight, down.slot)
        return matmul_rows(children, weight.reshape(-1, weight.shape[2]))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        children, weight, slot = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        flat = weight.reshape(-1, weight.shape[2])
        to_children = matmul_rows(gradient, flat.t()).view(-1, weight.shape[1])
        w_gradient = weight_gradient(children, gradient).view(weight.shape)
        return to_children.index_select(0, slot), w_gradient, None


class _Upsample(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, down: Downsampling) -> Tensor:
        ctx.save_for_backward(x, weight, down.slot)
        return matmul_rows(x, _side_by_side(weight)).view(-1, weight.shape[2]).index_select(0, down.slot)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, slot = ctx.saved_tensors
        inputs, outputs = weight.shape[1:]
        children = x.new_zeros(len(x) * 8, outputs)
        children.index_copy_(0, slot, gradients[0].contiguous())
        children = children.view(len(x), -1)
        x_gradient = matmul_rows(children, _side_by_side(weight).t())
        w_gradient = weight_gradient(x, children).view(inputs, 8, outputs).transpose(0, 1)
        return x_gradient, w_gradient, None


def _side_by_side(weight: Tensor) -> Tensor:
    """(8, I, O) as (I, 8 O)."""
    return weight.transpose(0, 1).reshape(weight.shape[1], -1)


class _LinearRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return matmul_rows(x, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        return matmul_rows(gradient, weight.t()), weight_gradient(x, gradient)
