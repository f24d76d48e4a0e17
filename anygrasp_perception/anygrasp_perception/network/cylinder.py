# SPDX-License-Identifier: Apache-2.0
"""Cylinder grouping: the points that a gripper coming along an approach would meet (paper IV-B.1)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from anygrasp_perception.arrays import Float32Array, IntpArray
from anygrasp_perception.compiled import compiled, in_parts, thread_count
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
    reach = float(np.hypot(radius, max(abs(config.cylinder_min_m), abs(config.cylinder_max_m)))) + _SLACK_M
    if points.device.type == "cpu" and points.dtype == torch.float32:
        rows = _in_cylinders(points, pool, seeds, rotations, config, reach)
        local = torch.einsum("ski,sij->skj", points[rows] - points[seeds][:, None], rotations) / radius
        return rows, local
    candidates = points[pool]
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


def _in_cylinders(
    points: Tensor, pool: Tensor, seeds: Tensor, rotations: Tensor, config: NetworkConfig, reach_m: float
) -> Tensor:
    """Rows (S, K) as `group_cylinders` returns them, compiled."""
    places, origins = points.contiguous().numpy(), seeds.contiguous().numpy()
    drawn, frames = pool.contiguous().numpy(), rotations.contiguous().numpy()
    rows = np.empty((len(origins), config.cylinder_samples), dtype=np.int64)
    chunks = spatial_chunks(places[origins], _CHUNK_SEEDS)
    limits = config.cylinder_min_m, config.cylinder_max_m, config.cylinder_radius_m, reach_m

    def group(start: int, stop: int) -> None:
        for chunk in chunks[start:stop]:
            _group(places, drawn, origins, frames, chunk, *limits, rows)

    in_parts(group, len(chunks), 1, thread_count())
    return torch.from_numpy(rows)


@compiled
def _group(
    points: Float32Array,
    pool: IntpArray,
    seeds: IntpArray,
    rotations: Float32Array,
    chunk: IntpArray,
    least_m: float,
    most_m: float,
    radius_m: float,
    reach_m: float,
    rows: IntpArray,
) -> None:
    """Fill the rows of the seeds of one chunk, which are near each other."""
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for seed in chunk:
        for axis in range(3):
            low[axis] = min(low[axis], points[seeds[seed], axis] - reach_m)
            high[axis] = max(high[axis], points[seeds[seed], axis] + reach_m)
    near = np.empty(len(pool), dtype=np.intp)
    count = 0
    for row in pool:
        near[count] = row
        inside = (points[row, 0] > low[0]) & (points[row, 0] < high[0])
        inside &= (points[row, 1] > low[1]) & (points[row, 1] < high[1])
        count += inside & (points[row, 2] > low[2]) & (points[row, 2] < high[2])
    samples = rows.shape[1]
    for seed in chunk:
        R, origin = rotations[seed], points[seeds[seed]]
        found = 0
        for row in near[:count]:
            dx, dy, dz = points[row, 0] - origin[0], points[row, 1] - origin[1], points[row, 2] - origin[2]
            along = R[0, 0] * dx + R[1, 0] * dy + R[2, 0] * dz
            if along <= least_m or along >= most_m:
                continue
            across = R[0, 1] * dx + R[1, 1] * dy + R[2, 1] * dz
            up = R[0, 2] * dx + R[1, 2] * dy + R[2, 2] * dz
            if across * across + up * up >= radius_m**2:
                continue
            rows[seed, found] = row
            found += 1
            if found == samples:
                break
        if found == 0:
            rows[seed, 0], found = seeds[seed], 1
        for sample in range(found, samples):
            rows[seed, sample] = rows[seed, sample % found]
