# SPDX-License-Identifier: Apache-2.0
"""The group with graspnetAPI's names."""

import numpy as np
import pytest

from anygrasp_perception.grasp import rotation_from_approach
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.graspnet_group import GraspNetGrasp, GraspNetGroup
from anygrasp_perception.se3 import make_transform, transform_points

T = make_transform(rotation_from_approach((0.3, 0.2, 1.0), 0.4), (0.1, -0.2, 0.3))


@pytest.fixture
def native():
    rng = np.random.default_rng(0)
    return GraspGroup.from_arrays(
        rotation_matrices=rotation_from_approach(rng.normal(size=(8, 3)), rng.uniform(0, np.pi, 8)),
        translations=rng.uniform(-1, 1, (8, 3)),
        widths=rng.uniform(0.01, 0.1, 8),
        scores=rng.uniform(size=8),
        depths=0.02,
        object_ids=np.arange(8),
    )


@pytest.fixture
def group(native):
    return GraspNetGroup.of(native)


def test_attributes_are_those_of_our_own_group_and_back(native, group):
    for name in ("scores", "widths", "heights", "depths", "rotation_matrices", "translations", "object_ids"):
        np.testing.assert_array_equal(getattr(group, name), getattr(native, name))
        np.testing.assert_array_equal(getattr(group.native(), name), getattr(native, name))
    assert group.grasp_group_array.shape == (8, 17)
    assert len(group) == len(list(group)) == 8


def test_index_gives_a_grasp_and_slice_mask_and_list_a_group(native, group):
    grasp = group[-1]
    assert (grasp.score, grasp.width, grasp.height, grasp.depth) == tuple(group.grasp_group_array[-1, :4])
    np.testing.assert_array_equal(grasp.rotation_matrix, native.rotation_matrices[-1])
    np.testing.assert_array_equal(grasp.translation, native.translations[-1])
    assert grasp.object_id == 7
    for selection in (slice(1, 3), [1, 2], np.array([1, 2]), np.arange(8) // 2 * 2 - np.arange(8) == 5):
        assert len(group[selection]) == len(native[selection])
    with pytest.raises(IndexError):
        group[8]


def test_parts_are_copies(group):
    group[0:2].grasp_group_array[:] = 0
    group[0].grasp_array[:] = 0
    assert (group.scores > 0).all()


def test_sorting_changes_the_group_and_returns_it(group):
    assert group.sort_by_score() is group
    assert (np.diff(group.scores) <= 0).all()
    assert (np.diff(group.sort_by_score(reverse=True).scores) >= 0).all()


def test_suppression_keeps_the_best_of_duplicates(group):
    doubled = GraspNetGroup(group.grasp_group_array).concatenate(group)
    doubled.grasp_group_array[8:, 0] -= 0.001
    kept = doubled.nms()
    assert sorted(kept.scores) == sorted(group.scores)
    assert len(doubled.nms(translation_thresh=10.0, rotation_thresh=np.pi)) == 1
    assert len(doubled) == 16


def test_transform_moves_grasps_and_groups_alike(native, group):
    moved = transform_points(T, native.translations)
    np.testing.assert_allclose(group[2].transform(T).translation, moved[2])
    assert group.transform(T) is group
    np.testing.assert_allclose(group.translations, moved)
    np.testing.assert_allclose(group.rotation_matrices, T[:3, :3] @ native.rotation_matrices)


def test_adding_and_removing(group):
    first = group[0]
    assert len(group.add(first)) == 9
    np.testing.assert_array_equal(group[8].grasp_array, first.grasp_array)
    assert len(group.remove([0, 8])) == 7
    assert len(GraspNetGroup([first, first])) == 2
    assert len(GraspNetGroup()) == len(GraspNetGroup([])) == 0


def test_files_go_round(group, tmp_path):
    path = tmp_path / "grasps.npy"
    group.save_npy(path)
    for read in (GraspNetGroup().from_npy(path), GraspNetGroup(str(path))):
        np.testing.assert_array_equal(read.grasp_group_array, group.grasp_group_array)


def test_random_sample_draws_without_repeating(group):
    assert len(np.unique(group.random_sample(5).object_ids)) == 5
    with pytest.raises(ValueError, match="9 of 8"):
        group.random_sample(9)


def test_a_gripper_is_drawn_around_each_grasp(group):
    meshes = group.to_open3d_geometry_list()
    assert len(meshes) == 8
    for mesh, grasp in zip(meshes, group, strict=True):
        local = (np.asarray(mesh.vertices) - grasp.translation) @ grasp.rotation_matrix
        assert local[:, 0].max() == pytest.approx(grasp.depth)
        inner = np.abs(local[local[:, 0] > grasp.depth - 1e-6, 1]).min()
        assert inner == pytest.approx(grasp.width / 2)
    red = np.asarray(group[0].to_open3d_geometry(color=(1.0, 0.0, 0.0)).vertex_colors)
    np.testing.assert_array_equal(red[0], (1.0, 0.0, 0.0))


def test_faces_of_the_drawn_gripper_look_outwards(group):
    import open3d

    mesh = group.to_open3d_geometry_list()[0]
    triangles = np.asarray(mesh.triangles)
    finger = open3d.geometry.TriangleMesh(
        mesh.vertices, open3d.utility.Vector3iVector(triangles[triangles.max(axis=1) < 8])
    )
    assert finger.is_watertight()
    assert finger.get_volume() > 0


@pytest.mark.parametrize("bad", [np.zeros(17), np.zeros((2, 16)), np.zeros((2, 3, 17))])
def test_other_shapes_are_refused(bad):
    with pytest.raises(ValueError, match="17"):
        GraspNetGroup(bad)


def test_row_of_another_length_is_no_grasp():
    with pytest.raises(ValueError, match="17"):
        GraspNetGrasp(np.zeros(16))


def test_text_shows_the_count_and_the_first(group):
    assert "group of 8" in repr(group)
    assert f"score {group[0].score:.3f}" in repr(group)
