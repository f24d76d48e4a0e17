# SPDX-License-Identifier: Apache-2.0
"""What stands on the support: a denoised surface with normals, split into objects at concave creases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from anygrasp_perception.arrays import BoolArray, Float32Array, Float64Array, Int32Array, IntpArray
from anygrasp_perception.cloud import estimate_normals
from anygrasp_perception.connected_pieces import linked_pieces

__all__ = ["ObjectSurface", "ObjectSurfaceConfig", "Voxels", "build_object_surface", "voxel_means"]


@dataclass(frozen=True)
class ObjectSurfaceConfig:
    """How points off the support become surfaces and segments. Raises ValueError on values out of range."""

    normal_neighbours: int = 16
    normal_radius_m: float = 0.012
    link_neighbours: int = 8
    link_distance_m: float = 0.008  # nearer points belong together
    outlier_factor: float = 2.5  # points whose neighbours are so many times further than usual are noise
    crease_angle_rad: float = 0.45  # a concave crease sharper than this parts two objects
    min_island_points: int = 25  # a smaller heap of points is noise of the support
    min_segment_points: int = 12  # smaller pieces of an island are put together

    def __post_init__(self) -> None:
        for name in ("normal_neighbours", "link_neighbours"):
            if getattr(self, name) < 3:
                raise ValueError(f"ObjectSurfaceConfig.{name} must be at least 3, got {getattr(self, name)}")
        for name in ("normal_radius_m", "link_distance_m", "outlier_factor", "crease_angle_rad"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"ObjectSurfaceConfig.{name} must be positive, got {getattr(self, name)}")


@dataclass(frozen=True, eq=False)
class Voxels:
    """Points averaged over the cubes of a grid."""

    means: Float32Array  # (V, 3)
    voxel_of_point: IntpArray  # (N,)
    counts: IntpArray  # (V,)
    members: IntpArray  # (V,) index of one point in each cube

    def share(self, mask: BoolArray) -> Float64Array:
        """Share (V,) of each cube's points that are in mask (N,)."""
        return np.bincount(self.voxel_of_point, mask, len(self.means)) / self.counts


@dataclass(frozen=True, eq=False)
class ObjectSurface:
    """M surface points of everything that is not support, metres in the camera frame."""

    points: Float32Array  # (M, 3)
    normals: Float32Array  # (M, 3) unit, towards the camera
    segment_ids: Int32Array  # (M,) 0 .. S - 1
    centres: Float64Array  # (S, 3) centroid of each segment's visible points
    radii_m: Float64Array  # (S,) from the centroid to the segment's furthest point
    source: IntpArray  # (M,) index into the points that the surface was built from

    def __len__(self) -> int:
        return len(self.points)


def voxel_means(points: Float32Array, voxel_m: float) -> Voxels:
    """Average points (N, 3), N > 0, over cubes of edge voxel_m.

    The average has less noise than any one point; `cloud.voxel_downsample` picks one, and keeps its pixel.
    """
    cells = np.floor(points / np.float32(voxel_m)).astype(np.int64)
    cells -= cells.min(axis=0)
    extent = cells.max(axis=0) + 1
    keys = (cells[:, 0] * extent[1] + cells[:, 1]) * extent[2] + cells[:, 2]
    order = np.argsort(keys, kind="stable")
    starts = np.diff(keys[order], prepend=-1) != 0
    first = np.flatnonzero(starts)
    members = order[first]
    counts = np.diff(first, append=len(points))
    # Sums of a few float32 offsets from a point of the cube lose nothing.
    offsets = points[order] - np.repeat(points[members], counts, axis=0)
    means = np.add.reduceat(offsets, first, axis=0) / counts[:, None].astype(np.float32)
    means += points[members]
    voxel_of_point = np.empty(len(points), dtype=np.intp)
    voxel_of_point[order] = np.cumsum(starts) - 1
    return Voxels(np.asarray(means, dtype=np.float32), voxel_of_point, counts, members)


def build_object_surface(points: Float32Array, config: ObjectSurfaceConfig) -> ObjectSurface:
    """Drop stray points, estimate normals, and segment points (N, 3) that lie off the support.

    Segments are islands of linked points, cut at concave creases: objects that touch meet in one, a single
    object rarely has a sharp one (convexity criterion of Stein et al., CVPR 2014).
    """
    if len(points) <= max(config.link_neighbours, config.min_island_points):
        return _surface(points[:0], points[:0], np.zeros(0, np.intp), np.zeros(0, np.intp))
    distance, neighbour = cKDTree(points).query(points, k=config.link_neighbours + 1)
    furthest = distance[:, -1]
    sound = furthest <= config.outlier_factor * np.median(furthest)
    normals = estimate_normals(points, config.normal_neighbours, config.normal_radius_m)
    linked = sound[:, None] & sound[neighbour] & (distance <= config.link_distance_m)
    linked[:, 0] = False  # the point itself
    first, column = np.nonzero(linked)
    second = neighbour[first, column]
    islands = linked_pieces(len(points), first, second)
    kept = np.flatnonzero(sound & (np.bincount(islands)[islands] >= config.min_island_points))

    smooth = ~_creased(points, normals, first, second, config.crease_angle_rad)
    segments = linked_pieces(len(points), first[smooth], second[smooth])
    small = np.bincount(segments)[segments] < config.min_segment_points
    segments = np.where(small, segments.max() + 1 + islands, segments)  # slivers along the creases
    return _surface(points[kept], normals[kept], segments[kept], kept)


def _surface(
    points: Float32Array, normals: Float32Array, labels: IntpArray, source: IntpArray
) -> ObjectSurface:
    segments = np.unique(labels, return_inverse=True)[1]
    count = int(segments.max(initial=-1)) + 1
    sums = [np.bincount(segments, points[:, axis], count) for axis in range(3)]
    centres = np.stack(sums, axis=-1) / np.bincount(segments, minlength=count)[:, None]
    radii = np.zeros(count)
    np.maximum.at(radii, segments, np.linalg.norm(points - centres[segments], axis=1))
    return ObjectSurface(points, normals, segments.astype(np.int32), centres, radii, source)


def _creased(
    points: Float32Array, normals: Float32Array, first: IntpArray, second: IntpArray, angle_rad: float
) -> BoolArray:
    """Which links (E,) cross a concave crease sharper than angle_rad."""
    turn = np.einsum("ei,ei->e", normals[first], normals[second])
    opening = np.einsum("ei,ei->e", normals[second] - normals[first], points[second] - points[first])
    return np.asarray((opening < 0.0) & (turn < np.cos(angle_rad)))
