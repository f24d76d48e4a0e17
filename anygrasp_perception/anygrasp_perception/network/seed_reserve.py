# SPDX-License-Identifier: Apache-2.0
"""The many cells of each seed that were no candidates, for places where the candidates led to no grasp."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from anygrasp_perception.arrays import Float32Array
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.network.decode import best_cells, decode_cells
from anygrasp_perception.network.grasp_network import GraspPrediction

__all__ = ["SeedReserve"]

_PLACE_M = 0.01  # seeds in the same cube of this edge stand for one place
_PER_SEED = 30


class SeedReserve:
    """Cells of one prediction, with `scores` (S, 12, 5), as far as a gripper opens wide enough for them."""

    def __init__(self, prediction: GraspPrediction, scores: Float32Array, max_width_m: float) -> None:
        self._prediction = prediction
        self._scores = scores
        self._max_width_m = max_width_m

    def away_from(self, grasps: GraspGroup, reach_m: float, count: int) -> GraspGroup:
        """At most `count` grasps at seeds from which no pads of `grasps` are within `reach_m`.

        First the best of every place, then the second best of every place, and so on: a poor place has its
        turn as well.
        """
        seeds = self._prediction.points[self._prediction.seeds]
        left = np.arange(len(seeds))
        if len(grasps):
            distance_m, _ = cKDTree(grasps.pad_middles).query(seeds, distance_upper_bound=reach_m)
            left = left[~np.isfinite(distance_m)]
        if len(left) == 0:
            return GraspGroup.empty()
        fits = self._prediction.widths_m[left] <= self._max_width_m
        ranked = np.where(fits, self._scores[left], np.float32(-1))
        cells = best_cells(ranked, _PER_SEED)
        score = ranked[tuple(cells.T)]
        cells, score = cells[score >= 0.0], score[score >= 0.0]
        cells[:, 0] = left[cells[:, 0]]
        turn = _rank_in_place(seeds[cells[:, 0]], score)
        order = np.lexsort((-score, turn))[:count]
        return decode_cells(self._prediction, self._scores, cells[order])


def _rank_in_place(points: Float32Array, score: Float32Array) -> np.ndarray:
    """How many of the points (N, 3) in the same place score better; (N,)."""
    cubes = np.floor(points / _PLACE_M).astype(np.int64)
    place = np.unique(cubes, axis=0, return_inverse=True)[1].ravel()
    order = np.lexsort((-score, place))
    begins = np.searchsorted(place[order], place[order])
    rank = np.empty(len(points), dtype=np.intp)
    rank[order] = np.arange(len(points)) - begins
    return rank
