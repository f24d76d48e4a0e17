# SPDX-License-Identifier: Apache-2.0
"""An endless stream of training samples, made in a process of its own beside the training."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset

from anygrasp_training.dataset import GraspDataset
from anygrasp_training.training.geometry_config import GeometryTrainingConfig
from anygrasp_training.training.geometry_sample import GeometrySample, make_sample
from anygrasp_training.training.scene_targets import SceneTargets

__all__ = ["SampleStream", "sample_batches"]

_RESCAN_SAMPLES = 400  # between two looks for scenes that a generator has added meanwhile


class SampleStream(IterableDataset[list[GeometrySample]]):
    """Batches of samples drawn from all views of datasets; sample i is the same on every run and process.

    That holds for a folder that does not grow. Raises DatasetError on a broken or empty folder.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        config: GeometryTrainingConfig,
        first_step: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if not folders:
            raise ValueError("a stream needs at least one dataset folder")
        self.folders, self.config, self.first_step = tuple(folders), config, first_step
        self.rank, self.world = rank, world

    def __iter__(self) -> Iterator[list[GeometrySample]]:
        config = self.config
        size = config.batch_size
        index = self.first_step * size * self.world
        targets: list[SceneTargets] = []
        views: list[tuple[int, int, int]] = []
        next_scan = index
        while True:
            if index >= next_scan:
                views = self._scan(targets)
                next_scan = index + _RESCAN_SAMPLES * self.world
            mine = range(index + self.rank * size, index + (self.rank + 1) * size)
            yield [self._sample(targets, views, number) for number in mine]
            index += size * self.world

    def _scan(self, targets: list[SceneTargets]) -> list[tuple[int, int, int]]:
        """All (dataset, scene, view); new scenes are picked up, labels read before are kept."""
        datasets, share = [GraspDataset(folder) for folder in self.folders], self.config.share
        if not targets:
            targets += [SceneTargets(dataset, share.labels) for dataset in datasets]
        return [
            (number, scene_id, view)
            for number, dataset in enumerate(datasets)
            for scene_id in _share(dataset.scene_ids, share.scenes)
            for view in _share(range(dataset.view_count(scene_id)), share.views)
        ]

    def _sample(
        self, targets: list[SceneTargets], views: list[tuple[int, int, int]], number: int
    ) -> GeometrySample:
        rng = np.random.default_rng([self.config.seed, 17, number])
        while True:  # a view may show nothing
            dataset, scene_id, view = views[int(rng.integers(len(views)))]
            frame = targets[dataset].dataset.frame(scene_id, view)
            sample = make_sample(
                frame,
                targets[dataset].of_scene(scene_id),
                self.config.network.voxel_m,
                self.config.sample,
                rng,
            )
            if sample is not None and len(sample.seeds):
                # Which point went where is not needed any more, and would be sent to the training process.
                cloud = dataclasses.replace(sample.cloud, of_point=np.zeros(0, dtype=np.intp))
                return dataclasses.replace(sample, cloud=cloud)


def _share(items: Sequence[int], share: float) -> list[int]:
    """A share of the items, evenly spread, at least one."""
    count = max(1, round(share * len(items)))
    return [items[int(index)] for index in np.arange(count) * len(items) / count]


def sample_batches(stream: SampleStream, worker: bool) -> Iterator[list[GeometrySample]]:
    """Iterate over the stream, made by a worker process when `worker`."""
    if not worker:
        return iter(stream)
    loader = DataLoader(
        stream,
        batch_size=None,
        num_workers=1,
        prefetch_factor=4,
        collate_fn=_unchanged,
        worker_init_fn=_single_thread,
    )
    return iter(loader)


def _unchanged(batch: list[GeometrySample]) -> list[GeometrySample]:
    return batch


def _single_thread(_worker: int) -> None:
    torch.set_num_threads(1)
