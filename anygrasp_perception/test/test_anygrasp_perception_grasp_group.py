# SPDX-License-Identifier: Apache-2.0
import dataclasses
import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.se3 import inverse, make_transform, transform_points


def make_group(count=6, seed=0):
    rng = np.random.default_rng(seed)
    return GraspGroup.from_arrays(
        rotation_matrices=Rotation.random(count, random_state=seed).as_matrix(),
        translations=rng.normal(size=(count, 3)),
        widths=rng.uniform(0.01, 0.08, count),
        scores=rng.permutation(count) / count,
        depths=rng.uniform(0.005, 0.04, count),
        object_ids=np.arange(count),
    )


def single(**changes):
    arrays = {
        "rotation_matrices": np.eye(3)[None],
        "translations": np.zeros((1, 3)),
        "widths": [0.05],
        "scores": [0.5],
        "depths": [0.02],
    }
    return GraspGroup.from_arrays(**(arrays | changes))


def assert_same(a, b):
    for field in dataclasses.fields(GraspGroup):
        np.testing.assert_allclose(getattr(a, field.name), getattr(b, field.name), atol=1e-12)


def test_defaults_of_what_is_unknown():
    group = single()
    assert group.heights[0] == 0.02
    assert math.isnan(group.stable_scores[0])
    assert (group.object_ids[0], group.view_ids[0], group.angle_ids[0]) == (-1, -1, -1)


def test_scalars_stand_for_equal_values():
    group = make_group(3).replace(translations=np.zeros((3, 3)))
    again = GraspGroup.from_arrays(
        rotation_matrices=group.rotation_matrices,
        translations=group.translations,
        widths=0.04,
        scores=0.1,
        depths=0.01,
    )
    np.testing.assert_array_equal(again.widths, [0.04] * 3)


def test_empty_group():
    group = GraspGroup.empty()
    assert len(group) == 0
    assert group.poses.shape == (0, 4, 4)
    assert len(group.top(5)) == 0
    assert len(group.transformed(np.eye(4))) == 0
    assert list(group) == []


def test_directions_and_fingertips_by_hand():
    # Approach down along z, closing along x: the columns of R.
    R = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    group = single(rotation_matrices=R[None], translations=[[0.1, 0.2, 0.3]])
    np.testing.assert_array_equal(group.approaches, [[0, 0, 1]])
    np.testing.assert_array_equal(group.closing_directions, [[1, 0, 0]])
    np.testing.assert_allclose(group.fingertips, [[0.1, 0.2, 0.32]])
    np.testing.assert_allclose(group.poses[0], make_transform(R, (0.1, 0.2, 0.3)))


def test_sort_and_top_are_best_first():
    group = make_group()
    assert (np.diff(group.sorted_by_score().scores) <= 0).all()
    np.testing.assert_array_equal(group.top(2).scores, np.sort(group.scores)[::-1][:2])
    assert len(group.top(100)) == 6


def test_equal_scores_keep_their_order():
    group = make_group().replace(scores=np.zeros(6))
    np.testing.assert_array_equal(group.sorted_by_score().object_ids, np.arange(6))


def test_negative_top_is_refused():
    with pytest.raises(ValueError, match="count must be >= 0"):
        make_group().top(-1)


def test_selections_agree():
    group = make_group()
    mask = np.array([False, True, False, False, True, False])
    for selection in (mask, np.array([1, 4]), [1, 4], slice(1, 5, 3)):
        np.testing.assert_array_equal(group[selection].object_ids, [1, 4])
    assert len(group[2]) == 1
    assert group[-1].object_ids[0] == 5
    assert len(group[[]]) == 0
    assert [len(g) for g in group] == [1] * 6


@pytest.mark.parametrize("index", [6, -7])
def test_index_out_of_range(index):
    with pytest.raises(IndexError, match="of a group of 6"):
        make_group()[index]


def test_concatenate():
    group = make_group()
    assert_same(GraspGroup.concatenate([group[:2], group[2:]]), group)
    assert len(GraspGroup.concatenate([])) == 0


def test_transform_moves_poses_like_points():
    group = make_group()
    T_a_b = make_transform(Rotation.from_euler("xyz", (0.3, -0.2, 1.0)).as_matrix(), (0.1, -0.4, 0.7))
    moved = group.transformed(T_a_b)
    np.testing.assert_allclose(moved.poses, T_a_b @ group.poses)
    np.testing.assert_allclose(moved.fingertips, transform_points(T_a_b, group.fingertips))
    np.testing.assert_array_equal(moved.widths, group.widths)
    assert_same(moved.transformed(inverse(T_a_b)), group)


