# SPDX-License-Identifier: Apache-2.0
import os

import numpy as np
import pytest

from anygrasp_perception.se3 import make_transform
from anygrasp_training.dataset import DatasetError, DatasetWriteError
from anygrasp_training.dataset.annotations import read_annotation, read_meta, write_annotation, write_meta
from anygrasp_training.dataset.files import (
    read_array,
    read_arrays,
    read_image,
    read_json,
    staged_folder,
    write_array,
    write_arrays,
    write_bytes,
    write_image,
    write_json,
)
from anygrasp_training.dataset.grasp_label_files import (
    read_collisions,
    read_grasp_labels,
    write_collisions,
    write_grasp_labels,
)
from anygrasp_training.dataset.layout import DatasetLayout
from anygrasp_training.labels import ObjectGraspLabels

POSES = np.array(
    [
        make_transform(np.eye(3), (0.1, -0.2, 0.5)),
        make_transform([[0, -1, 0], [1, 0, 0], [0, 0, 1]], (0, 0.3, 0.6)),
    ]
)


def test_a_folder_appears_whole_at_the_end(tmp_path):
    target = tmp_path / "scene_0000"
    with staged_folder(target) as folder:
        (folder / "a").write_text("1")
        assert not target.exists()
    assert (target / "a").read_text() == "1"
    assert os.listdir(tmp_path) == ["scene_0000"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_folder_that_fails_leaves_nothing_and_keeps_what_was_there(tmp_path, error):
    target = tmp_path / "scene_0000"
    target.mkdir()
    (target / "old").touch()

    def fail():
        with staged_folder(target) as folder:
            (folder / "new").touch()
            raise error

    with pytest.raises(error):
        fail()
    assert os.listdir(tmp_path) == ["scene_0000"]
    assert os.listdir(target) == ["old"]


def test_what_a_kill_left_is_no_scene_and_is_cleared_away(tmp_path):
    layout = DatasetLayout(tmp_path)
    broken = layout.scenes / ".partial-scene_0003"
    broken.mkdir(parents=True)
    (broken / "half").touch()
    assert layout.scene_ids() == ()
    with staged_folder(layout.scene(3).folder) as folder:
        (folder / "whole").touch()
    assert layout.scene_ids() == (3,)
    assert os.listdir(layout.scene(3).folder) == ["whole"]


def test_a_full_disk_names_the_file_and_the_fix_and_leaves_the_old_content(tmp_path):
    path = tmp_path / "labels.npz"
    path.write_text("old")
    (tmp_path / ".partial-labels.npz").symlink_to("/dev/full")
    with pytest.raises(DatasetWriteError, match=r"labels\.npz.*No space left.*free some space"):
        write_bytes(path, b"new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["labels.npz"]


def test_a_folder_that_is_a_file_cannot_be_written_into(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(DatasetWriteError, match=r"out/a\.json"):
        write_json(tmp_path / "out" / "a.json", {})


def test_images_keep_their_values_and_colours(tmp_path):
    depth = np.arange(6, dtype=np.uint16).reshape(2, 3) * 10_000
    color = np.zeros((2, 3, 3), dtype=np.uint8)
    color[..., 0] = 200
    for name, image in (("depth", depth), ("color", color)):
        write_image(tmp_path / f"{name}.png", image)
        np.testing.assert_array_equal(read_image(tmp_path / f"{name}.png"), image)


def test_the_same_arrays_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_arrays(tmp_path / name, {"x": np.arange(5), "y": np.eye(2)})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    np.testing.assert_array_equal(read_arrays(tmp_path / "a")["x"], np.arange(5))


@pytest.mark.parametrize("read", [read_array, read_arrays, read_image, read_json, read_grasp_labels])
def test_missing_and_broken_files_are_named(tmp_path, read):
    path = tmp_path / "file"
    with pytest.raises(DatasetError, match="file is missing"):
        read(path)
    path.write_bytes(b"\x93broken")
    with pytest.raises(DatasetError, match=str(path)):
        read(path)


def test_an_archive_cut_short_is_named(tmp_path):
    path = tmp_path / "labels.npz"
    write_arrays(path, {"x": np.random.default_rng(0).random(1000)})
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DatasetError, match="not a readable archive"):
        read_arrays(path)


def test_json_that_is_no_object_is_refused(tmp_path):
    (tmp_path / "a.json").write_text("[1]")
    with pytest.raises(DatasetError, match="must hold a JSON object, got list"):
        read_json(tmp_path / "a.json")


def test_poses_come_back_from_both_annotation_files(tmp_path):
    K = np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]])
    write_annotation(tmp_path / "0000.xml", (3, 40), ("can", "mug"), POSES)
    write_meta(tmp_path / "0000.mat", (3, 40), POSES, K)
    ids, poses = read_annotation(tmp_path / "0000.xml")
    assert ids == (3, 40)
    np.testing.assert_allclose(poses, POSES, atol=1e-6)
    ids, poses, matrix, units = read_meta(tmp_path / "0000.mat")
    assert ids == (3, 40)
    np.testing.assert_allclose(poses, POSES, atol=1e-6)
    np.testing.assert_array_equal(matrix, K)
    assert units == 1000


