# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anygrasp_perception.grasp import HALF_TURN_X
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.nms import grasp_nms, symmetric_rotation_angle
from anygrasp_perception.se3 import rotation_angle


def make_group(translations, rotations, scores):
    return GraspGroup.from_arrays(
        rotation_matrices=rotations, translations=translations, widths=0.05, scores=scores, depths=0.02
    )


def brute_force(group, translation_m, angle_rad):
    kept = []
    for i in np.argsort(-group.scores, kind="stable"):
        R_i = group.rotation_matrices[i]
        duplicate = any(
            np.linalg.norm(group.translations[i] - group.translations[j]) <= translation_m
            and min(
                rotation_angle(R_i, group.rotation_matrices[j]),
                rotation_angle(R_i, group.rotation_matrices[j] @ HALF_TURN_X),
            )
            <= angle_rad
            for j in kept
        )
        if not duplicate:
            kept.append(int(i))
    return kept


def test_near_and_alike_goes_far_or_turned_stays():
    turn = Rotation.from_rotvec(np.radians([[0, 0, 0], [29, 0, 0], [31, 0, 0], [0, 0, 0]])).as_matrix()
    group = make_group([[0, 0, 0], [0.02, 0, 0], [0.02, 0, 0], [0.031, 0, 0]], turn, [0.9, 0.8, 0.7, 0.6])
    np.testing.assert_array_equal(grasp_nms(group), [0, 2, 3])


def test_half_turn_about_the_approach_is_the_same_grasp():
    R = Rotation.random(random_state=1).as_matrix()
    group = make_group(np.zeros((2, 3)), [R, R @ HALF_TURN_X], [0.5, 0.6])
    np.testing.assert_array_equal(grasp_nms(group), [1])


def test_half_turn_about_another_axis_is_not():
    R = Rotation.random(random_state=1).as_matrix()
    group = make_group(np.zeros((2, 3)), [R, R @ np.diag((-1.0, 1.0, -1.0))], [0.5, 0.6])
    np.testing.assert_array_equal(grasp_nms(group), [1, 0])


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_brute_force(seed):
    rng = np.random.default_rng(seed)
    rotations = Rotation.from_rotvec(rng.normal(0, 0.5, (150, 3))).as_matrix()
    rotations[::2] = rotations[::2] @ HALF_TURN_X
    group = make_group(rng.uniform(0, 0.1, (150, 3)), rotations, rng.uniform(size=150).round(2))
    kept = grasp_nms(group)
    assert kept.tolist() == brute_force(group, 0.03, np.radians(30))
    assert (np.diff(group.scores[kept]) <= 0).all()


def test_suppression_is_idempotent():
    rng = np.random.default_rng(5)
    group = make_group(
        rng.uniform(0, 0.1, (100, 3)), Rotation.random(100, random_state=5).as_matrix(), rng.uniform(size=100)
    )
    kept = group[grasp_nms(group)]
    np.testing.assert_array_equal(grasp_nms(kept), np.arange(len(kept)))


def test_no_grasps():
    assert grasp_nms(GraspGroup.empty()).shape == (0,)


def test_thousands_of_grasps():
    rng = np.random.default_rng(0)
    group = make_group(
        rng.uniform(0, 0.4, (5000, 3)),
        Rotation.random(5000, random_state=0).as_matrix(),
        rng.uniform(size=5000),
    )
    assert 0 < len(grasp_nms(group)) < 5000


@pytest.mark.parametrize("limits", [(-0.01, 0.5), (0.03, -0.5), (np.nan, 0.5)])
def test_negative_limits_are_refused(limits):
    with pytest.raises(ValueError, match="limits must be >= 0"):
        grasp_nms(GraspGroup.empty(), *limits)


def test_symmetric_angle_is_the_smaller_of_both():
    R_a = Rotation.random(50, random_state=2).as_matrix()
    R_b = Rotation.random(50, random_state=3).as_matrix()
    expected = np.minimum(rotation_angle(R_a, R_b), rotation_angle(R_a, R_b @ HALF_TURN_X))
    np.testing.assert_allclose(symmetric_rotation_angle(R_a, R_b), expected, atol=1e-7)
