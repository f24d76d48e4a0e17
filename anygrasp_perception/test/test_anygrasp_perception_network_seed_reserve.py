# SPDX-License-Identifier: Apache-2.0
"""Which cells of which seeds are tried where there is no grasp yet."""

import numpy as np

from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.network.grasp_network import GraspPrediction
from anygrasp_perception.network.seed_reserve import SeedReserve

# Two seeds 3 mm from each other in one place, a third 8 cm away.
SEEDS = np.array([[0.101, 0.001, 0.6], [0.104, 0.001, 0.6], [0.184, 0.001, 0.6]], dtype=np.float32)


def prediction_of(scores, widths=0.05):
    count = len(scores)
    return GraspPrediction(
        points=SEEDS,
        normals=np.zeros((count, 3), dtype=np.float32),
        objectness=np.ones(count, dtype=np.float32),
        graspness=np.ones(count, dtype=np.float32),
        seeds=np.arange(count),
        view_scores=np.zeros((count, 300), dtype=np.float32),
        view_ids=np.full(count, 4),
        scores=scores,
        widths_m=np.broadcast_to(np.float32(widths), scores.shape),
        stable_scores=np.zeros((count, 12), dtype=np.float32),
        seed_features=np.zeros((count, 4), dtype=np.float32),
        grasp_features=np.zeros((count, 4), dtype=np.float32),
        durations_s={},
    )


def scores_of(*best):
    """Scores of three seeds: `best` at angle 0 and depth 0, half of it at angle 6, a hundredth elsewhere."""
    scores = np.empty((3, 12, 5), dtype=np.float32)
    scores[:] = 0.01 * np.array(best)[:, None, None]
    scores[:, 0, 0], scores[:, 6, 0] = best, 0.5 * np.array(best)
    return scores


def test_every_place_has_its_turn_before_the_best_has_its_second():
    scores = scores_of(0.8, 0.9, 0.1)
    found = SeedReserve(prediction_of(scores), scores, 0.085).away_from(GraspGroup.empty(), 0.02, 5)
    assert found.seed_ids.tolist() == [1, 2, 0, 2, 1]
    np.testing.assert_allclose(found.scores, [0.9, 0.1, 0.8, 0.05, 0.45], rtol=1e-6)


def test_only_seeds_without_pads_near_are_tried():
    scores = scores_of(0.8, 0.9, 0.1)
    reserve = SeedReserve(prediction_of(scores), scores, 0.085)
    at_first = reserve.away_from(GraspGroup.empty(), 0.02, 1)
    assert at_first.seed_ids.tolist() == [1]
    rest = reserve.away_from(at_first, 0.05, 100)
    assert set(rest.seed_ids.tolist()) == {2}
    assert len(reserve.away_from(GraspGroup.concatenate([at_first, rest[:1]]), 0.05, 100)) == 0


def test_what_the_gripper_cannot_open_for_is_left_out():
    scores = scores_of(0.8, 0.9, 0.1)
    widths = np.full((3, 12, 5), 0.05)
    widths[:2] = 0.2
    found = SeedReserve(prediction_of(scores, widths), scores, 0.085).away_from(GraspGroup.empty(), 0.02, 100)
    assert set(found.seed_ids.tolist()) == {2}
