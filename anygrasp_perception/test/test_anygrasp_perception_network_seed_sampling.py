# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from anygrasp_perception.network.seed_sampling import farthest_points


def naive(points, count, first):
    chosen = [first]
    for _ in range(count - 1):
        nearest = ((points[:, None] - points[chosen]) ** 2).sum(axis=-1).min(axis=1)
        chosen.append(int(nearest.argmax()))
    return chosen


@pytest.mark.parametrize("shape", [(0.3, 0.02, 0.1), (0.05, 0.4, 0.4), (0.1, 0.1, 2.0)])
@pytest.mark.parametrize("count", [600, 1500])  # few and many go different ways
def test_agrees_with_the_definition(shape, count):
    points = np.random.default_rng(0).uniform(0, shape, (count, 3)).astype(np.float32)
    np.testing.assert_array_equal(farthest_points(points, 120, 7), naive(points, 120, 7))


def test_no_point_is_farther_from_a_seed_than_seeds_are_apart():
    points = np.random.default_rng(1).normal(0, 0.1, (3000, 3)).astype(np.float32)
    chosen = farthest_points(points, 300)
    between = cdist(points[chosen], points[chosen])
    between[np.diag_indices(300)] = np.inf
    assert cdist(points, points[chosen]).min(axis=1).max() <= between.min() * (1 + 1e-5)


def test_of_few_points_all_are_seeds():
    points = np.zeros((5, 3), dtype=np.float32)
    np.testing.assert_array_equal(farthest_points(points, 5), np.arange(5))
    np.testing.assert_array_equal(farthest_points(points[:0], 5), [])


def test_identical_points():
    assert len(farthest_points(np.ones((9, 3), dtype=np.float32), 4)) == 4
