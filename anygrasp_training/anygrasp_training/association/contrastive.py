# SPDX-License-Identifier: Apache-2.0
"""Supervised contrastive loss of two frames' grasp features (paper IV-B.3, Eq. 7)."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["contrastive_loss", "recall_at_1"]


def contrastive_loss(first: Tensor, second: Tensor, same: Tensor, temperature: float = 0.1) -> Tensor:
    """Mean over the grasps of the first frame that are found again in the second; 0 when none is.

    Features (N, D) and (M, D) of unit length; `same` (N, M) bool. The paper sums, which would weigh frames by
    their number of grasps.
    Raises ValueError on a temperature that is not positive.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    log_share = torch.log_softmax(first @ second.T / temperature, dim=1)
    counts = same.sum(dim=1)
    found = counts > 0
    if not found.any():
        return first.sum() * 0.0  # with a gradient, which is zero
    each = -torch.where(same, log_share, 0.0).sum(dim=1)[found] / counts[found]
    return each.mean()


def recall_at_1(first: Tensor, second: Tensor, same: Tensor) -> float:
    """Share of the grasps found again whose best match (of unit features) is one of the same; NaN of none."""
    found = same.any(dim=1)
    if not found.any():
        return float("nan")
    best = (first @ second.T).argmax(dim=1, keepdim=True)
    return float(same.gather(1, best)[found].float().mean())
