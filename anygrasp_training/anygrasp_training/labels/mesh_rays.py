# SPDX-License-Identifier: Apache-2.0
"""Ray casting against a closed mesh that tells which side of the surface was hit (Open3D, Embree)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import open3d
import trimesh
from numpy.typing import ArrayLike, NDArray

from anygrasp_perception.arrays import BoolArray, Float32Array, Int32Array

__all__ = ["MeshRays", "RayHits", "frame_rays"]


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
        self._scene.add_triangles(
            np.ascontiguousarray(mesh.vertices, dtype=np.float32),
            np.ascontiguousarray(mesh.faces, dtype=np.uint32),
        )

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

    def count_crossings(self, rays: Float32Array) -> Int32Array:
        """Return (...) how often rays (..., 6), which do not end, cross the surface."""
        counts: Int32Array = self._scene.count_intersections(rays, nthreads=1).numpy()
        return counts

    def contains(self, points: NDArray[np.float32]) -> BoolArray:
        """Return (M,) bool: the points (M, 3) are inside the solid."""
        # Any direction will do on a closed mesh; an odd one runs along no face of a box.
        direction = np.array((0.3015, 0.5123, 0.8041), dtype=np.float32)
        return self.first_hits(
            np.column_stack([points, np.broadcast_to(direction, points.shape)])
        ).from_inside
