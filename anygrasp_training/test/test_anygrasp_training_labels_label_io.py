# SPDX-License-Identifier: Apache-2.0
import resource

import numpy as np
import pytest

from anygrasp_training.labels import ObjectGraspLabels, load_labels, save_labels
from anygrasp_training.labels.label_io import FORMAT_VERSION
from anygrasp_training.labels.object_labels import CELL_SHAPE


@pytest.fixture
def labels():
    rng = np.random.default_rng(0)
    return ObjectGraspLabels(
        points_m=rng.normal(size=(2, 3)).astype(np.float32),
        friction_codes=rng.integers(0, 256, (2, *CELL_SHAPE), dtype=np.uint8),
        opening_codes=rng.integers(0, 201, (2, *CELL_SHAPE), dtype=np.uint8),
        center_of_mass_m=rng.normal(size=3),
    )


def assert_equal(a, b):
    for name in ("points_m", "friction_codes", "opening_codes", "center_of_mass_m"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_what_is_saved_is_loaded(labels, tmp_path):
    save_labels(tmp_path / "mug.npz", labels)
    assert_equal(load_labels(tmp_path / "mug.npz"), labels)
    assert [path.name for path in tmp_path.iterdir()] == ["mug.npz"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(labels, tmp_path):
    path = tmp_path / "mug.npz"
    save_labels(path, labels)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    changed = ObjectGraspLabels(
        labels.points_m + 1, labels.friction_codes, labels.opening_codes, labels.center_of_mass_m
    )
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))  # as a full disk would
    try:
        with pytest.raises(OSError, match="File too large"):
            save_labels(path, changed)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert_equal(load_labels(path), labels)
    assert [entry.name for entry in tmp_path.iterdir()] == ["mug.npz"]


def test_another_format_version_is_refused(labels, tmp_path):
    path = tmp_path / "mug.npz"
    save_labels(path, labels)
    with np.load(path) as content:
        arrays = dict(content)
    arrays["format_version"] = np.int64(FORMAT_VERSION + 1)
    np.savez_compressed(path, **arrays)
    with pytest.raises(
        ValueError, match=rf"mug.npz: label format {FORMAT_VERSION + 1}, not {FORMAT_VERSION}"
    ):
        load_labels(path)


def test_a_file_that_is_no_label_file_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "other.npz", points=np.zeros(3))
    with pytest.raises(ValueError, match=r"other.npz: no grasp labels, it lacks format_version, points_m"):
        load_labels(tmp_path / "other.npz")


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_cut_off_file_is_refused(labels, tmp_path, kept):
    path = tmp_path / "mug.npz"
    save_labels(path, labels)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(ValueError, match=r"mug.npz: damaged"):
        load_labels(path)


def test_a_changed_byte_is_noticed(labels, tmp_path):
    path = tmp_path / "mug.npz"
    save_labels(path, labels)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"mug.npz: damaged"):
        load_labels(path)


def test_pickled_objects_are_not_loaded(tmp_path):
    np.savez(tmp_path / "evil.npz", format_version=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match=r"evil.npz"):
        load_labels(tmp_path / "evil.npz")


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"mug.npz"):
        load_labels(tmp_path / "mug.npz")
