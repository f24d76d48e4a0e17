# SPDX-License-Identifier: Apache-2.0
"""Layers of the sparse network: convolution, normalisation and activation in one, and residual blocks."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from anygrasp_perception.network.row_pairs import RowPairs, one_to_one
from anygrasp_perception.network.row_products import is_compiled, row_products
from anygrasp_perception.network.sparse_ops import downsample, linear_rows, submanifold_conv, upsample
from anygrasp_perception.network.voxel_level import Downsampling, VoxelLevel

__all__ = ["Downsample", "Linear", "NormalisedLayer", "ResidualBlock", "SubmanifoldConv", "Upsample"]

_NEIGHBOUR_SHARE = 0.4  # of a kernel's offsets that are occupied on a surface, for the first weights


class NormalisedLayer(nn.Module):
    """A weight (K, I, O), then batch normalisation or, once folded, a bias; then ReLU if asked for."""

    def __init__(self, offsets: int, inputs: int, outputs: int, fan_in: float, activate: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(offsets, inputs, outputs) * math.sqrt(2 / fan_in))
        self.norm: nn.BatchNorm1d | None = nn.BatchNorm1d(outputs)
        self.bias: Tensor | None = None
        self.activate = activate

    def fold(self) -> None:
        """Merge the normalisation into the weight: the same function in inference, for less time."""
        norm = self.norm
        if norm is None or norm.running_var is None or norm.running_mean is None:
            return
        with torch.no_grad():
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            self.weight.mul_(scale)
            bias = norm.bias - norm.running_mean * scale
        del self.bias
        self.register_buffer("bias", bias.detach())
        self.norm = None

    def run(
        self,
        x: Tensor,
        pairs: Callable[[], RowPairs],
        product: Callable[[], Tensor],
        added: Tensor | None = None,
    ) -> Tensor:
        """Return what the weight makes of x (N, I), with `added` (M, O), normalised and activated.

        In one pass over `pairs()` where `is_compiled`, otherwise from `product()`.
        """
        if self.norm is None and is_compiled(x, self.weight):
            return row_products(x, self.weight, pairs(), self.bias, added, self.activate)
        y = product()
        if self.norm is not None:
            y = self.norm(y)
        elif self.bias is not None:
            y = y.add_(self.bias)
        if added is not None:
            y = y.add_(added)
        return torch.relu_(y) if self.activate else y


class SubmanifoldConv(NormalisedLayer):
    """Convolution at the occupied voxels with a cubic kernel."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, activate: bool = True) -> None:
        super().__init__(kernel**3, inputs, outputs, inputs * kernel**3 * _NEIGHBOUR_SHARE, activate)
        self.kernel = kernel

    def forward(self, x: Tensor, level: VoxelLevel, added: Tensor | None = None) -> Tensor:
        """Map x (N, I) on the level's N voxels to (N, O); `added` (N, O) is added before the activation."""
        return self.run(
            x,
            lambda: level.pairs(self.kernel),
            lambda: submanifold_conv(x, self.weight, level, self.kernel),
            added,
        )


class Downsample(NormalisedLayer):
    """Convolution with kernel and stride 2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(8, inputs, outputs, inputs * 8 * _NEIGHBOUR_SHARE)

    def forward(self, x: Tensor, down: Downsampling) -> Tensor:
        """Map x (N, I) to the N' voxels of the lower level, (N', O)."""
        return self.run(x, lambda: down.child_pairs, lambda: downsample(x, self.weight, down))


class Upsample(NormalisedLayer):
    """Transposed convolution with kernel and stride 2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(8, inputs, outputs, inputs)

    def forward(self, x: Tensor, down: Downsampling) -> Tensor:
        """Map x (N', I) of the lower level to the N voxels above it, (N, O)."""
        return self.run(x, lambda: down.parent_pairs, lambda: upsample(x, self.weight, down))


class Linear(NormalisedLayer):
    """The same matrix for every row."""

    def __init__(self, inputs: int, outputs: int, activate: bool = True) -> None:
        super().__init__(1, inputs, outputs, inputs, activate)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (N, I) to (N, O)."""
        return self.run(x, lambda: one_to_one(len(x)), lambda: linear_rows(x, self.weight[0]))


class ResidualBlock(nn.Module):
    """Two 3 x 3 x 3 convolutions and what came in, added."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = SubmanifoldConv(inputs, outputs)
        self.second = SubmanifoldConv(outputs, outputs)
        self.shortcut = None if inputs == outputs else Linear(inputs, outputs, activate=False)

    def forward(self, x: Tensor, level: VoxelLevel) -> Tensor:
        """Map x (N, I) on the level's N voxels to (N, O)."""
        came_in = x if self.shortcut is None else self.shortcut(x)
        result: Tensor = self.second(self.first(x, level), level, came_in)
        return result
