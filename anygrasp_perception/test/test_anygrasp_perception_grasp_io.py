# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anygrasp_perception import grasp_io
from anygrasp_perception.grasp_group import GraspGroup


@pytest.fixture
def group():
    rng = np.random.default_rng(0)
    return GraspGroup.from_arrays(
        rotation_matrices=Rotation.random(4, random_state=0).as_matrix(),
        translations=rng.normal(size=(4, 3)),
        widths=rng.uniform(0, 0.1, 4),
        scores=rng.uniform(size=4),
        depths=[0.005, 0.01, 0.02, 0.03],
        heights=0.02,
        object_ids=[3, -1, 0, 7],
        stable_scores=[0.1, np.nan, 0.3, 0.4],
        view_ids=[1, 2, 299, -1],
        angle_ids=[0, 11, 5, -1],
        seed_ids=[9, -1, 4, 0],
    )


def test_npz_keeps_everything(group, tmp_path):
    path = tmp_path / "grasps.npz"
    grasp_io.save_npz(path, group, frame_id="camera_color_optical_frame", stamp_s=1.5)
    loaded = grasp_io.load_npz(path)
    for field in dataclasses.fields(GraspGroup):
        np.testing.assert_array_equal(getattr(loaded, field.name), getattr(group, field.name))
        assert getattr(loaded, field.name).dtype == getattr(group, field.name).dtype
    assert grasp_io.load_metadata(path) == {"frame_id": "camera_color_optical_frame", "stamp_s": 1.5}


def test_npz_is_written_under_the_name_given(group, tmp_path):
    grasp_io.save_npz(tmp_path / "grasps.data", group)
    assert (tmp_path / "grasps.data").is_file()
    assert grasp_io.load_metadata(tmp_path / "grasps.data") == {}


def test_npz_of_no_grasps(tmp_path):
    grasp_io.save_npz(tmp_path / "none.npz", GraspGroup.empty())
    assert len(grasp_io.load_npz(tmp_path / "none.npz")) == 0


def test_npz_from_before_seeds_were_kept(group, tmp_path):
    arrays = {field.name: getattr(group, field.name) for field in dataclasses.fields(group)}
    del arrays["seed_ids"]
    np.savez(tmp_path / "old.npz", **arrays)
    np.testing.assert_array_equal(grasp_io.load_npz(tmp_path / "old.npz").seed_ids, [-1] * 4)


def test_npz_of_something_else_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", scores=np.zeros(3))
    with pytest.raises(ValueError, match="no grasp file of ours, it lacks widths"):
        grasp_io.load_npz(tmp_path / "other.npz")


def test_npz_with_pickles_is_refused(group, tmp_path):
    arrays = {field.name: getattr(group, field.name) for field in dataclasses.fields(group)}
    np.savez(tmp_path / "evil.npz", **(arrays | {"scores": np.array([object()] * 4)}))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        grasp_io.load_npz(tmp_path / "evil.npz")


def test_npz_with_bad_values_is_refused(group, tmp_path):
    arrays = {field.name: getattr(group, field.name) for field in dataclasses.fields(group)}
    np.savez(tmp_path / "bad.npz", **(arrays | {"rotation_matrices": np.zeros((4, 3, 3))}))
    with pytest.raises(ValueError, match="is not a rotation"):
        grasp_io.load_npz(tmp_path / "bad.npz")


def test_graspnet_columns_by_hand():
    R = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    group = GraspGroup.from_arrays(
        rotation_matrices=R[None],
        translations=[[0.1, 0.2, 0.3]],
        widths=[0.05],
        scores=[0.9],
        depths=[0.02],
        heights=[0.015],
        object_ids=[4],
    )
    row = [0.9, 0.05, 0.015, 0.02, 0, -1, 0, 1, 0, 0, 0, 0, 1, 0.1, 0.2, 0.3, 4]
    np.testing.assert_allclose(grasp_io.to_graspnet_array(group), [row])


def test_graspnet_round_trip(group, tmp_path):
    grasp_io.save_graspnet_npy(tmp_path / "grasps.npy", group)
    loaded = grasp_io.load_graspnet_npy(tmp_path / "grasps.npy")
    for name in ("scores", "widths", "heights", "depths", "rotation_matrices", "translations", "object_ids"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(group, name))
    assert np.isnan(loaded.stable_scores).all()


def test_graspnet_array_of_no_grasps():
    assert grasp_io.to_graspnet_array(GraspGroup.empty()).shape == (0, 17)
    assert len(grasp_io.from_graspnet_array(np.zeros((0, 17)))) == 0


@pytest.mark.parametrize("shape", [(17,), (3, 16), (2, 3, 17)])
def test_graspnet_array_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"shape \(N, 17\)"):
        grasp_io.from_graspnet_array(np.zeros(shape))


def test_graspnet_array_of_no_rotations_is_refused():
    with pytest.raises(ValueError, match="is not a rotation"):
        grasp_io.from_graspnet_array(np.zeros((2, 17)))
