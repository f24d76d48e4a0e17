# SPDX-License-Identifier: Apache-2.0
"""Where everything is in a dataset folder: the names of GraspNet-1Billion, and ours beside them.

Official: `scenes/scene_NNNN/{realsense|kinect}/{rgb,depth,label,annotations,meta,rect}/NNNN.*`, beside them
`camK.npy`, `camera_poses.npy`, `cam0_wrt_table.npy`; `scenes/scene_NNNN/object_id_list.txt`;
`models/NNN/nontextured.ply`; `grasp_label/NNN_labels.npz`; `collision_label/scene_NNNN/collision_labels.npz`.

Ours: `depth_clean/` beside `depth/`, `association.npz`, `support.npy` and `scene.json` of a scene,
`models/NNN/object.json`, `models/NNN/parts.npz` of a user's mesh, `dataset.json` and `README.md` of the
dataset.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CAMERAS", "DatasetLayout", "SceneFolder"]

CAMERAS = ("realsense", "kinect")
_SCENE_NAME = re.compile(r"scene_(\d{4,})")
_MODEL_NAME = re.compile(r"\d{3,}")


@dataclass(frozen=True)
class SceneFolder:
    """The files of one scene as one camera saw it."""

    folder: Path  # scenes/scene_NNNN
    camera: str

    @property
    def object_id_list(self) -> Path:
        return self.folder / "object_id_list.txt"

    @property
    def camera_folder(self) -> Path:
        return self.folder / self.camera

    def image(self, what: str, view: int) -> Path:
        """Path of view `view` of rgb, depth, depth_clean, label, annotations, meta or rect."""
        suffix = {"annotations": "xml", "meta": "mat", "rect": "npy"}.get(what, "png")
        return self.camera_folder / what / f"{view:04d}.{suffix}"

    @property
    def intrinsics(self) -> Path:
        return self.camera_folder / "camK.npy"

    @property
    def camera_poses(self) -> Path:
        return self.camera_folder / "camera_poses.npy"

    @property
    def table_pose(self) -> Path:
        return self.camera_folder / "cam0_wrt_table.npy"

    @property
    def association(self) -> Path:
        return self.camera_folder / "association.npz"

    @property
    def times(self) -> Path:
        return self.camera_folder / "times_s.npy"

    @property
    def support(self) -> Path:
        return self.folder / "support.npy"

    @property
    def info(self) -> Path:
        return self.folder / "scene.json"


@dataclass(frozen=True)
class DatasetLayout:
    """Paths in a dataset folder."""

    root: Path

    @property
    def scenes(self) -> Path:
        return self.root / "scenes"

    @property
    def config(self) -> Path:
        return self.root / "dataset.json"

    @property
    def card(self) -> Path:
        return self.root / "README.md"

    def scene(self, scene_id: int, camera: str = CAMERAS[0]) -> SceneFolder:
        return SceneFolder(self.scenes / f"scene_{scene_id:04d}", camera)

    def collision_label(self, scene_id: int) -> Path:
        return self.root / "collision_label" / f"scene_{scene_id:04d}" / "collision_labels.npz"

    def grasp_label(self, object_id: int) -> Path:
        return self.root / "grasp_label" / f"{object_id:03d}_labels.npz"

    def model(self, object_id: int) -> Path:
        return self.root / "models" / f"{object_id:03d}"

    def mesh(self, object_id: int) -> Path:
        return self.model(object_id) / "nontextured.ply"

    def parts(self, object_id: int) -> Path:
        return self.model(object_id) / "parts.npz"

    def object_info(self, object_id: int) -> Path:
        return self.model(object_id) / "object.json"

    def scene_ids(self) -> tuple[int, ...]:
        """Numbers of the complete scenes, ascending."""
        names = (_SCENE_NAME.fullmatch(path.name) for path in _entries(self.scenes))
        return tuple(sorted(int(name[1]) for name in names if name))

    def object_ids(self) -> tuple[int, ...]:
        """Numbers of the complete objects, ascending."""
        models = self.root / "models"
        return tuple(sorted(int(p.name) for p in _entries(models) if _MODEL_NAME.fullmatch(p.name)))


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
