# SPDX-License-Identifier: Apache-2.0
"""Makes a dataset or goes on with one: what is there already is kept, what is missing is made."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from anygrasp_training.dataset.layout import DatasetLayout
from anygrasp_training.generation.card import write_card
from anygrasp_training.generation.claim import claim_folder, record_run
from anygrasp_training.generation.config import GenerationConfig, plain_dict
from anygrasp_training.generation.object_pool import generate_object
from anygrasp_training.generation.scene_job import generate_scene
from anygrasp_training.generation.spent import Spent
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

    Can be killed at any moment and run again. `command` is recorded in the dataset card, and so is what a run
    that ended took; with `progress` it is printed.
    Raises DatasetError when `out` holds another dataset, DatasetWriteError when the disk is full.
    """
    layout = _open(out, scene_count)
    claim_folder(layout, config.record())
    make_object = functools.partial(generate_object, layout.root, config)
    objects = _make_missing("objects", make_object, layout.object_ids(), config.pool_size, workers, progress)
    make_scene = functools.partial(generate_scene, layout.root, config)
    scenes = _make_missing("scenes", make_scene, layout.scene_ids(), scene_count, workers, progress)
    record_run(layout, (objects, scenes), workers.jobs)
    write_card(layout, config, command)
    return layout


def generate_sequences(
    out: Path, count: int, config: SequenceConfig, workers: Workers, progress: bool = True
) -> DatasetLayout:
    """Generate the films 0 to `count` - 1 of moving objects in the folder `out`; like `generate_dataset`."""
    layout = _open(out, count)
    claim_folder(layout, plain_dict(config))
    make_film = functools.partial(generate_sequence, layout.root, config)
    films = _make_missing("sequences", make_film, layout.scene_ids(), count, workers, progress)
    record_run(layout, (films,), workers.jobs)
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
) -> Spent:
    missing = sorted(set(range(count)) - set(done))
    start_s, peak_bytes = time.perf_counter(), 0
    with tqdm(total=count, initial=count - len(missing), desc=what, unit="", disable=not progress) as bar:
        for of_worker in workers.run(job, missing):
            peak_bytes = max(peak_bytes, of_worker)
            bar.update()
    spent = Spent(what, len(missing), time.perf_counter() - start_s, peak_bytes)
    if progress and missing:
        tqdm.write(str(spent))
    return spent
