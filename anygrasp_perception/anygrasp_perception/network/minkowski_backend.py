# SPDX-License-Identifier: Apache-2.0
"""The backbone run by MinkowskiEngine, with the same weights, for inference: an optional backend."""

from __future__ import annotations

import collections
import collections.abc
import importlib
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from anygrasp_perception.network.backbone import SparseUNet
from anygrasp_perception.network.layers import (
    Downsample,
    NormalisedLayer,
    ResidualBlock,
    SubmanifoldConv,
    Upsample,
)
from anygrasp_perception.network.voxel_level import VoxelLevel

__all__ = ["MinkowskiMissingError", "MinkowskiUNet", "import_minkowski"]


class MinkowskiMissingError(ImportError):
    """MinkowskiEngine is not installed; the message tells how to get it."""


def import_minkowski() -> Any:
    """Return the module MinkowskiEngine. Raises MinkowskiMissingError when it cannot be imported."""
    # Release 0.5.4 imports Sequence from where Python 3.10 and later do not have it.
    collections.Sequence = collections.abc.Sequence  # type: ignore[attr-defined]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its advice on OMP_NUM_THREADS, and old numpy names
            return importlib.import_module("MinkowskiEngine")
    except (ImportError, OSError) as error:
        raise MinkowskiMissingError(
            f"backend 'minkowski' needs MinkowskiEngine 0.5.4 ({error}); build it as docs/minkowski.md "
            "tells, or use backend 'torch', which needs nothing"
        ) from error


class MinkowskiUNet(nn.Module):
    """Stands in for the `SparseUNet` whose weights it takes: voxel features in, voxel features out."""

    def __init__(self, unet: SparseUNet) -> None:
        """Copy a folded network. Raises MinkowskiMissingError, and ValueError when it is not folded."""
        super().__init__()
        self._engine = engine = import_minkowski()
        self.stem = _layer(engine, unet.stem)
        self.downs = nn.ModuleList(_layer(engine, down) for down in unet.downs)
        self.encoders = nn.ModuleList(_Block(engine, block) for block in unet.encoders)
        self.ups = nn.ModuleList(_layer(engine, up) for up in unet.ups)
        self.decoders = nn.ModuleList(_Block(engine, block) for block in unet.decoders)
        self.out = unet.out

    def forward(self, x: Tensor, level: VoxelLevel) -> Tensor:
        """Map x (N, 4) on the level's N voxels to (N, feature_channels)."""
        y = self.stem(self._engine.SparseTensor(x, level.coordinates.int()))
        skips = [y]
        for down, encoder in zip(self.downs, self.encoders, strict=True):
            y = encoder(down(y))
            skips.append(y)
        skips.pop()
        for up, decoder in zip(self.ups, self.decoders, strict=True):
            y = decoder(self._engine.cat(up(y), skips.pop()))
        order = VoxelLevel.of(y.C.long())[1]  # the engine promises no order
        out: Tensor = self.out(y.F[order])
        return out


class _Block(nn.Module):
    def __init__(self, engine: Any, block: nn.Module) -> None:
        super().__init__()
        assert isinstance(block, ResidualBlock)
        self.first, self.second = _layer(engine, block.first), _layer(engine, block.second)
        self.shortcut = None if block.shortcut is None else _layer(engine, block.shortcut)
        self.activate = engine.MinkowskiReLU(inplace=True)

    def forward(self, x: Any) -> Any:
        y = self.second(self.first(x))
        y += x if self.shortcut is None else self.shortcut(x)
        return self.activate(y)


def _layer(engine: Any, layer: nn.Module) -> nn.Module:
    assert isinstance(layer, NormalisedLayer)
    if layer.norm is not None or layer.bias is None:
        raise ValueError("MinkowskiUNet takes a folded network; call fold() first")
    weight = layer.weight.detach()
    inputs, outputs = weight.shape[1:]
    common = {"bias": True, "dimension": 3}
    if isinstance(layer, SubmanifoldConv):
        conv = engine.MinkowskiConvolution(inputs, outputs, kernel_size=layer.kernel, **common)
    elif isinstance(layer, Downsample):
        conv = engine.MinkowskiConvolution(inputs, outputs, kernel_size=2, stride=2, **common)
    elif isinstance(layer, Upsample):
        conv = engine.MinkowskiConvolutionTranspose(inputs, outputs, kernel_size=2, stride=2, **common)
    else:
        conv = engine.MinkowskiConvolution(inputs, outputs, kernel_size=1, **common)
    conv = conv.to(weight)
    with torch.no_grad():
        conv.kernel.copy_(_x_fastest(weight).reshape(conv.kernel.shape))
        conv.bias.copy_(layer.bias.view(conv.bias.shape))
    return nn.Sequential(conv, engine.MinkowskiReLU(inplace=True)) if layer.activate else conv


def _x_fastest(weight: Tensor) -> Tensor:
    """Reorder the offsets of a weight (kernel^3, I, O), z fastest, as the engine numbers them."""
    kernel = round(weight.shape[0] ** (1 / 3))
    grid = weight.view(kernel, kernel, kernel, *weight.shape[1:])
    return grid.permute(2, 1, 0, 3, 4).reshape(weight.shape)
