# SPDX-License-Identifier: Apache-2.0
"""Cylinder grouping: the points that a gripper coming along an approach would meet (paper IV-B.1)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from anygrasp_perception.network.network_config import NetworkConfig
from anygrasp_perception.point_grid import spatial_chunks

__all__ = ["group_cylinders"]

_CHUNK_SEEDS = 64  # of one neighbourhood, compared with the points around it
_SLACK_M = 1e-4  # far above what float32 loses of a position


def group_cylinders(
    points: Tensor, pool: Tensor, seeds: Tensor, rotations: Tensor, config: NetworkConfig
) -> tuple[Tensor, Tensor]:
    """Sample the points in the cylinder of each seed.

    `points` (N, 3) metres; `pool` (P,) rows of points to draw from, in random order; `seeds` (S,) rows of the
    cylinders' origins; `rotations` (S, 3, 3) of the grasp frame, x the approach.

    Returns rows of points (S, K) and their coordinates (S, K, 3) in the grasp frame over the radius. A
    cylinder with fewer than K points repeats what it has, one with none repeats its seed.
    """
    samples, radius = config.cylinder_samples, config.cylinder_radius_m
    candidates = points[pool]
    reach = float(np.hypot(radius, max(abs(config.cylinder_min_m), abs(config.cylinder_max_m)))) + _SLACK_M
    order = seeds.new_full((len(seeds), samples), -1)
    for chunk in spatial_chunks(points[seeds].cpu().numpy(), _CHUNK_SEEDS):
        part = torch.from_numpy(chunk).to(seeds.device)
        centres, R = points[seeds[part]], rotations[part]
        near = (candidates > centres.amin(dim=0) - reach) & (candidates < centres.amax(dim=0) + reach)
        close = near.all(dim=1).nonzero()[:, 0]
        # Along each axis of the frames: (p, 3, s), one product for all seeds of the chunk.
        along = candidates[close] @ R.permute(1, 2, 0).reshape(3, -1)
        along = along.view(len(close), 3, len(chunk)) - torch.einsum("si,sij->js", centres, R)
        x, y, z = along.unbind(dim=1)
        inside = (x > config.cylinder_min_m) & (x < config.cylinder_max_m) & (y * y + z * z < radius**2)
        seed, candidate = inside.t().nonzero(as_tuple=True)
        counts = torch.bincount(seed, minlength=len(centres))
        rank = torch.arange(len(seed), device=seed.device) - (counts.cumsum(0) - counts)[seed]
        kept = rank < samples
        order[part[seed[kept]], rank[kept]] = close[candidate[kept]]
    rows = torch.where(order >= 0, pool[order.clamp_min(0)], seeds[:, None])
    found = (order >= 0).sum(dim=1, keepdim=True).clamp_min(1)
    rows = rows.gather(1, torch.arange(samples, device=rows.device)[None] % found)
    local = torch.einsum("ski,sij->skj", points[rows] - points[seeds][:, None], rotations) / radius
    return rows, local