def test_transform_must_be_rigid():
    with pytest.raises(ValueError, match="T_a_b is not a rotation"):
        make_group().transformed(np.diag((2.0, 2.0, 2.0, 1.0)))


def test_box_in_the_groups_frame():
    group = make_group().replace(translations=[[0, 0, z] for z in (-0.1, 0.0, 0.1, 0.2, 0.3, 0.4)])
    inside = group.in_box_mask((-1, -1, 0.0), (1, 1, 0.2))
    np.testing.assert_array_equal(inside, [False, True, True, True, False, False])


def test_box_in_another_frame():
    # The camera looks down from 1 m: a box at 0.1..0.3 m above ground is at 0.7..0.9 m depth.
    T_base_camera = make_transform(np.diag((1.0, -1.0, -1.0)), (0.0, 0.0, 1.0))
    group = make_group().replace(translations=[[0, 0, z] for z in (0.6, 0.7, 0.8, 0.9, 1.0, 1.1)])
    inside = group.in_box_mask((-1, -1, 0.0999), (1, 1, 0.3001), T_base_camera)
    np.testing.assert_array_equal(inside, [False, True, True, True, False, False])


def test_box_upside_down_is_refused():
    with pytest.raises(ValueError, match="must not be above"):
        make_group().in_box_mask((0, 0, 1), (1, 1, 0))


def test_cone_in_the_groups_frame():
    angles = np.radians((0.0, 20.0, 29.0, 31.0, 90.0, 180.0))
    R = Rotation.from_rotvec(angles[:, None] * (0.0, 0.0, 1.0)).as_matrix()  # approach in the x-y plane
    group = make_group().replace(rotation_matrices=R)
    inside = group.approach_in_cone_mask((5.0, 0.0, 0.0), math.radians(30.0))
    np.testing.assert_array_equal(inside, [True, True, True, False, False, False])
    assert group.approach_in_cone_mask((1.0, 0.0, 0.0), math.pi).all()


def test_cone_in_another_frame():
    group = make_group()
    T_base_camera = make_transform(Rotation.random(random_state=7).as_matrix(), (0.3, 0.2, 0.1))
    axis_base = np.array((0.1, 0.2, -1.0))
    expected = group.transformed(T_base_camera).approach_in_cone_mask(axis_base, 1.2)
    np.testing.assert_array_equal(group.approach_in_cone_mask(axis_base, 1.2, T_base_camera), expected)
    np.testing.assert_array_equal(
        group.approach_in_cone_mask(T_base_camera[:3, :3].T @ axis_base, 1.2), expected
    )


def test_cone_without_axis_is_refused():
    with pytest.raises(ValueError, match="axis must not be zero"):
        make_group().approach_in_cone_mask((0, 0, 0), 0.5)


@pytest.mark.parametrize("angle", [0.0, -0.1, 3.2, math.nan])
def test_cone_angle_out_of_range_is_refused(angle):
    with pytest.raises(ValueError, match="half_angle_rad must be in"):
        make_group().approach_in_cone_mask((0, 0, 1), angle)


def test_replace_leaves_the_rest():
    group = make_group()
    wide = group.replace(widths=np.full(6, 0.08))
    assert (wide.widths == 0.08).all()
    np.testing.assert_array_equal(wide.translations, group.translations)
    assert (group.widths < 0.08).all()


def test_arrays_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"GraspGroup.widths must have shape \(6,\), got \(5,\)"):
        make_group().replace(widths=np.zeros(5))


def test_rotations_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"rotation_matrices must have shape \(1, 3, 3\)"):
        single(rotation_matrices=np.eye(3))


@pytest.mark.parametrize("name", ["scores", "widths", "depths"])
def test_nan_is_refused(name):
    with pytest.raises(ValueError, match=f"GraspGroup.{name} has NaN"):
        single(**{name: [np.nan]})


def test_nan_translation_is_refused():
    with pytest.raises(ValueError, match="translations has NaN"):
        single(translations=[[0.0, np.nan, 0.0]])


@pytest.mark.parametrize("name", ["widths", "heights", "depths"])
def test_negative_lengths_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be >= 0"):
        single(**{name: [-0.01]})


def test_skewed_rotation_is_refused():
    with pytest.raises(ValueError, match="rotation_matrices is not a rotation"):
        single(rotation_matrices=[[[1, 0.2, 0], [0, 1, 0], [0, 0, 1]]])
