# SPDX-License-Identifier: Apache-2.0
"""Ray casting against a closed mesh that tells which side of the surface was hit (Open3D, Embree)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import open3d
import trimesh
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import ConvexHull, QhullError

from anygrasp_perception.arrays import BoolArray, Float32Array

__all__ = ["MeshRays", "RayHits", "frame_rays"]

_BLOCK_RAYS = 16_384  # built and cast at once: they and their hits stay in the cache


def frame_rays(
    origins: NDArray[np.float32],
    rotations: NDArray[np.float32],
    offsets: NDArray[np.float32],
    direction: ArrayLike,
) -> Float32Array:
    """Return rays (P, M, 6), origin and direction, laid out alike in each of M frames.

    Frames as `origins` (M, 3) and `rotations` (M, 3, 3); `offsets` (P, 3) and `direction` (3,) in them.
    """
    rays = np.empty((len(offsets), len(origins), 6), dtype=np.float32)
    along = np.asarray(direction, dtype=np.float32)
    # Axis by axis, so that the long dimension is the inner one: several times faster in NumPy.
    for axis in range(3):
        row = rotations[:, axis]  # (M, 3)
        np.add(offsets @ row.T, origins[:, axis], out=rays[..., axis])
        rays[..., 3 + axis] = row @ along
    return rays


@dataclass(frozen=True, eq=False)
class RayHits:
    """First hits of rays (...); a ray that meets nothing has infinite distance and is outside."""

    distances_m: Float32Array  # (...)
    normals: Float32Array  # (..., 3) outward unit normals of the triangles, zero where nothing was hit
    from_inside: BoolArray  # (...) the triangle was met from behind: the ray starts in the solid


class MeshRays:
    """A closed mesh, ready for rays (..., 6): origin, then unit direction, metres.

    On one thread, since the generators run one process a core.
    """

    def __init__(self, mesh: trimesh.Trimesh) -> None:
        # Any: its stubs ask for tensors where it takes arrays too.
        scene: Any = open3d.t.geometry.RaycastingScene
        self._scene = scene(nthreads=1)
        self._vertices = np.ascontiguousarray(mesh.vertices, dtype=np.float32)
        self._scene.add_triangles(self._vertices, np.ascontiguousarray(mesh.faces, dtype=np.uint32))

    def first_hits(self, rays: Float32Array) -> RayHits:
        """Return what rays (..., 6) meet first."""
        answer = self._scene.cast_rays(rays, nthreads=1)
        normals: Float32Array = answer["primitive_normals"].numpy()
        along = sum(normals[..., axis] * rays[..., 3 + axis] for axis in range(3))
        return RayHits(answer["t_hit"].numpy(), normals, np.asarray(along > 0.0))

    def crosses_surface(self, rays: Float32Array, length_m: float) -> BoolArray:
        """Return (...) bool: rays (..., 6) meet the surface within `length_m`, from either side."""
        hit: BoolArray = self._scene.test_occlusions(rays, tnear=0.0, tfar=length_m, nthreads=1).numpy()
        return hit

    def any_crosses_in_frames(
        self,
        origins: NDArray[np.float32],
        rotations: NDArray[np.float32],
        offsets: NDArray[np.float32],
        direction: ArrayLike,
        length_m: float,
    ) -> BoolArray:
        """Return (M,) bool: any of the rays of a frame meets the surface within `length_m`; arguments as
        `frame_rays`."""
        hit = np.empty(len(origins), dtype=np.bool_)
        for block in _blocks(len(origins), len(offsets)):
            rays = frame_rays(origins[block], rotations[block], offsets, direction)
            hit[block] = self.crosses_surface(rays, length_m).any(axis=0)
        return hit

    def contains(self, points: NDArray[np.float32]) -> BoolArray:
        """Return (M,) bool: the points (M, 3) are inside the solid."""
        # Any direction will do on a closed mesh; an odd one runs along no face of a box.
        direction = np.array((0.3015, 0.5123, 0.8041), dtype=np.float32)
        return self.first_hits(
            np.column_stack([points, np.broadcast_to(direction, points.shape)])
        ).from_inside

    def extents(self, rotations: NDArray[np.float32]) -> Float32Array:
        """Return (M, 2, 3) the least and the largest coordinates of the mesh in frames at its own origin,
        `rotations` (M, 3, 3)."""
        extents = np.empty((len(rotations), 2, 3), dtype=np.float32)
        for block in _blocks(len(rotations), len(self._corners) // 4 + 1):
            local = np.einsum("vi,mij->jmv", self._corners, rotations[block], optimize=True)
            extents[block, 0], extents[block, 1] = local.min(axis=2).T, local.max(axis=2).T
        return extents

    @cached_property
    def _corners(self) -> Float32Array:
        """(V, 3) vertices of the convex hull."""
        try:
            corners: Float32Array = self._vertices[ConvexHull(self._vertices).vertices]
            return corners
        except (QhullError, ValueError):  # flat, or too few
            return self._vertices


def _blocks(frames: int, rays_each: int) -> Iterator[slice]:
    step = max(1, _BLOCK_RAYS // rays_each)
    for first in range(0, frames, step):
        yield slice(first, first + step)
