# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anygrasp_perception.collision import CollisionConfig, detect_collisions
from anygrasp_perception.grasp import HALF_TURN_X
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.gripper import ROBOTIQ_2F85, GripperGeometry
from anygrasp_perception.se3 import inverse, make_transform, transform_points

GRIPPER = GripperGeometry()
EXACT = CollisionConfig(
    max_points=0, fingertip_clearance_m=0.0, approach_clearance_m=0.0, min_closing_points=1
)

# Camera looking down on a table 0.5 m away; the grasp approaches along z and closes along x.
R_DOWN = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])


def make_group(count=1, **changes):
    arrays = {
        "rotation_matrices": np.tile(np.eye(3), (count, 1, 1)),
        "translations": np.zeros((count, 3)),
        "widths": 0.05,
        "scores": 0.5,
        "depths": 0.02,
    }
    return GraspGroup.from_arrays(**(arrays | changes))


def random_group(count, seed):
    rng = np.random.default_rng(seed)
    return make_group(
        count,
        rotation_matrices=Rotation.random(count, random_state=seed).as_matrix(),
        translations=rng.uniform(-0.1, 0.1, (count, 3)),
        widths=rng.uniform(0.0, 0.085, count),
        depths=rng.uniform(0.0, 0.04, count),
    )


@pytest.mark.parametrize(
    ("point", "collides"),
    [
        ((0.0, 0.03, 0.0), True),  # in the left finger
        ((0.0, -0.03, 0.0), True),  # in the right finger
        ((0.019, 0.034, 0.009), True),  # in its far corner
        ((-0.05, 0.0, 0.0), True),  # in the base
        ((-0.079, 0.052, -0.009), True),  # in its far corner
        ((0.0, 0.0, 0.0), False),  # between the fingers
        ((0.021, 0.03, 0.0), False),  # in front of a fingertip
        ((0.0, 0.036, 0.0), False),  # outside of a finger
        ((0.0, 0.03, 0.011), False),  # beside a finger
        ((-0.081, 0.0, 0.0), False),  # behind the base
    ],
)
def test_single_points_by_hand(point, collides):
    result = detect_collisions(make_group(), [point], GRIPPER, EXACT)
    assert result.colliding[0] == collides
    assert result.empty_closing[0] == (point != (0.0, 0.0, 0.0))


@pytest.mark.parametrize("gripper", [GRIPPER, ROBOTIQ_2F85])
def test_agrees_with_the_grippers_boxes(gripper):
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.2, 0.2, (60, 3)).astype(np.float32)
    group = random_group(300, seed=1)
    boxes = gripper.boxes(group.widths, group.depths)
    expected = []
    for i, T_a_grasp in enumerate(group.poses):
        local = transform_points(inverse(T_a_grasp), points)
        inside = (local[:, None] > boxes[i, :, 0]) & (local[:, None] < boxes[i, :, 1])
        expected.append(inside.all(axis=2).any())
    assert 10 < sum(expected) < 290  # both kinds are there
    np.testing.assert_array_equal(detect_collisions(group, points, gripper, EXACT).colliding, expected)


def test_result_depends_on_relative_pose_only():
    points = np.random.default_rng(0).uniform(-0.15, 0.15, (1500, 3))
    group = random_group(100, seed=2)
    T_a_b = make_transform(Rotation.random(random_state=3).as_matrix(), (0.2, -0.1, 0.5))
    here = detect_collisions(group, points, GRIPPER)
    there = detect_collisions(group.transformed(T_a_b), transform_points(T_a_b, points), GRIPPER)
    np.testing.assert_array_equal(here.colliding, there.colliding)
    np.testing.assert_array_equal(here.empty_closing, there.empty_closing)


def test_half_turn_collides_alike():
    points = np.random.default_rng(0).uniform(-0.15, 0.15, (1500, 3))
    group = random_group(100, seed=4)
    turned = group.replace(rotation_matrices=group.rotation_matrices @ HALF_TURN_X)
    np.testing.assert_array_equal(
        detect_collisions(group, points, GRIPPER).colliding,
        detect_collisions(turned, points, GRIPPER).colliding,
    )


