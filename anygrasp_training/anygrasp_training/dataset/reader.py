# SPDX-License-Identifier: Apache-2.0
"""Reads a dataset in the GraspNet-1Billion layout, ours or the real one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray

from anygrasp_perception.arrays import BoolArray, Float32Array, Float64Array, Int32Array, Uint8Array
from anygrasp_perception.camera import CameraIntrinsics, RgbdFrame
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_training.association.scene_labels import SceneAssociation
from anygrasp_training.dataset.annotations import DEPTH_UNITS_PER_M, read_meta
from anygrasp_training.dataset.association_files import read_association
from anygrasp_training.dataset.errors import DatasetError
from anygrasp_training.dataset.files import read_array, read_image, read_json
from anygrasp_training.dataset.grasp_label_files import read_collisions, read_grasp_labels
from anygrasp_training.dataset.layout import CAMERAS, DatasetLayout
from anygrasp_training.labels.object_labels import FRICTION_STEP, ObjectGraspLabels

__all__ = ["DatasetFrame", "GraspDataset"]

_CACHED_OBJECTS = 32  # of some 10 MB each


@dataclass(frozen=True, eq=False)
class DatasetFrame:
    """One view of a scene with what is known about it."""

    color: Uint8Array  # (H, W, 3) RGB
    depth_m: Float32Array  # (H, W) as the sensor measured it, 0 invalid
    clean_depth_m: Float32Array | None  # (H, W) of a perfect sensor; None in the real dataset
    label: Int32Array  # (H, W) object id + 1, 0 background
    intrinsics: CameraIntrinsics
    object_ids: tuple[int, ...]
    T_camera_objects: Float64Array  # (K, 4, 4), in the order of object_ids
    T_table_camera: Float64Array  # (4, 4)
    time_s: float | None  # in sequences

    def rgbd(self) -> RgbdFrame:
        """The frame as a camera delivers it."""
        return RgbdFrame(self.color, self.depth_m, self.intrinsics)


class GraspDataset:
    """Scenes, objects and labels of a dataset folder.

    Raises DatasetError, naming file and fix, here when the folder holds no scenes of this camera, and in
    every method when a file is missing or broken.
    """

    def __init__(self, root: str | Path, camera: str = CAMERAS[0]) -> None:
        if camera not in CAMERAS:
            raise DatasetError(f"unknown camera {camera!r}; choose one of {', '.join(CAMERAS)}")
        self.layout = DatasetLayout(Path(root))
        self.camera = camera
        if not self.layout.scenes.is_dir():
            raise DatasetError(
                f"{self.layout.scenes} is no folder: {root} is no GraspNet-style dataset; give the folder "
                "that holds scenes/, models/ and grasp_label/, or make one with `anygrasp-data scenes --out`"
            )
        self.scene_ids = self.layout.scene_ids()
        if not self.scene_ids:
            raise DatasetError(
                f"{self.layout.scenes} holds no scene_NNNN folder; generate or download scenes"
            )
        self._labels = lru_cache(maxsize=_CACHED_OBJECTS)(self._read_labels)

    def object_ids(self, scene_id: int) -> tuple[int, ...]:
        """Numbers of the objects of a scene, in the order of its labels."""
        path = self.layout.scene(scene_id, self.camera).object_id_list
        if not path.is_file():
            raise DatasetError(f"{path} is missing: no complete scene {scene_id}; have {self.scene_ids}")
        return tuple(int(line) for line in path.read_text(encoding="utf-8").split())

    def camera_poses(self, scene_id: int) -> Float64Array:
        """T_table_camera (V, 4, 4) of the scene's views."""
        files = self.layout.scene(scene_id, self.camera)
        return np.asarray(read_array(files.table_pose) @ read_array(files.camera_poses), dtype=np.float64)

    def view_count(self, scene_id: int) -> int:
        """Number of views of a scene."""
        return len(read_array(self.layout.scene(scene_id, self.camera).camera_poses))

    def frame(self, scene_id: int, view: int) -> DatasetFrame:
        """Read one view."""
        files = self.layout.scene(scene_id, self.camera)
        poses = self.camera_poses(scene_id)
        if not 0 <= view < len(poses):
            raise DatasetError(
                f"scene {scene_id} in {self.layout.root} has {len(poses)} views, asked for {view}"
            )
        object_ids, T_camera_objects, matrix, units_per_m = read_meta(files.image("meta", view))
        color = read_image(files.image("rgb", view))
        clean = files.image("depth_clean", view)
        return DatasetFrame(
            color=color,
            depth_m=_metres(read_image(files.image("depth", view)), units_per_m),
            clean_depth_m=_metres(read_image(clean), DEPTH_UNITS_PER_M) if clean.is_file() else None,
            label=read_image(files.image("label", view)).astype(np.int32),
            intrinsics=CameraIntrinsics.from_matrix(matrix, color.shape[1], color.shape[0]),
            object_ids=object_ids,
            T_camera_objects=T_camera_objects,
            T_table_camera=poses[view],
            time_s=float(read_array(files.times)[view]) if files.times.is_file() else None,
        )

    def mesh(self, object_id: int) -> trimesh.Trimesh:
        """The object's mesh in its own frame, metres."""
        path = self.layout.mesh(object_id)
        if not path.is_file():
            raise DatasetError(
                f"{path} is missing: no mesh of object {object_id}; generate or download models/"
            )
        # Vertices that coincide in float32 stay apart, as they were made: merged, edges may be crowded.
        mesh: trimesh.Trimesh = trimesh.load_mesh(path, process=False)
        if not mesh.is_watertight:
            mesh.merge_vertices()
        return mesh

    def object_info(self, object_id: int) -> dict[str, Any]:
        """Name, category, mass and so on of one of our objects."""
        return read_json(self.layout.object_info(object_id))

    def grasp_labels(self, object_id: int) -> ObjectGraspLabels:
        """Labels of one object in its own frame; what GraspNet lacks is computed when the mesh is there."""
        labels: ObjectGraspLabels = self._labels(object_id)
        return labels

    def collisions(self, scene_id: int) -> list[BoolArray]:
        """For each object of a scene the label cells (P, 300, 12, 5) whose gripper has no room there."""
        collisions = read_collisions(self.layout.collision_label(scene_id))
        objects = self.object_ids(scene_id)
        if len(collisions) != len(objects):
            raise DatasetError(
                f"{self.layout.collision_label(scene_id)} has labels of {len(collisions)} objects, the scene "
                f"has {len(objects)}; generate or download both again"
            )
        return collisions

    def support_points(self, scene_id: int) -> Float64Array | None:
        """Points (P, 3) of table and walls in the table frame; None in the real dataset."""
        path = self.layout.scene(scene_id, self.camera).support
        return read_array(path).astype(np.float64) if path.is_file() else None

    def association(self, scene_id: int) -> SceneAssociation:
        """Association labels of a scene (paper IV-A); only in our datasets."""
        return read_association(self.layout.scene(scene_id, self.camera).association)

    def grasps(
        self,
        scene_id: int,
        view: int,
        max_friction: float = 0.8,
        max_count: int | None = None,
        seed: int = 0,
    ) -> GraspGroup:
        """Label grasps that hold with `max_friction` and have room, in the frame of a view's camera.

        `max_count` draws that many for each object at random.
        """
        frame_ids, T_camera_objects, _, _ = read_meta(
            self.layout.scene(scene_id, self.camera).image("meta", view)
        )
        rng = np.random.default_rng(seed)
        groups = []
        hits = self.collisions(scene_id)
        for object_id, hit, T_camera_object in zip(frame_ids, hits, T_camera_objects, strict=True):
            labels = self.grasp_labels(object_id)
            limit = min(round(max_friction / FRICTION_STEP), 253)
            cells = np.flatnonzero((labels.friction_codes <= limit) & ~hit)
            if max_count is not None and len(cells) > max_count:
                cells = np.sort(rng.choice(cells, size=max_count, replace=False))
            index = np.stack(np.unravel_index(cells, hit.shape), axis=-1)
            grasps = labels.grasps(index).transformed(_orthonormal(T_camera_object))
            groups.append(grasps.replace(object_ids=np.full(len(grasps), object_id)))
        return GraspGroup.concatenate(groups)

    def _read_labels(self, object_id: int) -> ObjectGraspLabels:
        mesh = self.mesh(object_id) if self.layout.mesh(object_id).is_file() else None
        return read_grasp_labels(self.layout.grasp_label(object_id), mesh)


def _metres(depth: NDArray[Any], units_per_m: float) -> Float32Array:
    return np.asarray(depth / np.float32(units_per_m), dtype=np.float32)


def _orthonormal(T: Float64Array) -> Float64Array:
    """The nearest rigid transform: float32 poses of the real dataset are off by a little."""
    u, _, vt = np.linalg.svd(T[:3, :3])
    result = T.copy()
    result[:3, :3] = u @ vt
    return result
