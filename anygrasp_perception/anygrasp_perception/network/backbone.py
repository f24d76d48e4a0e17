# SPDX-License-Identifier: Apache-2.0
"""The sparse U-Net of the geometry module: MinkUNet14's shape (DESIGN 3), at the widths of a config."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anygrasp_perception.network.layers import Downsample, ResidualBlock, SubmanifoldConv, Upsample
from anygrasp_perception.network.network_config import INPUT_CHANNELS, NetworkConfig
from anygrasp_perception.network.row_pairs import one_to_one
from anygrasp_perception.network.row_products import is_compiled, row_products
from anygrasp_perception.network.sparse_ops import linear_rows
from anygrasp_perception.network.voxel_level import VoxelLevel

__all__ = ["SparseUNet"]

_STEM_KERNEL = 5


class SparseUNet(nn.Module):
    """Voxel features in, voxel features of `feature_channels` out."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        encoder, decoder = config.encoder_channels, config.decoder_channels
        self.stem = SubmanifoldConv(INPUT_CHANNELS, config.stem_channels, _STEM_KERNEL)
        self.downs, self.encoders = nn.ModuleList(), nn.ModuleList()
        skips = [config.stem_channels, *encoder[:-1]]
        for inputs, outputs in zip(skips, encoder, strict=True):
            self.downs.append(Downsample(inputs, inputs))
            self.encoders.append(ResidualBlock(inputs, outputs))
        self.ups, self.decoders = nn.ModuleList(), nn.ModuleList()
        width = encoder[-1]
        for outputs, skip in zip(decoder, reversed(skips), strict=True):
            self.ups.append(Upsample(width, outputs))
            self.decoders.append(ResidualBlock(outputs + skip, outputs))
            width = outputs
        self.out = nn.Linear(width, config.feature_channels)

    def forward(self, x: Tensor, level: VoxelLevel) -> Tensor:
        """Map x (N, 4) on the level's N voxels to (N, feature_channels)."""
        x = self.stem(x, level)
        levels, skips = [level], [x]
        for down, encoder in zip(self.downs, self.encoders, strict=True):
            below = levels[-1].down
            x = encoder(down(x, below), below.level)
            levels.append(below.level)
            skips.append(x)
        skips.pop()
        for up, decoder, above in zip(self.ups, self.decoders, reversed(levels[:-1]), strict=True):
            x = decoder(torch.cat([up(x, above.down), skips.pop()], dim=1), above)
        weight = self.out.weight.t()[None]
        if is_compiled(x, weight):
            return row_products(x, weight, one_to_one(len(x)), self.out.bias)
        return linear_rows(x, weight[0]) + self.out.bias
