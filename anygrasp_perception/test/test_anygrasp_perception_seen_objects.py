# SPDX-License-Identifier: Apache-2.0
"""Pieces of objects that hang together, and how far off their middles grasps close."""

import numpy as np
import pytest

from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.seen_objects import SeenObjects


def bar(x_m: float, length_m: float = 0.2) -> np.ndarray:
    """Points 5 mm apart on a bar along y, seen from above."""
    y = np.arange(-length_m / 2, length_m / 2 + 1e-9, 0.005)
    return np.stack(np.broadcast_arrays(x_m + np.arange(3)[:, None] * 0.005, y, 0.5), axis=-1).reshape(-1, 3)


def across(x_m: float, y_m: float) -> GraspGroup:
    """A grasp from above that closes across a bar: approach along the camera's z, fingers along x."""
    R = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    return GraspGroup.from_arrays(
        rotation_matrices=R[None], translations=[(x_m, y_m, 0.5)], widths=0.03, scores=1.0, depths=0.01
    )


def test_a_grasp_at_the_middle_is_on_centre_and_one_at_the_end_is_off():
    objects = SeenObjects(bar(0.0).astype(np.float32), 0.009)
    assert objects.off_centre(across(0.005, 0.0))[0] == pytest.approx(0.0, abs=1e-6)
    assert objects.off_centre(across(0.005, 0.05))[0] == pytest.approx(0.5, abs=0.01)
    assert objects.off_centre(across(0.005, -0.1))[0] == pytest.approx(1.0, abs=0.01)


def test_each_grasp_is_measured_on_the_piece_that_it_holds():
    points = np.concatenate([bar(0.0), bar(0.06) + np.array([0.0, 0.05, 0.0])]).astype(np.float32)
    apart = SeenObjects(points, 0.009)
    group = GraspGroup.concatenate([across(0.005, 0.0), across(0.065, 0.05), across(0.065, 0.0)])
    np.testing.assert_allclose(apart.off_centre(group), [0.0, 0.0, 0.5], atol=0.01)
    together = SeenObjects(points, 0.07)
    assert together.off_centre(group)[0] > 0.1


def test_small_things_are_not_measured_finer_than_the_noise():
    objects = SeenObjects(bar(0.0, 0.01).astype(np.float32), 0.009)
    assert objects.off_centre(across(0.005, 0.005))[0] == pytest.approx(0.25, abs=0.01)  # of 20 mm


def test_without_points_nothing_is_off_centre():
    nothing = SeenObjects(np.zeros((0, 3), dtype=np.float32), 0.009)
    np.testing.assert_array_equal(nothing.off_centre(across(0.0, 0.0)), [0.0])
    assert len(SeenObjects(bar(0.0).astype(np.float32), 0.009).off_centre(GraspGroup.empty())) == 0


def test_a_single_point_is_a_piece():
    lone = SeenObjects(np.array([[0.0, 0.0, 0.5]], dtype=np.float32), 0.009)
    assert lone.off_centre(across(0.0, 0.01))[0] == pytest.approx(0.5)
