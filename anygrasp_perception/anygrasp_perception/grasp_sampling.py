# SPDX-License-Identifier: Apache-2.0
"""Where to try a grasp: seed points on the objects and approach directions at each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import BoolArray, Float32Array, Float64Array, Int32Array, IntpArray
from anygrasp_perception.grasp import VIEW_COUNT, fibonacci_views
from anygrasp_perception.object_surface import voxel_means

__all__ = ["ApproachCone", "GraspSamplingConfig", "SeedApproaches", "sample_approaches", "sample_seeds"]


@dataclass(frozen=True)
class GraspSamplingConfig:
    """How many candidates, and how far their approaches spread. Raises ValueError on values out of range."""

    max_seeds: int = 200
    seed_spacing_m: float = 0.008
    random_approaches: int = 8  # at each seed, beside the four that geometry suggests
    spread_rad: float = 1.2  # of the random ones about the support's normal, when no cone is asked for
    max_view_angle_rad: float = 1.4  # between approach and viewing ray: what lies behind is unseen

    def __post_init__(self) -> None:
        if self.max_seeds < 1 or self.random_approaches < 0:
            raise ValueError(
                f"GraspSamplingConfig needs max_seeds >= 1 and random_approaches >= 0, got {self.max_seeds} "
                f"and {self.random_approaches}"
            )
        for name in ("seed_spacing_m", "spread_rad", "max_view_angle_rad"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"GraspSamplingConfig.{name} must be positive, got {getattr(self, name)}")


@dataclass(frozen=True, eq=False)
class ApproachCone:
    """Approach directions that a request allows."""

    axis: Float64Array  # (3,) unit, camera frame
    half_angle_rad: float

    def contains(self, directions: Float64Array) -> BoolArray:
        """Which unit directions (..., 3) lie in the cone; the axis always does."""
        return np.asarray(directions @ self.axis >= np.cos(self.half_angle_rad) - 1e-9)

    def clip(self, directions: Float64Array) -> Float64Array:
        """Turn the unit directions (..., 3) that lie outside towards the axis, onto the cone's rim."""
        across = directions - (directions @ self.axis)[..., None] * self.axis
        length = np.linalg.norm(across, axis=-1, keepdims=True)
        # Straight against the axis every way back is as good: take a fixed one.
        across = np.where(length > 1e-9, across / np.maximum(length, 1e-9), _perpendicular(self.axis))
        rim = np.cos(self.half_angle_rad) * self.axis + np.sin(self.half_angle_rad) * across
        return np.asarray(np.where(self.contains(directions)[..., None], directions, rim))


@dataclass(frozen=True, eq=False)
class SeedApproaches:
    """F pairs of a seed and an approach to try there; the approaches are shared by many seeds."""

    seeds: IntpArray  # (F,) index into the surface
    views: IntpArray  # (F,) index into approaches
    approaches: Float64Array  # (V, 3) unit
    view_ids: Int32Array  # (V,) index into fibonacci_views(), -1: the preferred approach itself
    left_out: int  # further pairs that were not worth a try


def sample_seeds(
    points: Float32Array, allowed: BoolArray, config: GraspSamplingConfig, rng: np.random.Generator
) -> IntpArray:
    """Indices (S,), rising, of at most max_seeds evenly spread points (N, 3), of those allowed (N,)."""
    index = np.flatnonzero(allowed)
    if len(index) == 0:
        return index
    seeds = index[voxel_means(points[index], config.seed_spacing_m).members]
    return np.sort(rng.permutation(seeds)[: config.max_seeds])


def sample_approaches(
    seeds: IntpArray,
    points: Float32Array,
    normals: Float32Array,
    preferred: Float64Array,
    cone: ApproachCone | None,
    config: GraspSamplingConfig,
    rng: np.random.Generator,
) -> SeedApproaches:
    """Approaches at seeds (S,) on a surface with points and normals (N, 3).

    At each seed: the preferred approach (3,), against the surface normal, halfway between these, along the
    viewing ray, and random ones about the preferred; with a cone all of them are clipped to it. Each is
    replaced by the nearest of the label space's views or the preferred approach, so that seeds share
    approaches. Left out: from behind what the camera sees.
    """
    count = len(seeds)
    ray = points[seeds] / np.linalg.norm(points[seeds], axis=1, keepdims=True)
    inwards = -normals[seeds]
    halfway = preferred + inwards
    halfway /= np.maximum(np.linalg.norm(halfway, axis=1, keepdims=True), 1e-9)
    spread = config.spread_rad if cone is None else min(cone.half_angle_rad, config.spread_rad)
    # As dense in a narrow cone as in a wide one, but at least two.
    share = (1.0 - np.cos(spread)) / (1.0 - np.cos(config.spread_rad))
    number = min(config.random_approaches, max(2, round(share * config.random_approaches)))
    chance = [_around(preferred, spread, count, rng) for _ in range(number)]
    suggested = [np.broadcast_to(preferred, (count, 3)), inwards, halfway, ray]
    wanted = np.stack([*suggested, *chance], axis=1).astype(np.float64)  # (S, A, 3)

    approaches = np.vstack([preferred, -fibonacci_views()])
    view_ids = np.arange(-1, VIEW_COUNT, dtype=np.int32)
    if cone is not None:
        inside = cone.contains(approaches)
        approaches, view_ids, wanted = approaches[inside], view_ids[inside], cone.clip(wanted)
    view = np.argmax(wanted @ approaches.T, axis=-1)  # (S, A)
    pairs = np.unique(
        np.stack([view, np.broadcast_to(seeds[:, None], view.shape)], axis=-1).reshape(-1, 2), axis=0
    )
    ray_of_point = points[pairs[:, 1]] / np.linalg.norm(points[pairs[:, 1]], axis=1, keepdims=True)
    visible = np.einsum("fi,fi->f", approaches[pairs[:, 0]], ray_of_point) > np.cos(config.max_view_angle_rad)
    kept = pairs[visible]
    return SeedApproaches(kept[:, 1], kept[:, 0], approaches, view_ids, int(np.count_nonzero(~visible)))


def _around(axis: Float64Array, spread_rad: float, count: int, rng: np.random.Generator) -> Float64Array:
    """Directions (count, 3), evenly spread over the cone of half angle spread_rad about the unit axis."""
    cos = rng.uniform(np.cos(spread_rad), 1.0, count)[:, None]
    azimuth = rng.uniform(0.0, 2.0 * np.pi, count)[:, None]
    side = _perpendicular(axis)
    across = np.cos(azimuth) * side + np.sin(azimuth) * np.cross(axis, side)
    return np.asarray(cos * axis + np.sqrt(1.0 - cos**2) * across)


def _perpendicular(axis: Float64Array) -> Float64Array:
    side = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    return np.asarray(side / np.linalg.norm(side))
