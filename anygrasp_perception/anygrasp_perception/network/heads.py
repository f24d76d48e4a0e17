# SPDX-License-Identifier: Apache-2.0
"""What is predicted at points, at seeds, and in the cylinders along their views (paper IV-B.1, Fig. 3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from anygrasp_perception.grasp import ANGLE_COUNT, DEPTHS_M, VIEW_COUNT
from anygrasp_perception.network.layers import Linear
from anygrasp_perception.network.network_config import NetworkConfig
from anygrasp_perception.network.pooled_layers import pooled_layers, pools_compiled
from anygrasp_perception.network.row_products import linear

__all__ = ["WIDTH_SCALE", "CropHead", "CropPrediction", "PointHead", "ViewHead"]

WIDTH_SCALE = 10.0  # widths are learnt in decimetres: about as large as the scores


_RARE = -3.0  # first bias of the scores: few views and cells are good
_CHUNK_SEEDS = 64  # of whose cylinders the features stay in the cache


class PointHead(nn.Module):
    """Objectness and graspness of every point."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.out = nn.Linear(config.feature_channels, 3)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Map (N, C) to objectness logits (N, 2), background and object, and graspness (N,)."""
        out = linear(self.out, features)
        return out[:, :2], out[:, 2]


class ViewHead(nn.Module):
    """Scores of the 300 approach directions of every seed."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.hidden = nn.Linear(config.feature_channels, config.feature_channels)
        self.out = nn.Linear(config.feature_channels, VIEW_COUNT)
        nn.init.constant_(self.out.bias, _RARE)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Map (S, C) to view scores (S, 300) in [0, 1] and seed features (S, C) with the view's added."""
        hidden = linear(self.hidden, features, activate=True)
        return torch.sigmoid(linear(self.out, hidden)), features + hidden


@dataclass(frozen=True, eq=False)
class CropPrediction:
    """Grasps of S seeds along one view each: 12 in-plane angles x 5 depths."""

    scores: Tensor  # (S, 12, 5) in [0, 1]
    widths_m: Tensor  # (S, 12, 5)
    stable_scores: Tensor  # (S, 12) shared by the depths
    features: Tensor  # (S, head_channels) grasp features, before the last layer


class CropHead(nn.Module):
    """A PointNet over the points in each seed's cylinder."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        crop, head = config.crop_channels, config.head_channels
        # The first layer is linear in features and coordinates, so that the features' part is computed once
        # for all cylinders a point is in.
        self.features = nn.Linear(config.feature_channels, crop, bias=False)
        self.local = nn.Linear(6, crop)
        self.shared = Linear(crop, crop)
        # Beside the cylinder: the seed, and where the camera looks from in the grasp's frame.
        self.joint = nn.Linear(crop + config.feature_channels + 3, head)
        self.hidden = nn.Linear(head, head)
        self.out = nn.Linear(head, ANGLE_COUNT * len(DEPTHS_M) * 2 + ANGLE_COUNT)
        nn.init.constant_(self.out.bias[: ANGLE_COUNT * len(DEPTHS_M)], _RARE)

    def forward(
        self,
        features: Tensor,
        rows: Tensor,
        local: Tensor,
        seed_features: Tensor,
        rotations: Tensor,
    ) -> CropPrediction:
        """Predict from features (N, C), the cylinders' rows (S, K) with coordinates and normals in the grasp
        frame (S, K, 6), seed features (S, C) and the cylinders' rotations (S, 3, 3) in the camera frame."""
        pooled = self._pool(features, rows, local)
        joint = torch.cat([pooled, seed_features, rotations[:, 2]], dim=1)
        hidden = linear(self.hidden, linear(self.joint, joint, activate=True), activate=True)
        out = linear(self.out, hidden)
        cells = out[:, : 2 * ANGLE_COUNT * len(DEPTHS_M)].view(len(out), 2, ANGLE_COUNT, len(DEPTHS_M))
        return CropPrediction(
            torch.sigmoid(cells[:, 0]), cells[:, 1] / WIDTH_SCALE, out[:, -ANGLE_COUNT:], hidden
        )

    def _pool(self, features: Tensor, rows: Tensor, local: Tensor) -> Tensor:
        """Return the largest value of each channel in each cylinder (S, crop_channels)."""
        used = torch.zeros(len(features), dtype=torch.bool, device=rows.device)
        used[rows] = True
        compact = (used.cumsum(0) - 1)[rows]
        projected = linear(self.features, features[used])
        weights = [self.local.weight.t(), self.shared.weight[0]]
        if self.shared.norm is None and self.shared.bias is not None and pools_compiled(local, weights):
            biases = [self.local.bias, self.shared.bias]
            again = rows[:, 1:] == rows[:, :1]  # a cylinder with few points repeats them in their order
            counts = torch.where(again.any(dim=1), again.int().argmax(dim=1) + 1, rows.shape[1])
            return pooled_layers(local, weights, biases, projected, compact, counts)
        parts = []
        # Statistics of a batch need all of it; without them a part at a time stays in the cache.
        step = _CHUNK_SEEDS if self.shared.norm is None and not rows.is_cuda else max(len(rows), 1)
        for start in range(0, max(len(rows), 1), step):
            part = slice(start, start + step)
            seeds, samples = compact[part].shape
            # index_select, and nothing in place on a view: their gradients take a tenth of the time.
            x = projected.index_select(0, compact[part].flatten())
            x = torch.relu_(x.add_(self.local(local[part].flatten(0, 1))))
            x = self.shared(x)
            parts.append(x.view(seeds, samples, x.shape[1]).amax(dim=1))
        return torch.cat(parts)
