# SPDX-License-Identifier: Apache-2.0
"""Executes label cells drawn from every bin of friction and counts what holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import joblib
import numpy as np
from tqdm import tqdm

from anygrasp_sim.label_check.draw import FRICTION_BINS, Bin, CellPool, draw_pool, share_out
from anygrasp_sim.label_check.touch import Touch
from anygrasp_sim.label_check.trial import Trial
from anygrasp_sim.label_check.trial_config import TrialConfig, TrialResult
from anygrasp_training.labels.finger_pad import FingerPad
from anygrasp_training.objects import family_names

__all__ = ["LabelTrial", "LabelTrials", "run_label_trials"]

_LABEL_POINTS = 10  # a grasp is drawn from 18 000 cells a point, so few points will do


@dataclass(frozen=True)
class LabelTrial:
    """One cell that was executed."""

    bin: Bin
    family: str
    friction: float  # as in CellPool
    touch: Touch
    result: TrialResult


@dataclass(frozen=True, eq=False)
class LabelTrials:
    """All cells that were executed."""

    trials: tuple[LabelTrial, ...]
    object_count: int
    fitting_share: float  # of the cells looked at, those that the 2F-85 fits at


def run_label_trials(
    counts: Sequence[int],
    instances: int,
    seed: int,
    jobs: int,
    config: TrialConfig,
    pad: FingerPad | None = None,
) -> LabelTrials:
    """Execute `counts` cells of the bins of friction on `instances` objects of every family.

    `pad` other than the labels' own is for the comparison.

    Same seed, same trials, whatever the number of jobs. Raises ValueError when cells of a bin run out.
    """
    wanted = [(family, seed * instances + k) for k in range(instances) for family in family_names()]
    each = -(-2 * max(counts) // len(wanted))  # twice an even share, for objects that have few
    pools: list[CellPool] = _run(
        jobs,
        [joblib.delayed(draw_pool)(*which, _LABEL_POINTS, each, seed, pad) for which in wanted],
        "labelling",
    )
    tasks, drawn = [], []
    for index, (bin_, count) in enumerate(zip(FRICTION_BINS, counts, strict=True)):
        shares = share_out(pools, index, count)
        if len(shares) < count:
            raise ValueError(
                f"only {len(shares)} of {count} cells with friction {bin_.name} were found; "
                f"ask for fewer, or for more than {instances} instances"
            )
        for pool, cell in shares:
            key = (seed, index, pool, cell)
            tasks.append(joblib.delayed(_execute)(pools[pool], index, cell, key, config))
            friction = float(pools[pool].friction[index][cell])
            drawn.append((bin_, pools[pool].item.family, friction, pools[pool].touches[index][cell]))
    results: list[TrialResult] = _run(jobs, tasks, "grasping")
    return LabelTrials(
        tuple(LabelTrial(*cell, result) for cell, result in zip(drawn, results, strict=True)),
        len(pools),
        sum(pool.fitting for pool in pools) / max(1, sum(pool.looked_at for pool in pools)),
    )


def _execute(
    pool: CellPool, bin_index: int, cell: int, key: tuple[int, ...], config: TrialConfig
) -> TrialResult:
    return Trial(pool.item, pool.grasps[bin_index][cell], config).run(np.random.default_rng(key))


def _run(jobs: int, tasks: list, what: str) -> list:  # type: ignore[type-arg]  # joblib has no types
    work = joblib.Parallel(n_jobs=jobs, return_as="generator")(tasks)
    return list(tqdm(work, total=len(tasks), desc=what))
