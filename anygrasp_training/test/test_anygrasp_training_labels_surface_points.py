# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from anygrasp_training.labels.surface_points import farthest_points, surface_points

BOX = trimesh.creation.box((0.1, 0.1, 0.1))


def test_points_lie_on_the_surface():
    points = surface_points(BOX, 100, 0.0, seed=0)
    assert points.shape == (100, 3)
    np.testing.assert_allclose(np.abs(points).max(axis=1), 0.05, atol=1e-12)


def test_points_are_spread_more_evenly_than_random_ones():
    def nearest(points):
        return cKDTree(points).query(points, k=2)[0][:, 1]

    even = nearest(surface_points(BOX, 150, 0.0, seed=1))
    at_random = nearest(trimesh.sample.sample_surface(BOX, 150, seed=1)[0])
    assert even.min() > 5 * at_random.min()
    assert even.std() / even.mean() < 0.25


def test_a_small_object_gets_fewer_points_by_their_spacing():
    small = trimesh.creation.box((0.015, 0.015, 0.015))
    points = surface_points(small, 1000, 0.004, seed=2)
    assert 40 < len(points) < 100
    assert cKDTree(points).query(points, k=2)[0][:, 1].min() >= 0.004


def test_the_seed_decides():
    np.testing.assert_array_equal(surface_points(BOX, 20, 0.0, seed=3), surface_points(BOX, 20, 0.0, seed=3))
    assert not np.array_equal(surface_points(BOX, 20, 0.0, seed=3), surface_points(BOX, 20, 0.0, seed=4))


def test_farthest_points_by_hand():
    line = np.array([(0.0, 0, 0), (1, 0, 0), (2, 0, 0), (10, 0, 0)])
    np.testing.assert_array_equal(farthest_points(line, 3), [0, 3, 2])
    np.testing.assert_array_equal(farthest_points(line, 4, min_spacing_m=1.5), [0, 3, 2])


@pytest.mark.parametrize(("count", "spacing"), [(0, 0.001), (1, -0.001), (1, np.nan)])
def test_senseless_arguments_are_refused(count, spacing):
    with pytest.raises(ValueError, match="need max_count >= 1 and min_spacing_m >= 0"):
        surface_points(BOX, count, spacing, seed=0)
