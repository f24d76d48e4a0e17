# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest
import torch

from anygrasp_perception.detector import DetectionRequest
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.grasp_refinement import GraspRefiner, RefinementConfig, vary_grasps
from anygrasp_perception.network.grasp_crops import SurfacePoints
from anygrasp_perception.network.verifier import GraspVerifier, VerifierConfig
from anygrasp_perception.nms import symmetric_rotation_angle
from anygrasp_perception.point_grid import PointGrid
from anygrasp_perception.seen_objects import SeenObjects


class Upright:
    """Stands for a verifier: grasps are the better the straighter they come along z of the camera."""

    def judge(self, grasps, surface):
        return np.clip(grasps.rotation_matrices[:, 2, 0], 0, 1)


def grasps_of(count, seed=0, stable=np.nan):
    rng = np.random.default_rng(seed)
    R = np.linalg.qr(rng.normal(size=(count, 3, 3)))[0]
    R *= np.sign(np.linalg.det(R))[:, None, None]
    return GraspGroup.from_arrays(
        rotation_matrices=R,
        translations=rng.uniform((-0.1, -0.1, 0.4), (0.1, 0.1, 0.6), (count, 3)),
        widths=0.05,
        depths=rng.choice([0.01, 0.02, 0.04], count),
        scores=rng.uniform(size=count),
        stable_scores=stable,
        seed_ids=np.arange(count),
    )


@pytest.fixture
def surface():
    points = np.random.default_rng(1).uniform(-0.1, 0.1, (300, 3)).astype(np.float32) + np.float32(
        [0, 0, 0.5]
    )
    return SurfacePoints(PointGrid(points), np.zeros_like(points))


def refiner(surface, **values):
    config = RefinementConfig(**values)
    return GraspRefiner(Upright(), surface, np.random.default_rng(0), config, use_stable_score=False)


def test_refined_grasps_are_no_worse_and_what_was_there_stays(surface):
    first = grasps_of(40)
    judged = refiner(surface, rounds=0).refine(first, lambda tried: tried)
    assert np.array_equal(judged.translations, first.translations)
    once = refiner(surface, rounds=1).refine(first, lambda tried: tried)
    thrice = refiner(surface, rounds=3).refine(first, lambda tried: tried)
    assert judged.scores.max() < once.scores.max() <= thrice.scores.max()
    assert np.array_equal(once[: len(first)].scores, judged.scores)
    assert set(once.seed_ids) <= set(first.seed_ids)


def test_what_is_not_cleared_is_not_offered(surface):
    refined = refiner(surface).refine(grasps_of(10), lambda tried: tried[:0])
    assert len(refined) == 10


def test_no_candidates_stay_none(surface):
    assert len(refiner(surface).refine(GraspGroup.empty(), lambda tried: tried)) == 0


def test_the_stable_score_counts_when_asked_for(surface):
    torch.manual_seed(0)
    verifier = GraspVerifier(VerifierConfig()).eval()
    grasps = grasps_of(5, stable=[0.0, 0.5, 1.0, np.nan, 0.2])
    rng, config = np.random.default_rng(0), RefinementConfig(rounds=0, off_centre_loss=1.0)
    plain = GraspRefiner(verifier, surface, rng, config, False).refine(grasps, lambda tried: tried).scores
    stable = GraspRefiner(verifier, surface, rng, config, True).refine(grasps, lambda tried: tried).scores
    np.testing.assert_allclose(stable, plain * [1.0, 0.5, 0.0, 1.0, 0.8], rtol=1e-6)


def test_varied_grasps_turn_about_their_fingertips():
    grasps, config = grasps_of(4000), RefinementConfig(shift_m=(0.0, 0.0, 0.0), turn_rad=0.1, tilt_rad=0.2)
    varied = vary_grasps(grasps, np.random.default_rng(3), config)
    np.testing.assert_allclose(varied.fingertips, grasps.fingertips, atol=1e-9)
    angle = symmetric_rotation_angle(grasps.rotation_matrices, varied.rotation_matrices)
    approach = np.arccos(np.clip(np.sum(grasps.approaches * varied.approaches, axis=1), -1, 1))
    assert 0.45 < np.mean(approach < 1e-6) < 0.55  # half are turned in their plane alone
    assert np.sqrt(np.mean(angle**2)) == pytest.approx(np.sqrt(0.1**2 + 0.2**2), rel=0.1)
    np.testing.assert_allclose(np.linalg.det(varied.rotation_matrices), 1.0)


