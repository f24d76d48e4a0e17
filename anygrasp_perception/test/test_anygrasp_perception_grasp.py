# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest

from anygrasp_perception.grasp import (
    ANGLE_COUNT,
    DEPTHS_M,
    HALF_TURN_X,
    VIEW_COUNT,
    fibonacci_views,
    rotation_from_approach,
)
from anygrasp_perception.se3 import check_rotations


def test_label_space():
    assert (VIEW_COUNT, ANGLE_COUNT, len(DEPTHS_M)) == (300, 12, 5)
    assert DEPTHS_M[0] == 0.005


def test_first_and_last_views_by_hand():
    views = fibonacci_views()
    z = 1 / 300 - 1
    np.testing.assert_allclose(views[0], (math.sqrt(1 - z * z), 0.0, z))
    assert views[-1, 2] == pytest.approx(599 / 300 - 1)
    azimuth = 2 * math.pi * (math.sqrt(5) - 1) / 2
    z = 3 / 300 - 1
    np.testing.assert_allclose(
        views[1], (math.sqrt(1 - z * z) * math.cos(azimuth), math.sqrt(1 - z * z) * math.sin(azimuth), z)
    )


def test_views_are_unit_and_spread_evenly():
    views = fibonacci_views()
    np.testing.assert_allclose(np.linalg.norm(views, axis=1), 1.0)
    np.testing.assert_allclose(views.mean(axis=0), 0.0, atol=0.01)
    cos = views @ views.T - 2 * np.eye(300)
    nearest = np.degrees(np.arccos(cos.max(axis=1)))
    assert nearest.min() > 8.0  # 300 even caps are about 13 degrees across
    assert nearest.max() < 14.0


def test_zero_angle_closes_horizontally():
    R = rotation_from_approach((1.0, 0.0, 0.0), 0.0)
    np.testing.assert_allclose(R, np.eye(3), atol=1e-12)


def test_vertical_approach_closes_along_y():
    R = rotation_from_approach((0.0, 0.0, 2.0), 0.0)
    np.testing.assert_allclose(R[:, 0], (0.0, 0.0, 1.0))
    np.testing.assert_allclose(R[:, 1], (0.0, 1.0, 0.0))
    np.testing.assert_allclose(R[:, 2], (-1.0, 0.0, 0.0))


def test_in_plane_angle_turns_about_the_approach():
    R = rotation_from_approach((1.0, 0.0, 0.0), math.pi / 2)
    np.testing.assert_allclose(R @ (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), atol=1e-12)
    base = rotation_from_approach((0.3, -0.5, 0.8), 0.0)
    cos, sin = math.cos(0.4), math.sin(0.4)
    turn = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    np.testing.assert_allclose(rotation_from_approach((0.3, -0.5, 0.8), 0.4), base @ turn, atol=1e-12)


def test_all_label_orientations_are_rotations_with_their_approach():
    views = fibonacci_views()
    angles = np.arange(ANGLE_COUNT) * math.pi / ANGLE_COUNT
    R = rotation_from_approach(-views[:, None], angles[None])
    assert R.shape == (300, 12, 3, 3)
    check_rotations(R, "R")
    np.testing.assert_allclose(R[..., 0], np.broadcast_to(-views[:, None], (300, 12, 3)), atol=1e-12)


def test_half_turn_keeps_the_approach_and_swaps_the_fingers():
    R = rotation_from_approach((0.2, 0.1, 0.9), 0.7)
    np.testing.assert_allclose((R @ HALF_TURN_X)[:, 0], R[:, 0])
    np.testing.assert_allclose((R @ HALF_TURN_X)[:, 1], -R[:, 1])
    check_rotations(R @ HALF_TURN_X, "R")


def test_half_turn_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        HALF_TURN_X[0, 0] = 2.0


@pytest.mark.parametrize("approach", [(0.0, 0.0, 0.0), (np.nan, 0.0, 1.0)])
def test_approach_without_a_direction_is_refused(approach):
    with pytest.raises(ValueError, match="approach must have a finite length"):
        rotation_from_approach(approach)