def test_noise_points_are_forgiven_up_to_the_limit():
    points = np.array([(0.0, 0.03, 0.0), (0.0, -0.03, 0.0), (-0.05, 0.0, 0.0)])
    config = dataclasses.replace(EXACT, max_points=2)
    assert not detect_collisions(make_group(), points[:2], GRIPPER, config).colliding[0]
    assert detect_collisions(make_group(), points, GRIPPER, config).colliding[0]  # over all boxes


def test_fingertips_keep_their_distance():
    config = dataclasses.replace(EXACT, fingertip_clearance_m=0.005)
    assert detect_collisions(make_group(), [(0.024, 0.03, 0.0)], GRIPPER, config).colliding[0]
    assert not detect_collisions(make_group(), [(0.026, 0.03, 0.0)], GRIPPER, config).colliding[0]
    assert not detect_collisions(make_group(), [(0.024, 0.0, 0.0)], GRIPPER, config).colliding[0]


def test_approach_path_is_swept_by_base_and_fingers():
    config = dataclasses.replace(EXACT, approach_clearance_m=0.1)
    for y in (0.0, 0.03):  # behind the base, on the way in; behind a finger
        assert detect_collisions(make_group(), [(-0.17, y, 0.0)], GRIPPER, config).colliding[0]
        assert not detect_collisions(make_group(), [(-0.17, y, 0.0)], GRIPPER, EXACT).colliding[0]
    assert not detect_collisions(make_group(), [(-0.181, 0.0, 0.0)], GRIPPER, config).colliding[0]


def table_scene(noise_m, seed=0, thin_top_m=0.012):
    """A thin bar, 2 cm wide, on a table 0.5 m below the camera; 3.6 mm between points, noise along z."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(-0.15, 0.15, (7000, 2))
    z = np.where(np.abs(xy[:, 0]) < 0.01, 0.5 - thin_top_m, 0.5)
    return np.column_stack([xy, z + rng.normal(0, noise_m, len(z))])


def grasps_above_table(gaps_m):
    count = len(gaps_m)
    tips = np.column_stack([np.zeros((count, 2)), 0.5 - np.asarray(gaps_m)])
    return make_group(
        count,
        rotation_matrices=np.tile(R_DOWN, (count, 1, 1)),
        translations=tips - 0.02 * R_DOWN[:, 0],
        widths=0.04,
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("noise_m", "blocked_m", "free_m"),
    [(0.0009, (0.0, 0.001), (0.006, 0.01)), (0.0025, (0.0, 0.002, 0.003), (0.011, 0.013))],
    ids=["quiet camera", "noisy camera"],
)
def test_fingers_beside_a_thin_object_on_a_noisy_table(noise_m, blocked_m, free_m, seed):
    points = table_scene(noise_m, seed)
    assert detect_collisions(grasps_above_table(blocked_m), points, ROBOTIQ_2F85).colliding.all()
    result = detect_collisions(grasps_above_table(free_m), points, ROBOTIQ_2F85)
    assert not result.colliding.any()


def test_bar_between_the_fingers_is_no_empty_closing():
    result = detect_collisions(grasps_above_table([0.006]), table_scene(0.0), ROBOTIQ_2F85)
    assert not result.empty_closing[0]


def test_no_grasps():
    assert detect_collisions(GraspGroup.empty(), np.zeros((1, 3)), GRIPPER).colliding.shape == (0,)


def test_empty_cloud_is_refused():
    with pytest.raises(ValueError, match="the cloud is empty"):
        detect_collisions(make_group(), np.zeros((0, 3)), GRIPPER)


def test_nan_cloud_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        detect_collisions(make_group(), np.full((4, 3), np.nan), GRIPPER)


@pytest.mark.parametrize(
    "fields",
    [
        {"max_points": -1},
        {"min_closing_points": 0},
        {"fingertip_clearance_m": -0.001},
        {"approach_clearance_m": np.inf},
    ],
)
def test_config_out_of_range_is_refused(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        CollisionConfig(**fields)
