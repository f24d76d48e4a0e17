# SPDX-License-Identifier: Apache-2.0
"""Shows frames of datasets to the frozen geometry network once, and keeps what it saw."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from anygrasp_perception.network_detector import NetworkDetector
from anygrasp_tracking.association_weights import geometry_digest
from anygrasp_tracking.dense_detection import dense_detector
from anygrasp_training.association.seen_frame import (
    SeenFrame,
    load_seen_frame,
    save_seen_frame,
    see_frame,
    without_objects,
)
from anygrasp_training.dataset.reader import GraspDataset
from anygrasp_training.generation.workers import Workers

__all__ = ["SeeingConfig", "SeenScene", "see_dataset"]


@dataclass(frozen=True)
class SeeingConfig:
    """Which frames are seen, and how. Raises ValueError on values out of range."""

    views_per_scene: int = 6  # of a scene that stands still: two runs of three neighbouring views
    frames_per_film: int = 12
    max_frames: int = 400  # of each dataset
    drop_probability: float = 0.2  # of a frame from which whole objects are taken (paper IV-C)
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("views_per_scene", "frames_per_film"):
            if getattr(self, name) < 2:
                raise ValueError(f"SeeingConfig.{name} must be 2 or more, got {getattr(self, name)}")
        if self.max_frames < 1:
            raise ValueError(f"SeeingConfig.max_frames must be 1 or more, got {self.max_frames}")
        if not 0 <= self.drop_probability <= 1:
            raise ValueError(f"SeeingConfig.drop_probability must be in [0, 1], got {self.drop_probability}")


@dataclass(frozen=True, eq=False)
class SeenScene:
    """The frames of one scene, in order."""

    name: str
    frames: tuple[SeenFrame, ...]


def see_dataset(
    root: Path,
    weights: Path,
    kept: Path,
    config: SeeingConfig,
    workers: Workers,
    progress: bool = True,
) -> list[SeenScene]:
    """Detect in the first scenes of a dataset, or take what an earlier call left in the folder `kept`.

    Other geometry weights or settings see anew. Raises DatasetError, WeightsError.
    """
    dataset = GraspDataset(root)
    folder = kept / _key(root, weights, config)
    numbers: list[int] = []
    count = 0
    for scene_id in dataset.scene_ids:
        views = _view_count(dataset, scene_id, config)
        if count + views > config.max_frames and numbers:
            break
        numbers.append(scene_id)
        count += views
    missing = [n for n in numbers if not all(p.is_file() for p in _paths(folder, dataset, n, config))]
    see = functools.partial(_see_scene, root, weights, folder, config)
    with tqdm(
        total=len(numbers),
        initial=len(numbers) - len(missing),
        desc=f"seeing {root.name}",
        disable=not progress,
    ) as bar:
        for _ in workers.run(see, missing) if missing else ():
            bar.update()
    return [
        SeenScene(
            f"{root.name}/{number}",
            tuple(load_seen_frame(path) for path in _paths(folder, dataset, number, config)),
        )
        for number in numbers
    ]


def _see_scene(root: Path, weights: Path, folder: Path, config: SeeingConfig, scene_id: int) -> None:
    dataset, detector = GraspDataset(root), _detector(weights)
    for view, path in enumerate(_paths(folder, dataset, scene_id, config)):
        if path.is_file():
            continue
        rng = np.random.default_rng([config.seed, 31, scene_id, view])
        frame = without_objects(dataset.frame(scene_id, view), config.drop_probability, rng)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_seen_frame(path, see_frame(detector, frame, config.seed))


@functools.lru_cache(maxsize=1)
def _detector(weights: Path) -> NetworkDetector:
    return dense_detector(weights)


def _view_count(dataset: GraspDataset, scene_id: int, config: SeeingConfig) -> int:
    is_film = dataset.layout.scene(scene_id, dataset.camera).times.is_file()
    wanted = config.frames_per_film if is_film else config.views_per_scene
    return min(wanted, dataset.view_count(scene_id))


def _paths(folder: Path, dataset: GraspDataset, scene_id: int, config: SeeingConfig) -> list[Path]:
    views = range(_view_count(dataset, scene_id, config))
    return [folder / f"scene_{scene_id:04d}" / f"{view:04d}.npz" for view in views]


def _key(root: Path, weights: Path, config: SeeingConfig) -> str:
    """Name of the folder: what decides what is seen, but for how much of it."""
    facts = asdict(config)
    for amount in ("max_frames", "views_per_scene", "frames_per_film"):
        del facts[amount]
    text = json.dumps([str(root.resolve()), geometry_digest(weights), facts], sort_keys=True)
    return f"{root.name}_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
