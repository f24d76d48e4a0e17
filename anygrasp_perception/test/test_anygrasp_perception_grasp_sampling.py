# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest

from anygrasp_perception.grasp import fibonacci_views
from anygrasp_perception.grasp_sampling import (
    ApproachCone,
    GraspSamplingConfig,
    sample_approaches,
    sample_seeds,
)

DOWN = np.array([0.0, 0.0, 1.0])


def flat_surface(count=400):
    xy = np.random.default_rng(0).uniform(-0.1, 0.1, (count, 2))
    points = np.column_stack([xy, np.full(count, 0.5)]).astype(np.float32)
    return points, np.tile(np.array([(0, 0, -1)], np.float32), (count, 1))


def approaches(cone=None, seed=0, **config):
    points, normals = flat_surface()
    return sample_approaches(
        np.arange(0, 400, 10),
        points,
        normals,
        DOWN,
        cone,
        GraspSamplingConfig(**config),
        np.random.default_rng(seed),
    )


def test_seeds_are_spread_allowed_and_few():
    points, _ = flat_surface()
    allowed = points[:, 0] > 0
    config = GraspSamplingConfig(max_seeds=30, seed_spacing_m=0.02)
    seeds = sample_seeds(points, allowed, config, np.random.default_rng(0))
    assert len(seeds) == 30
    assert allowed[seeds].all()
    assert len(np.unique(np.floor(points[seeds] / np.float32(0.02)), axis=0)) == 30


def test_nothing_allowed_gives_no_seeds():
    points, _ = flat_surface()
    assert (
        len(sample_seeds(points, np.zeros(400, bool), GraspSamplingConfig(), np.random.default_rng(0))) == 0
    )


def test_clip_turns_outsiders_onto_the_rim_and_leaves_insiders():
    cone = ApproachCone(DOWN, np.deg2rad(20))
    directions = np.array([(0, 0, 1.0), (np.sin(0.1), 0, np.cos(0.1)), (1.0, 0, 0), (0, 0, -1.0)])
    clipped = cone.clip(directions)
    np.testing.assert_allclose(clipped[:2], directions[:2])
    np.testing.assert_allclose(clipped[2], (np.sin(np.deg2rad(20)), 0, np.cos(np.deg2rad(20))))
    np.testing.assert_allclose(clipped @ DOWN, (1, np.cos(0.1), *[np.cos(np.deg2rad(20))] * 2))
    np.testing.assert_allclose(np.linalg.norm(clipped, axis=1), 1.0)


def test_every_seed_gets_the_preferred_approach_once():
    sampled = approaches()
    np.testing.assert_allclose(sampled.approaches[0], DOWN)
    assert sampled.view_ids[0] == -1
    assert sorted(sampled.seeds[sampled.views == 0]) == list(range(0, 400, 10))
    pairs = np.stack([sampled.seeds, sampled.views])
    assert np.unique(pairs, axis=1).shape == pairs.shape


def test_other_approaches_are_views_of_the_label_space():
    sampled = approaches()
    np.testing.assert_allclose(sampled.approaches[1:], -fibonacci_views()[sampled.view_ids[1:]])


def test_cone_holds_for_every_approach():
    cone = ApproachCone(np.array([0.6, 0.0, 0.8]), np.deg2rad(15))
    sampled = approaches(cone)
    assert len(sampled.seeds) >= 40
    assert cone.contains(sampled.approaches).all()


def test_narrow_cone_keeps_its_axis():
    sampled = approaches(ApproachCone(DOWN, 1e-6))
    np.testing.assert_allclose(sampled.approaches, [DOWN])
    assert len(sampled.seeds) == 40


def test_approaches_from_behind_are_left_out_and_counted():
    sampled = approaches(ApproachCone(-DOWN, np.deg2rad(30)))
    assert len(sampled.seeds) == 0
    assert sampled.left_out > 0


def test_same_seed_same_approaches():
    first, again, other = approaches(seed=1), approaches(seed=1), approaches(seed=2)
    np.testing.assert_array_equal(first.views, again.views)
    assert not np.array_equal(first.views, other.views)


@pytest.mark.parametrize(
    ("field", "value"),
    [("max_seeds", 0), ("random_approaches", -1), ("seed_spacing_m", 0.0), ("spread_rad", 0.0)],
)
def test_config_out_of_range_is_refused(field, value):
    with pytest.raises(ValueError, match=field):
        GraspSamplingConfig(**{field: value})
