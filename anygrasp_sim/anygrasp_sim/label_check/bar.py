# SPDX-License-Identifier: Apache-2.0
"""Grasps of a long heavy bar: how far it slips in the hand, by the stable score (paper VII-B)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import joblib
import numpy as np
from tqdm import tqdm

from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.gripper import ROBOTIQ_2F85
from anygrasp_sim.label_check.draw import collides
from anygrasp_sim.label_check.trial import Trial
from anygrasp_sim.label_check.trial_config import TrialConfig, TrialResult
from anygrasp_training.labels import LabelConfig, label_object
from anygrasp_training.labels.mesh_rays import MeshRays
from anygrasp_training.objects import ProceduralObject
from anygrasp_training.objects.procedural_object import assemble
from anygrasp_training.objects.shapes import box

__all__ = [
    "BAR_MASS_KG",
    "BAR_MAX_FRICTION",
    "BAR_SIZE_M",
    "StableTrial",
    "draw_bar_grasps",
    "make_bar",
    "run_stable_trials",
]

BAR_SIZE_M = (0.30, 0.025, 0.025)
BAR_MASS_KG = 0.6
BAR_MAX_FRICTION = 0.2  # good grasps all of them, so that only the balance differs
_LABEL_POINTS = 60


@dataclass(frozen=True)
class StableTrial:
    """One grasp of the bar that was executed."""

    stable_score: float
    result: TrialResult


def make_bar() -> ProceduralObject:
    """Bar of uniform density."""
    part = box(BAR_SIZE_M, (0.0, 0.0, 0.0), (0.5, 0.5, 0.55))
    return assemble("bar", "bar", "hardware", [part], BAR_MASS_KG / float(np.prod(BAR_SIZE_M)))


def draw_bar_grasps(item: ProceduralObject, edges: Sequence[float], count: int, seed: int) -> GraspGroup:
    """Draw `count` good label cells within every two neighbouring `edges` of stable score."""
    labels = label_object(item.mesh, item.center_of_mass_m, LabelConfig(max_points=_LABEL_POINTS), seed)
    rng = np.random.default_rng(seed)
    good = np.argwhere(
        (labels.friction <= BAR_MAX_FRICTION) & (labels.openings_m <= ROBOTIQ_2F85.max_width_m)
    )
    cells = rng.permutation(good)
    score = labels.stable_scores[tuple(cells[:, :3].T)]
    rays = MeshRays(item.mesh)
    groups = []
    for lower, upper in itertools.pairwise(edges):
        within = cells[(score >= lower) & (score < upper)][: 20 * count]
        group = labels.grasps(within)
        free = group[~collides(rays, group, ROBOTIQ_2F85)][:count]
        if len(free) < count:
            raise ValueError(
                f"only {len(free)} of {count} grasps of the bar have a stable score in [{lower}, {upper}); "
                f"ask for fewer"
            )
        groups.append(free)
    return GraspGroup.concatenate(groups)


def run_stable_trials(
    edges: Sequence[float], count: int, seed: int, jobs: int, config: TrialConfig
) -> list[StableTrial]:
    """Execute `count` grasps in every bin of stable score, the approach plumb as the paper assumes it."""
    item = make_bar()
    group = draw_bar_grasps(item, edges, count, seed)
    tasks = [
        joblib.delayed(_execute)(item, grasp, (seed, index), config) for index, grasp in enumerate(group)
    ]
    work = joblib.Parallel(n_jobs=jobs, return_as="generator")(tasks)
    results = list(tqdm(work, total=len(tasks), desc="grasping"))
    return [StableTrial(float(s), r) for s, r in zip(group.stable_scores, results, strict=True)]


def _execute(
    item: ProceduralObject, grasp: GraspGroup, key: tuple[int, int], config: TrialConfig
) -> TrialResult:
    return Trial(item, grasp, config).run(np.random.default_rng(key))
