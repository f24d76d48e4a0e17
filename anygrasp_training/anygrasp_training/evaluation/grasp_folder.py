# SPDX-License-Identifier: Apache-2.0
"""Grasps of whole datasets on disk as the GraspNet tools dump them: scene_NNNN/camera/NNNN.npy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.grasp_io import from_graspnet_array, to_graspnet_array
from anygrasp_training.dataset.errors import DatasetError
from anygrasp_training.dataset.files import read_array, write_array

__all__ = ["GraspFolder"]

_SCENE_PREFIX = "scene_"


@dataclass(frozen=True)
class GraspFolder:
    """17-column arrays of one camera's frames, grasps in the camera frame; see `grasp_io`."""

    root: Path
    camera: str

    def path(self, scene_id: int, view: int) -> Path:
        """Where the grasps of one frame are."""
        return self.root / f"{_SCENE_PREFIX}{scene_id:04d}" / self.camera / f"{view:04d}.npy"

    def frames(self) -> dict[int, tuple[int, ...]]:
        """Views with grasps of each scene, both ascending. Raises DatasetError when there are none."""
        if not self.root.is_dir():
            raise DatasetError(f"{self.root} is no folder; give the one that holds scene_NNNN/")
        found: dict[int, list[int]] = {}
        for path in self.root.glob(f"{_SCENE_PREFIX}*/{self.camera}/*.npy"):
            scene = path.parts[-3].removeprefix(_SCENE_PREFIX)
            if scene.isdecimal() and path.stem.isdecimal():
                found.setdefault(int(scene), []).append(int(path.stem))
        if not found:
            raise DatasetError(
                f"{self.root} holds no grasps: expected {self.path(0, 0).relative_to(self.root)} and so on; "
                "check --camera, or make some with `anygrasp-eval detect`"
            )
        return {scene_id: tuple(sorted(found[scene_id])) for scene_id in sorted(found)}

    def read(self, scene_id: int, view: int) -> GraspGroup:
        """Read the grasps of one frame. Raises DatasetError, naming the file, when they are none."""
        path = self.path(scene_id, view)
        try:
            return from_graspnet_array(read_array(path))
        except (TypeError, ValueError) as error:
            raise DatasetError(f"{path}: {error}; dump the grasps of this frame again") from error

    def write(self, scene_id: int, view: int, grasps: GraspGroup) -> None:
        """Write the grasps of one frame, whole or not at all. Raises DatasetWriteError."""
        write_array(self.path(scene_id, view), to_graspnet_array(grasps))
