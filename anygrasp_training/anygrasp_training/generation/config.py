# SPDX-License-Identifier: Apache-2.0
"""What decides a dataset's content: equal configs give equal files, whatever the number of jobs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from anygrasp_training.dataset.layout import CAMERAS
from anygrasp_training.generation.mesh_pool import MeshFile
from anygrasp_training.labels import LabelConfig
from anygrasp_training.objects import Split, split_families
from anygrasp_training.scenes.cameras import CAP_VIEW_COUNT, CameraConfig
from anygrasp_training.scenes.plan import SceneConfig
from anygrasp_training.scenes.sensing import SENSORS

__all__ = ["GenerationConfig", "plain_dict"]


@dataclass(frozen=True)
class GenerationConfig:
    """Seeds, pool of objects, scenes, cameras. How many scenes is not part of it: they can be added to."""

    seed: int = 0
    split: str = Split.TRAIN.value
    object_count: int = 120  # drawn of the families, in the pool that all scenes draw from
    families: tuple[str, ...] = ()  # of the pool; empty: all of the split
    meshes: tuple[MeshFile, ...] = ()  # of the user, in the pool behind the drawn objects
    views: int = 16
    sensor: str = "d415"
    camera_name: str = CAMERAS[0]  # folder of the images
    association_grasps: int = 256  # label grasps a view for association
    scene: SceneConfig = field(default_factory=SceneConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    labels: LabelConfig | None = field(default_factory=LabelConfig)  # None: images, poses and meshes only

    def __post_init__(self) -> None:
        splits = tuple(split.value for split in Split)
        for name, value, choices in (
            ("split", self.split, splits),
            ("sensor", self.sensor, SENSORS),
            ("camera_name", self.camera_name, CAMERAS),
        ):
            _check_choice(name, value, choices)
        for family in self.families:
            _check_choice(f"families of the split {self.split}", family, split_families(self.split))
        if self.seed < 0:
            raise ValueError(f"GenerationConfig.seed must be 0 or more, got {self.seed}")
        if not 1 <= self.views <= CAP_VIEW_COUNT:
            raise ValueError(f"GenerationConfig.views must be 1 to {CAP_VIEW_COUNT}, got {self.views}")
        if self.object_count < 0:
            raise ValueError(f"GenerationConfig.object_count must be 0 or more, got {self.object_count}")
        if self.pool_size < self.scene.min_objects:
            raise ValueError(
                f"GenerationConfig.object_count {self.object_count} with {len(self.meshes)} meshes must be "
                f"at least the {self.scene.min_objects} objects of the smallest scene"
            )
        if self.association_grasps < 1:
            raise ValueError(
                f"GenerationConfig.association_grasps must be positive, got {self.association_grasps}"
            )

    @property
    def pool_size(self) -> int:
        """How many objects the scenes draw from: numbers from 0, the user's meshes last."""
        return self.object_count + len(self.meshes)

    def record(self) -> dict[str, Any]:
        """The config as JSON holds it; without meshes as it was before there could be any."""
        content = plain_dict(self)
        if not self.meshes:
            del content["meshes"]
        return content


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"GenerationConfig.{name}: unknown {value!r}; choose of {', '.join(choices)}")


def plain_dict(config: Any) -> dict[str, Any]:
    """Return a config, nested dataclasses and all, as JSON can hold it."""
    return dataclasses.asdict(config, dict_factory=_plain)


def _plain(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: _plain_value(value) for name, value in items}


def _plain_value(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_plain_value(entry) for entry in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return value.name  # folders move
    return str(value.value) if hasattr(value, "value") else value
