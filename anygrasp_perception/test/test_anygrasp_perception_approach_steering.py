# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from anygrasp_perception.approach_steering import steer_into_cone, views_near_cone
from anygrasp_perception.grasp import fibonacci_views, rotation_from_approach
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.nms import symmetric_rotation_angle


def random_grasps(count, seed=0):
    rng = np.random.default_rng(seed)
    return GraspGroup.from_arrays(
        rotation_matrices=rotation_from_approach(rng.normal(size=(count, 3)), rng.uniform(0, np.pi, count)),
        translations=rng.uniform(-1, 1, (count, 3)),
        widths=0.05,
        scores=rng.uniform(size=count),
        depths=0.02,
    )


def test_wherever_a_narrow_cone_points_a_view_is_near():
    for axis in np.random.default_rng(0).normal(size=(5000, 3)):
        assert views_near_cone(axis, 0.001).any()


def test_a_wide_cone_has_the_views_inside_it_and_no_others():
    axis = np.array((0.3, -0.2, 1.0))
    angle = np.arccos(-fibonacci_views() @ axis / np.linalg.norm(axis))
    np.testing.assert_array_equal(views_near_cone(axis, 0.5), angle <= 0.5)
    assert views_near_cone(axis, np.pi).all()


def test_grasps_are_turned_onto_the_rim_by_no_more_than_they_were_outside():
    grasps, axis = random_grasps(200), np.array((0.2, 1.0, -0.4))
    before = np.arccos(grasps.approaches @ axis / np.linalg.norm(axis))
    steered = steer_into_cone(grasps, axis, 0.4)
    after = np.arccos(np.clip(steered.approaches @ axis / np.linalg.norm(axis), -1, 1))
    assert (after <= 0.4 + 1e-9).all()
    turned = symmetric_rotation_angle(grasps.rotation_matrices, steered.rotation_matrices)
    np.testing.assert_allclose(turned, np.maximum(before - 0.4, 0.0), atol=1e-5)
    np.testing.assert_array_equal(steered.translations, grasps.translations)


def test_the_opposite_direction_is_turned_too():
    steered = steer_into_cone(random_grasps(5), -random_grasps(5).approaches[2], 0.1)
    assert steered.approaches[2] @ -random_grasps(5).approaches[2] >= np.cos(0.1)


def test_grasps_inside_stay_as_they_are():
    grasps = random_grasps(5)
    assert steer_into_cone(grasps, (0.0, 0.0, 1.0), np.pi) is grasps


@pytest.mark.parametrize(
    "call", [views_near_cone, lambda axis, angle: steer_into_cone(random_grasps(1), axis, angle)]
)
def test_zero_axis_is_refused(call):
    with pytest.raises(ValueError, match="axis must not be zero"):
        call((0.0, 0.0, 0.0), 0.1)
