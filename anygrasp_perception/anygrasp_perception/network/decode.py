# SPDX-License-Identifier: Apache-2.0
"""From a prediction to grasps: score, best cell of each seed, pose and width."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import Float32Array, IntpArray
from anygrasp_perception.grasp import (
    ANGLE_COUNT,
    DEPTHS_M,
    LABEL_MAX_WIDTH_M,
    fibonacci_views,
    rotation_from_approach,
)
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.network.grasp_network import GraspPrediction

__all__ = ["best_cells", "decode_cells", "final_scores", "peak_cells"]


def final_scores(prediction: GraspPrediction, use_stable_score: bool = True) -> Float32Array:
    """Return score x (1 - stable score) of all cells (S, 12, 5), in [0, 1] (paper IV-B.1)."""
    scores = np.clip(prediction.scores, 0.0, 1.0)
    if use_stable_score:
        scores = scores * (1.0 - np.clip(prediction.stable_scores, 0.0, 1.0)[..., None])
    return np.asarray(scores, dtype=np.float32)


def best_cells(scores: Float32Array, per_seed: int = 1) -> IntpArray:
    """Return the `per_seed` best of the 60 cells of each seed as (S x per_seed, 3) of seed, angle, depth."""
    flat = scores.reshape(len(scores), ANGLE_COUNT * len(DEPTHS_M))
    order = np.argsort(-flat, axis=1, kind="stable")[:, :per_seed]
    seeds = np.repeat(np.arange(len(scores)), order.shape[1])
    angle, depth = np.divmod(order.ravel(), len(DEPTHS_M))
    return np.stack([seeds, angle, depth], axis=-1)


def peak_cells(scores: Float32Array) -> IntpArray:
    """Return cells (G, 3) of seed, angle, depth: the in-plane angles that score no less than both neighbours.

    At the depth that scores best. A seed has its best cell among them and, where it may be grasped in more
    ways than one, the others too. The last angle is next to the first: half a turn is the same grasp.
    """
    best, depth = scores.max(axis=2), scores.argmax(axis=2)
    peak = (best >= np.roll(best, 1, axis=1)) & (best >= np.roll(best, -1, axis=1))
    seed, angle = np.nonzero(peak)
    return np.stack([seed, angle, depth[seed, angle]], axis=-1)


def decode_cells(prediction: GraspPrediction, scores: Float32Array, cells: ArrayLike) -> GraspGroup:
    """Return cells (G, 3) of seed, angle and depth, scored by `scores` (S, 12, 5), as grasps.

    In the frame of the prediction's points.
    """
    seed, angle, depth = np.asarray(cells, dtype=np.intp).reshape(-1, 3).T
    view = prediction.view_ids[seed]
    return GraspGroup.from_arrays(
        rotation_matrices=rotation_from_approach(-fibonacci_views()[view], angle * (np.pi / ANGLE_COUNT)),
        translations=prediction.points[prediction.seeds[seed]],
        widths=np.clip(prediction.widths_m[seed, angle, depth], 0.0, LABEL_MAX_WIDTH_M),
        scores=scores[seed, angle, depth],
        depths=np.asarray(DEPTHS_M)[depth],
        stable_scores=np.clip(prediction.stable_scores[seed, angle], 0.0, 1.0),
        view_ids=view,
        angle_ids=angle,
        seed_ids=seed,
    )
