# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from anygrasp_perception.refraction import undo_refraction

INDEX, SURFACE_M = 1.33, 0.4


def seen(point):
    """Where a time-of-flight camera puts a point below the surface z = SURFACE_M, by Fermat's principle."""
    point = np.asarray(point, dtype=float)
    radius = np.hypot(*point[:2])
    r = np.linspace(0, radius, 200_001)  # where the beam crosses the surface
    paths = np.hypot(r, SURFACE_M) + INDEX * np.hypot(radius - r, point[2] - SURFACE_M)
    best = np.argmin(paths)
    direction = np.array([*(point[:2] / max(radius, 1e-12) * r[best]), SURFACE_M])
    return direction / np.linalg.norm(direction) * paths[best]


@pytest.mark.parametrize("point", [(0, 0, 0.5), (0.2, -0.1, 0.45), (-0.3, 0.2, 0.7)])
def test_points_come_back_to_where_light_of_least_time_starts(point):
    apparent = seen(point)
    assert np.linalg.norm(apparent - point) > 0.01
    np.testing.assert_allclose(undo_refraction([apparent], (0, 0, 1), SURFACE_M, INDEX), [point], atol=2e-4)


def test_what_is_in_the_air_stays():
    points = np.array([[0.1, 0.2, 0.39], [0.0, 0.0, 0.1]], np.float32)
    np.testing.assert_array_equal(undo_refraction(points, (0, 0, 2), SURFACE_M), points)


def test_a_tilted_camera_sees_the_same_water():
    angle = 0.4
    R = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    point = np.array([0.1, 0.05, 0.6])
    true = undo_refraction([R @ seen(point)], R @ (0, 0, 1), SURFACE_M, INDEX)
    np.testing.assert_allclose(true, [R @ point], atol=2e-4)


def test_index_one_changes_nothing():
    points = np.random.default_rng(0).uniform(0.3, 0.8, (20, 3)).astype(np.float32)
    np.testing.assert_allclose(undo_refraction(points, (0, 0, 1), 0.5, 1.0), points, atol=1e-6)


@pytest.mark.parametrize(
    ("normal", "distance", "index", "message"),
    [
        ((0, 0, 0), 0.4, 1.33, "zero"),
        ((0, 0, 1), -0.1, 1.33, "positive"),
        ((0, 0, 1), 0.4, 0.9, "refractive_index"),
    ],
)
def test_impossible_water_is_refused(normal, distance, index, message):
    with pytest.raises(ValueError, match=message):
        undo_refraction(np.ones((1, 3)), normal, distance, index)
