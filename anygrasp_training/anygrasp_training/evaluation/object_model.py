# SPDX-License-Identifier: Apache-2.0
"""Object models for evaluation: the mesh for contacts, sparse surface points for everything else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import open3d
import trimesh
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.se3 import check_transform, transform_points
from anygrasp_training.labels.mesh_checks import check_mesh
from anygrasp_training.labels.mesh_rays import MeshRays

__all__ = ["VOXEL_M", "ObjectModel", "SceneObject", "surface_cloud", "table_cloud"]

VOXEL_M = 0.008  # spacing of model and table points in the GraspNet benchmark


@dataclass(frozen=True, eq=False)
class ObjectModel:
    """An object in its own frame, metres; build it once for all frames and scenes it is in."""

    rays: MeshRays
    points_m: Float64Array  # (P, 3) one point a voxel of the surface

    @classmethod
    def from_mesh(cls, mesh: trimesh.Trimesh, name: str = "mesh") -> ObjectModel:
        """Prepare a closed mesh; raises ValueError, naming `name`, as `check_mesh` does."""
        check_mesh(mesh, name)
        return cls(MeshRays(mesh), surface_cloud(mesh))


@dataclass(frozen=True, eq=False)
class SceneObject:
    """An object of one frame. Raises ValueError when the pose is no rigid transform."""

    name: str
    model: ObjectModel
    T_camera_object: Float64Array  # (4, 4)
    graspable: bool = True  # seen in the frame and with a free grasp by its labels: counts for coverage

    def __post_init__(self) -> None:
        T = check_transform(self.T_camera_object, f"T_camera_object of {self.name}")
        object.__setattr__(self, "T_camera_object", T)

    @property
    def points_camera_m(self) -> Float64Array:
        """(P, 3) the model's points in the camera frame."""
        return transform_points(self.T_camera_object, self.model.points_m)


def surface_cloud(mesh: trimesh.Trimesh, voxel_m: float = VOXEL_M) -> Float64Array:
    """Return the mean surface point (P, 3) of each voxel that the surface passes; always the same ones."""
    dense = max(1000, int(mesh.area / (voxel_m / 4) ** 2))
    sample, _ = trimesh.sample.sample_surface(mesh, dense, seed=0)
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(np.asarray(sample)))
    return np.asarray(cloud.voxel_down_sample(voxel_m).points, dtype=np.float64)


def table_cloud(
    T_camera_table: ArrayLike, size_m: float = 1.0, thickness_m: float = 0.05, spacing_m: float = VOXEL_M
) -> Float64Array:
    """Return points (P, 3) of the benchmark's table in the camera frame: a slab below z = 0 of the table.

    The slab is `size_m` square about the table frame's origin and filled at `spacing_m`.
    """
    side = np.linspace(-size_m / 2, size_m / 2, int(size_m / spacing_m))
    down = np.linspace(-thickness_m, 0.0, int(thickness_m / spacing_m))
    slab = np.stack(np.meshgrid(side, side, down, indexing="ij"), axis=-1).reshape(-1, 3)
    return transform_points(check_transform(T_camera_table, "T_camera_table"), slab)
