# SPDX-License-Identifier: Apache-2.0
"""Cylinder grouping: the points that a gripper coming along an approach would meet (paper IV-B.1)."""

from __future__ import annotations

import torch
from torch import Tensor

from anygrasp_perception.network.network_config import NetworkConfig

__all__ = ["group_cylinders"]

_CHUNK_SEEDS = 32  # their distances to a pool of points stay in the cache


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
    order = seeds.new_full((len(seeds), samples), -1)
    for first in range(0, len(seeds), _CHUNK_SEEDS):
        part = slice(first, first + _CHUNK_SEEDS)
        centres, R = points[seeds[part]], rotations[part]
        # Along each axis of the frames: (s, P), one product for all seeds of the chunk.
        along = candidates @ R.permute(1, 2, 0).reshape(3, -1)  # (P, 3 s)
        along = along.view(len(candidates), 3, -1) - torch.einsum("si,sij->js", centres, R)
        x, y, z = along.unbind(dim=1)
        inside = (x > config.cylinder_min_m) & (x < config.cylinder_max_m) & (y * y + z * z < radius**2)
        seed, candidate = inside.t().nonzero(as_tuple=True)
        counts = torch.bincount(seed, minlength=len(centres))
        rank = torch.arange(len(seed), device=seed.device) - (counts.cumsum(0) - counts)[seed]
        kept = rank < samples
        order[first + seed[kept], rank[kept]] = candidate[kept]
    rows = torch.where(order >= 0, pool[order.clamp_min(0)], seeds[:, None])
    found = (order >= 0).sum(dim=1, keepdim=True).clamp_min(1)
    rows = rows.gather(1, torch.arange(samples, device=rows.device)[None] % found)
    local = torch.einsum("ski,sij->skj", points[rows] - points[seeds][:, None], rotations) / radius
    return rows, local
