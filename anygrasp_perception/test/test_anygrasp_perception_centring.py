# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anygrasp_perception.centring import centre_grasps, closing_region_points
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.gripper import GripperGeometry
from anygrasp_perception.se3 import make_transform, transform_points

GRIPPER = GripperGeometry()


def make_group(count=1, **changes):
    arrays = {
        "rotation_matrices": np.tile(np.eye(3), (count, 1, 1)),
        "translations": np.zeros((count, 3)),
        "widths": 0.08,
        "scores": 0.5,
        "depths": 0.02,
    }
    return GraspGroup.from_arrays(**(arrays | changes))


def test_shift_and_width_by_hand():
    # Outermost points at y = -0.01 and 0.03: the middle is 0.01, they are 0.04 apart.
    points = [(0.0, -0.01, 0.0), (0.0, 0.03, 0.0), (0.01, 0.0, 0.005)]
    result = centre_grasps(make_group(), points, GRIPPER, margin_m=0.005)
    np.testing.assert_allclose(result.grasps.translations, [[0.0, 0.01, 0.0]], atol=1e-7)
    np.testing.assert_allclose(result.grasps.widths, [0.05], atol=1e-7)
    np.testing.assert_allclose(result.shifts_m, [0.01], atol=1e-7)
    np.testing.assert_allclose(result.contact_spans_m, [0.04], atol=1e-7)


def test_both_fingers_travel_alike_afterwards():
    rng = np.random.default_rng(0)
    points = rng.normal(0, 0.012, (400, 3))
    group = make_group(
        50,
        rotation_matrices=Rotation.random(50, random_state=0).as_matrix(),
        translations=rng.uniform(-0.02, 0.02, (50, 3)),
    )
    centred = centre_grasps(group, points, GRIPPER, margin_m=0.005).grasps
    for before, after in zip(group, centred, strict=True):
        right, left = closing_region_points(before, points, GRIPPER).extent_y()
        shift = (after.translations - before.translations) @ before.closing_directions[0]
        half = after.widths / 2
        travel_left, travel_right = half + shift - left, half - shift + right
        np.testing.assert_allclose(travel_left, travel_right, atol=1e-6)
        assert travel_left[0] <= 0.005 + 1e-6
    # Only along y: neither deeper nor sideways.
    moved = centred.translations - group.translations
    np.testing.assert_allclose(np.einsum("ni,ni->n", moved, group.approaches), 0.0, atol=1e-12)


def test_points_outside_the_closing_region_do_not_count():
    inside = (0.0, 0.01, 0.0)
    others = [(0.021, 0.02, 0.0), (-0.041, 0.02, 0.0), (0.0, 0.02, 0.011), (0.0, 0.041, 0.0)]
    result = centre_grasps(make_group(), [inside, *others], GRIPPER)
    np.testing.assert_allclose(result.shifts_m, [0.01], atol=1e-7)


def test_width_stays_within_the_gripper():
    points = [(0.0, -0.04, 0.0), (0.0, 0.04, 0.0)]
    assert centre_grasps(make_group(), points, GRIPPER).grasps.widths[0] == GRIPPER.max_width_m
    narrow = GripperGeometry(min_width_m=0.03)
    assert centre_grasps(make_group(), [(0.0, 0.0, 0.0)], narrow, margin_m=0.0).grasps.widths[0] == 0.03


def test_tight_grasp_opens_to_its_margin():
    points = [(0.0, -0.019, 0.0), (0.0, 0.019, 0.0)]
    result = centre_grasps(make_group(widths=0.04), points, GRIPPER, margin_m=0.005)
    np.testing.assert_allclose(result.grasps.widths, [0.048], atol=1e-7)


def test_nothing_between_the_fingers_changes_nothing():
    result = centre_grasps(make_group(2), [(0.0, 0.3, 0.0)], GRIPPER)
    np.testing.assert_array_equal(result.grasps.translations, np.zeros((2, 3)))
    np.testing.assert_array_equal(result.grasps.widths, [0.08, 0.08])
    np.testing.assert_array_equal(result.shifts_m, [0.0, 0.0])
    assert np.isnan(result.contact_spans_m).all()


def test_centring_again_changes_nothing():
    points = np.random.default_rng(1).normal(0, 0.008, (300, 3))
    once = centre_grasps(make_group(translations=[[0.0, 0.01, 0.0]]), points, GRIPPER).grasps
    twice = centre_grasps(once, points, GRIPPER).grasps
    np.testing.assert_allclose(twice.translations, once.translations, atol=1e-7)
    np.testing.assert_allclose(twice.widths, once.widths, atol=1e-7)


def test_result_depends_on_relative_pose_only():
    points = np.random.default_rng(2).normal(0, 0.01, (300, 3))
    T_a_b = make_transform(Rotation.random(random_state=3).as_matrix(), (0.2, -0.1, 0.5))
    group = make_group(3, translations=[[0, 0.01, 0], [0.01, 0, 0.01], [0, 0, 0]])
    here = centre_grasps(group, points, GRIPPER).grasps.transformed(T_a_b)
    there = centre_grasps(group.transformed(T_a_b), transform_points(T_a_b, points), GRIPPER).grasps
    np.testing.assert_allclose(here.translations, there.translations, atol=1e-6)
    np.testing.assert_allclose(here.widths, there.widths, atol=1e-6)


def test_no_grasps():
    assert len(centre_grasps(GraspGroup.empty(), np.zeros((1, 3)), GRIPPER).grasps) == 0


def test_closing_region_names_the_points():
    points = [(0.3, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.03, 0.0)]
    between = closing_region_points(make_group(widths=0.05), points, GRIPPER)
    np.testing.assert_array_equal(between.points, [1])


@pytest.mark.parametrize("margin", [-0.001, np.nan])
def test_negative_margin_is_refused(margin):
    with pytest.raises(ValueError, match="margin_m must be >= 0"):
        centre_grasps(make_group(), np.zeros((1, 3)), GRIPPER, margin)


def test_empty_cloud_is_refused():
    with pytest.raises(ValueError, match="the cloud is empty"):
        centre_grasps(make_group(), np.zeros((0, 3)), GRIPPER)


def test_nan_cloud_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        centre_grasps(make_group(), np.full((4, 3), np.nan), GRIPPER)
