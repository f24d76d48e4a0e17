# SPDX-License-Identifier: Apache-2.0
"""Distances from places around an object to everything else in the scene, as a voxel grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy import ndimage

from anygrasp_perception.arrays import Float32Array, Float64Array, IntpArray
from anygrasp_perception.cloud import voxel_downsample
from anygrasp_perception.se3 import transform_points
from anygrasp_training.scenes.scene import Scene

__all__ = ["DistanceGrid", "SurfaceSamples", "sample_furniture", "sample_surfaces"]

_POINTS_PER_M2 = 4e5  # 1.6 mm apart: closer than the voxels below
FURNITURE = -1


@dataclass(frozen=True, eq=False)
class SurfaceSamples:
    """Points on all surfaces near the objects, scene frame."""

    points: Float32Array  # (N, 3)
    owners: IntpArray  # (N,) index in scene.objects, or -1 for furniture

    def without(self, index: int) -> Float32Array:
        """Points (M, 3) of everything but one object."""
        others: Float32Array = self.points[self.owners != index]
        return others


def sample_surfaces(scene: Scene, margin_m: float, seed: int = 0) -> SurfaceSamples:
    """Sample the surfaces within `margin_m` of the box around all objects, evenly by area."""
    bodies = [
        trimesh.Trimesh(
            transform_points(item.T_scene_object, item.body.mesh.vertices),
            item.body.mesh.faces,
            process=False,
        )
        for item in scene.objects
    ]
    corners = np.concatenate([body.bounds for body in bodies])
    lower, upper = corners.min(axis=0) - margin_m, corners.max(axis=0) + margin_m
    owned = [(index, body) for index, body in enumerate(bodies)]
    owned += [(FURNITURE, item.mesh) for item in scene.furniture]
    rng = np.random.default_rng(seed)
    points, owners = [np.zeros((0, 3), np.float32)], [np.zeros(0, np.intp)]
    for owner, mesh in owned:
        corner = mesh.triangles
        near = ((corner.max(axis=1) >= lower) & (corner.min(axis=1) <= upper)).all(axis=1)
        sample = _sample_triangles(corner[near], rng)
        sample = sample[((sample >= lower) & (sample <= upper)).all(axis=1)]
        points.append(sample)
        owners.append(np.full(len(sample), owner))
    return SurfaceSamples(np.concatenate(points), np.concatenate(owners))


def sample_furniture(scene: Scene, margin_m: float, spacing_m: float) -> Float32Array:
    """Sample (N, 3) table, walls and clutter within `margin_m` of the objects, one point a voxel."""
    samples = sample_surfaces(scene, margin_m)
    points = samples.points[samples.owners == FURNITURE]
    return np.asarray(points[voxel_downsample(points, spacing_m)])


def _sample_triangles(corners: Float64Array, rng: np.random.Generator) -> Float32Array:
    """Random points (N, 3), evenly by area, on triangles (T, 3, 3)."""
    edge_u, edge_v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    areas = np.linalg.norm(np.cross(edge_u, edge_v), axis=1) / 2
    counts = rng.poisson(areas * _POINTS_PER_M2)
    chosen = np.repeat(np.arange(len(corners)), counts)
    u, v = rng.random((2, len(chosen), 1))
    flip = u + v > 1  # the other half of the parallelogram
    u, v = np.where(flip, 1 - u, u), np.where(flip, 1 - v, v)
    sample: Float32Array = (corners[chosen, 0] + u * edge_u[chosen] + v * edge_v[chosen]).astype(np.float32)
    return sample


class DistanceGrid:
    """Distance to the nearest of many points, on a regular grid over a box.

    Looked up at the nearest voxel it is off by at most `slack_m`, interpolated by far less.
    """

    def __init__(
        self, points: Float32Array, lower: Float64Array, upper: Float64Array, voxel_m: float = 0.004
    ) -> None:
        self._lower = lower.astype(np.float32)
        self._voxel_m = voxel_m
        shape = np.ceil((upper - lower) / voxel_m).astype(int) + 1
        index = np.rint((points - lower) / voxel_m).astype(int)
        index = index[((index >= 0) & (index < shape)).all(axis=1)]
        empty = np.ones(shape, dtype=np.bool_)
        empty[tuple(index.T)] = False
        if empty.all():
            self._distance = np.full(shape, np.inf, dtype=np.float32)
        else:
            self._distance = ndimage.distance_transform_edt(empty, sampling=voxel_m).astype(np.float32)
        self._last = shape - 1
        self._strides = np.array([shape[1] * shape[2], shape[2], 1], dtype=np.intp)
        # Half a voxel's diagonal for the place that is asked about and as much for the point found.
        self.slack_m = float(np.sqrt(3.0) * voxel_m)

    def nearest(self, places: NDArray[np.floating]) -> Float32Array:
        """Distances (...) at places (..., 3), those of the nearest voxels; beyond the box, of its rim."""
        flat = np.zeros(places.shape[:-1], dtype=np.int32)
        for axis in range(3):
            index = (places[..., axis] - self._lower[axis]) * np.float32(1 / self._voxel_m)
            index += np.float32(0.5)
            np.clip(index, 0, np.float32(self._last[axis]), out=index)
            flat += index.astype(np.int32) * np.int32(self._strides[axis])
        return self._distance.reshape(-1).take(flat)

    def interpolated(self, places: NDArray[np.floating]) -> Float32Array:
        """Distances (...) at places (..., 3), linear between voxels; beyond the box, of its rim."""
        index = (places.reshape(-1, 3) - self._lower) / np.float32(self._voxel_m)
        found: Float32Array = ndimage.map_coordinates(self._distance, index.T, order=1, mode="nearest")
        return found.reshape(places.shape[:-1])