def test_a_meta_file_has_the_same_bytes_whenever_it_is_written(tmp_path):
    for name in ("a.mat", "b.mat"):
        write_meta(tmp_path / name, (0,), POSES[:1], np.eye(3))
    assert (tmp_path / "a.mat").read_bytes() == (tmp_path / "b.mat").read_bytes()


@pytest.mark.parametrize("read", [read_annotation, read_meta])
def test_other_files_are_no_annotations(tmp_path, read):
    path = tmp_path / "0000"
    path.write_text("<scene><obj><obj_id>1</obj_id></obj></scene>")
    with pytest.raises(DatasetError, match="not a GraspNet"):
        read(path)


def test_a_missing_meta_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"0007\.mat is missing"):
        read_meta(tmp_path / "0007.mat")


def test_compact_labels_come_back(tmp_path):
    rng = np.random.default_rng(0)
    shape = (2, 300, 12, 5)
    labels = ObjectGraspLabels(
        rng.random((2, 3), dtype=np.float32),
        rng.integers(0, 256, shape, dtype=np.uint8),
        rng.integers(0, 200, shape, dtype=np.uint8),
        np.array([0.1, 0.2, 0.3]),
    )
    path = tmp_path / "grasp_label" / "000_labels.npz"
    write_grasp_labels(path, labels)
    loaded = read_grasp_labels(path)
    for name in ("points_m", "friction_codes", "opening_codes", "center_of_mass_m"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(labels, name))


def test_archives_without_labels_are_refused(tmp_path):
    write_arrays(tmp_path / "a.npz", {"x": np.zeros(1)})
    with pytest.raises(DatasetError, match=r"a\.npz.*collision, offsets, points, scores"):
        read_grasp_labels(tmp_path / "a.npz")


def test_collisions_of_four_depths_become_five(tmp_path):
    official = np.zeros((1, 300, 12, 4), dtype=bool)
    official[0, 7, 3] = (True, False, True, True)
    ours = np.zeros((2, 300, 12, 5), dtype=bool)
    ours[1, 2, 1, 4] = True
    write_collisions(tmp_path / "c.npz", [official, ours])
    first, second = read_collisions(tmp_path / "c.npz")
    assert first.shape == (1, 300, 12, 5)
    assert first[0, 7, 3].tolist() == [True, True, False, True, True]
    np.testing.assert_array_equal(second, ours)


def test_collisions_of_another_shape_are_refused(tmp_path):
    write_arrays(tmp_path / "c.npz", {"arr_0": np.zeros((1, 10, 12, 4), dtype=bool)})
    with pytest.raises(DatasetError, match=r"c\.npz: arr_0"):
        read_collisions(tmp_path / "c.npz")


def test_arrays_come_back(tmp_path):
    write_array(tmp_path / "deep" / "a.npy", np.eye(4))
    np.testing.assert_array_equal(read_array(tmp_path / "deep" / "a.npy"), np.eye(4))
