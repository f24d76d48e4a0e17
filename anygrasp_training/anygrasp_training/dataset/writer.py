# SPDX-License-Identifier: Apache-2.0
"""Writes one scene view by view; it appears in the dataset whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anygrasp_perception.arrays import Float32Array, Float64Array
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.se3 import inverse
from anygrasp_training.association.scene_labels import SceneAssociation
from anygrasp_training.dataset.annotations import DEPTH_UNITS_PER_M, write_annotation, write_meta
from anygrasp_training.dataset.association_files import write_association
from anygrasp_training.dataset.files import (
    staged_folder,
    write_array,
    write_bytes,
    write_image,
    write_json,
)
from anygrasp_training.dataset.layout import DatasetLayout, SceneFolder
from anygrasp_training.scenes.rendering import SceneView

__all__ = ["SceneWriter", "write_scene"]


class SceneWriter:
    """The views of one scene; get one from `write_scene`."""

    def __init__(self, files: SceneFolder, object_ids: Sequence[int], names: Sequence[str]) -> None:
        self._files = files
        self._object_ids, self._names = tuple(object_ids), tuple(names)
        self._poses: list[Float64Array] = []
        self._times_s: list[float] = []
        write_bytes(files.object_id_list, "".join(f"{i}\n" for i in object_ids).encode())

    def add_view(
        self,
        view: SceneView,
        depth_m: Float32Array,
        T_scene_objects: Float64Array,
        rectangles: Float64Array,
        time_s: float | None = None,
    ) -> None:
        """Write the next view: what a perfect camera sees, what the sensor measures (H, W), and the poses
        (N, 4, 4) of the scene's objects, in order. `time_s` is given in sequences."""
        number = len(self._poses)
        T_camera_objects = inverse(view.T_scene_camera) @ T_scene_objects
        write_image(self._files.image("rgb", number), view.color)
        write_image(self._files.image("depth", number), _millimetres(depth_m))
        write_image(self._files.image("depth_clean", number), _millimetres(view.depth_m))
        # GraspNet's label images have 8 bits; with more than 254 objects in the pool 16 are needed.
        label = view.label if max(self._object_ids) > 253 else view.label.astype(np.uint8)
        write_image(self._files.image("label", number), label)
        write_annotation(
            self._files.image("annotations", number), self._object_ids, self._names, T_camera_objects
        )
        write_meta(
            self._files.image("meta", number), self._object_ids, T_camera_objects, view.intrinsics.matrix
        )
        write_array(self._files.image("rect", number), rectangles)
        self._poses.append(view.T_scene_camera)
        if time_s is not None:
            self._times_s.append(time_s)

    def finish(
        self,
        intrinsics: CameraIntrinsics,
        info: Mapping[str, Any],
        association: SceneAssociation | None = None,
        support_m: Float32Array | None = None,
    ) -> None:
        """Write what belongs to all views; `support_m` (P, 3) are points of table and walls, table frame."""
        poses = np.array(self._poses)
        write_array(self._files.intrinsics, intrinsics.matrix)
        # Poses of the cameras in the frame of the first one, whose pose on the table is apart.
        write_array(self._files.camera_poses, inverse(poses[0]) @ poses)
        write_array(self._files.table_pose, poses[0])
        if self._times_s:
            write_array(self._files.times, np.array(self._times_s))
        if association is not None:
            write_association(self._files.association, association)
        if support_m is not None:
            write_array(self._files.support, support_m)
        write_json(self._files.info, info)


@contextmanager
def write_scene(
    layout: DatasetLayout, scene_id: int, camera: str, object_ids: Sequence[int], names: Sequence[str]
) -> Iterator[SceneWriter]:
    """Give a writer; the scene is part of the dataset once the block ends without an error."""
    with staged_folder(layout.scene(scene_id, camera).folder) as folder:
        yield SceneWriter(SceneFolder(folder, camera), object_ids, names)


def _millimetres(depth_m: NDArray[np.floating]) -> NDArray[np.uint16]:
    millimetres = np.rint(np.nan_to_num(depth_m, nan=0.0) * DEPTH_UNITS_PER_M)
    return np.where(millimetres <= np.iinfo(np.uint16).max, millimetres, 0).astype(np.uint16)
