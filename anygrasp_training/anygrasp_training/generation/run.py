# SPDX-License-Identifier: Apache-2.0
"""Makes a dataset or goes on with one: what is there already is kept, what is missing is made."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from anygrasp_training.dataset.layout import DatasetLayout
from anygrasp_training.generation.card import write_card
from anygrasp_training.generation.claim import claim_folder
from anygrasp_training.generation.config import GenerationConfig, plain_dict
from anygrasp_training.generation.object_pool import generate_object
from anygrasp_training.generation.scene_job import generate_scene
from anygrasp_training.generation.workers import Workers
from anygrasp_training.sequences.film import SequenceConfig, generate_sequence

__all__ = ["generate_dataset", "generate_sequences"]


def generate_dataset(
    out: Path,
    scene_count: int,
    config: GenerationConfig,
    workers: Workers,
    command: str = "",
    progress: bool = True,
) -> DatasetLayout:
    """Generate the scenes 0 to `scene_count` - 1, and the objects they need, in the folder `out`.

    Can be killed at any moment and run again. `command` is recorded in the dataset card.
    Raises DatasetError when `out` holds another dataset, DatasetWriteError when the disk is full.
    """
    layout = _open(out, scene_count)
    claim_folder(layout, config.record())
    make_object = functools.partial(generate_object, layout.root, config)
    _make_missing("objects", make_object, layout.object_ids(), config.pool_size, workers, progress)
    make_scene = functools.partial(generate_scene, layout.root, config)
    _make_missing("scenes", make_scene, layout.scene_ids(), scene_count, workers, progress)
    write_card(layout, config, command)
    return layout


def generate_sequences(
    out: Path, count: int, config: SequenceConfig, workers: Workers, progress: bool = True
) -> DatasetLayout:
    """Generate the films 0 to `count` - 1 of moving objects in the folder `out`; like `generate_dataset`."""
    layout = _open(out, count)
    claim_folder(layout, plain_dict(config))
    make_film = functools.partial(generate_sequence, layout.root, config)
    _make_missing("sequences", make_film, layout.scene_ids(), count, workers, progress)
    return layout


def _open(out: Path, count: int) -> DatasetLayout:
    if count < 1:
        raise ValueError(f"the number of scenes must be 1 or more, got {count}")
    return DatasetLayout(out.resolve())


def _make_missing(
    what: str,
    job: Callable[[int], None],
    done: tuple[int, ...],
    count: int,
    workers: Workers,
    progress: bool,
) -> None:
    missing = sorted(set(range(count)) - set(done))
    with tqdm(total=count, initial=count - len(missing), desc=what, unit="", disable=not progress) as bar:
        for _ in workers.run(job, missing):
            bar.update()