def test_varied_grasps_shift_along_their_own_axes():
    grasps = grasps_of(4000)
    config = RefinementConfig(turn_rad=0.0, tilt_rad=0.0, shift_m=(0.004, 0.0, 0.002))
    varied = vary_grasps(grasps, np.random.default_rng(3), config, scale=0.5)
    moved = np.einsum("gij,gi->gj", grasps.rotation_matrices, varied.translations - grasps.translations)
    np.testing.assert_allclose(moved.std(axis=0), [0.002, 0.0, 0.001], atol=1e-4)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rounds": -1}, "rounds must be 0 or more, got -1"),
        ({"tilt_rad": np.nan}, "tilt_rad must be 0 or more, got nan"),
        ({"shift_m": (0.1, 0.1)}, "three lengths"),
    ],
)
def test_a_config_refuses_nonsense(values, message):
    with pytest.raises(ValueError, match=message):
        replace(RefinementConfig(), **values)


def asked_along(axis, cone_rad=0.4):
    return DetectionRequest().along(axis, cone_rad)


def test_oblique_grasps_count_less_where_an_approach_is_asked_for(surface):
    first = grasps_of(40)
    plain = refiner(surface, rounds=0).refine(first, lambda tried: tried)
    config = RefinementConfig(rounds=0, oblique_loss=0.5)
    asked = GraspRefiner(
        Upright(), surface, np.random.default_rng(0), config, False, asked_along((0.0, 0.0, 2.0), 0.8)
    ).refine(first, lambda tried: tried)
    angle = np.arccos(first.rotation_matrices[:, 2, 0])
    np.testing.assert_allclose(asked.scores, plain.scores * (1 - 0.5 * np.minimum(angle / 0.8, 1)), rtol=1e-6)


def test_some_variations_come_straight_along_the_approach_asked_for(surface):
    seen = []

    def clear(tried):
        seen.append(tried)
        return tried

    config = RefinementConfig(rounds=1, straight_share=0.5)
    asked = asked_along((0.0, 0.6, 0.8))
    GraspRefiner(Upright(), surface, np.random.default_rng(0), config, False, asked).refine(
        grasps_of(40), clear
    )
    straight = seen[0].approaches @ (0.0, 0.6, 0.8) > 1 - 1e-9
    assert 0.3 < straight.mean() < 0.7


def test_what_is_seen_of_the_objects_replaces_the_guess_of_their_centre(surface):
    first = grasps_of(10, stable=1.0)
    points = np.asarray(first.fingertips[:1] - 0.01 * first.approaches[:1], dtype=np.float32)
    objects = SeenObjects(points, 0.01)
    config = RefinementConfig(rounds=0, off_centre_loss=1.0)
    judged = GraspRefiner(Upright(), surface, np.random.default_rng(0), config, True, None, objects).refine(
        first, lambda tried: tried
    )
    np.testing.assert_allclose(judged.stable_scores, objects.off_centre(first))
    assert judged.stable_scores[0] == pytest.approx(0.0, abs=1e-4)


class Further:
    """Stands for a FurtherLook: offers grasps straight down, one of its lists of places at each call."""

    def __init__(self, *turns):
        self.turns = [np.asarray(places, dtype=float).reshape(-1, 3) for places in turns]
        self.asked = []

    def away_from(self, grasps, reach_m, count, judge):
        self.asked.append((grasps, reach_m, count))
        return straight_down(self.turns.pop(0))


def straight_down(places):
    down = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]).T  # approach along z, closing along y
    return GraspGroup.from_arrays(
        rotation_matrices=np.tile(down, (len(places), 1, 1)),
        translations=places,
        widths=0.05,
        depths=0.02,
        scores=0.1,
        seed_ids=np.arange(len(places)),
    )


def test_places_without_a_sure_grasp_are_looked_at_again(surface):
    poor = grasps_of(6)
    poor = poor[Upright().judge(poor, surface) < 0.5]
    good = straight_down(np.array([[0.0, 0.0, 0.5]]))
    further = Further([[0.05, 0.05, 0.5], [-0.05, 0.05, 0.5]], [])
    config = RefinementConfig(
        rounds=0, uncovered_m=0.03, sure_score=0.5, turns=3, retried=7, retried_loss=0.25
    )
    refiner = GraspRefiner(Upright(), surface, np.random.default_rng(0), config, False, further=further)
    result = refiner.refine(GraspGroup.concatenate([poor, good]), lambda tried: tried[:1])
    (near, reach_m, count), (near_then, _, _) = further.asked  # nothing is left after the second turn
    np.testing.assert_allclose(near.translations, good.translations)  # the poor ones cover nothing
    assert (reach_m, count) == (0.03, 7)
    assert len(result) == len(poor) + 2  # the one that `clear` let through
    np.testing.assert_allclose(result[len(result) - 1 :].translations, [[0.05, 0.05, 0.5]])
    np.testing.assert_allclose(result.scores[-2:], [1.0, 0.75])  # the second thought loses a quarter
    np.testing.assert_allclose(near_then.translations[-1], [0.05, 0.05, 0.5])  # and covers its place
    none = replace(config, turns=0)
    untried = GraspRefiner(Upright(), surface, np.random.default_rng(0), none, False, further=Further())
    assert len(untried.refine(good, lambda tried: tried)) == 1
