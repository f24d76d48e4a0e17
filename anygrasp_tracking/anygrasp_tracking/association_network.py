# SPDX-License-Identifier: Apache-2.0
"""The association network: a unit feature for each grasp, alike for the same grasp on a moved object."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anygrasp_tracking.association_config import AssociationNetworkConfig
from anygrasp_tracking.association_input import POSE_NUMBERS, AssociationInput

__all__ = ["AssociationNetwork"]


class AssociationNetwork(nn.Module):
    """Colours, seed features, grasp features and pose to one feature of unit length (paper IV-B.2)."""

    def __init__(self, config: AssociationNetworkConfig) -> None:
        super().__init__()
        self.config = config
        colors, hidden = config.color_channels, config.hidden_channels
        self.color = nn.Sequential(nn.Linear(3, colors), nn.ReLU(), nn.Linear(colors, colors), nn.ReLU())
        # The frozen features come in scales of their own.
        self.seed_norm = nn.LayerNorm(config.seed_channels)
        self.grasp_norm = nn.LayerNorm(config.grasp_channels)
        self.joint = nn.Sequential(
            nn.Linear(colors + config.seed_channels + config.grasp_channels + POSE_NUMBERS, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, config.feature_channels),
        )

    def forward(self, seed: Tensor, grasp: Tensor, colors: Tensor, pose: Tensor) -> Tensor:
        """Map (N, C), (N, C'), (N, K, 3) and (N, 12) to features (N, 256) of unit length."""
        color = self.color(colors).amax(dim=1)
        joint = torch.cat([color, self.seed_norm(seed), self.grasp_norm(grasp), pose], dim=1)
        return nn.functional.normalize(self.joint(joint), dim=1)

    @torch.inference_mode()
    def describe(self, given: AssociationInput) -> Tensor:
        """Return the features (N, 256) of a frame's grasps."""
        device = next(self.parameters()).device
        arrays = (given.seed, given.grasp, given.colors, given.pose)
        features: Tensor = self(*(torch.from_numpy(array).float().to(device) for array in arrays))
        return features.cpu()
