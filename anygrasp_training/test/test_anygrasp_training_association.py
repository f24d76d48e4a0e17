# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import trimesh

from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.grasp import HALF_TURN_X
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.se3 import inverse, make_transform
from anygrasp_training.association import (
    AssociationConfig,
    AssociationLabeller,
    grasp_distances,
    in_object_frames,
    neighbour_views,
)
from anygrasp_training.dataset import DatasetError
from anygrasp_training.dataset.association_files import read_association, write_association
from anygrasp_training.dataset.files import write_arrays
from anygrasp_training.labels import LabelConfig, label_object
from anygrasp_training.scenes.cameras import cap_directions, look_at

QUARTER = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])


def grasp(translation=(0, 0, 0), rotation=None, object_id=0) -> GraspGroup:
    return GraspGroup.from_arrays(
        rotation_matrices=np.eye(3)[None] if rotation is None else rotation[None],
        translations=[translation],
        widths=0.05,
        scores=1.0,
        depths=0.02,
        object_ids=[object_id],
    )


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (grasp(), 0.0),
        (grasp((0.01, 0, 0)), 0.1),  # 0.01 m / 0.1 m
        (grasp(rotation=QUARTER), 0.05),  # 0.1 x (pi / 2) / pi
        (grasp((0, 0.02, 0), QUARTER), 0.25),
        (grasp(rotation=HALF_TURN_X), 0.0),  # the same grasp
        (grasp(rotation=QUARTER @ QUARTER), 0.1),  # from the other side: 0.1 x pi / pi
        (grasp(object_id=1), np.inf),
    ],
)
def test_distances_are_those_of_equation_5(second, expected):
    assert grasp_distances(grasp(), second)[0, 0] == pytest.approx(expected, abs=1e-9)


def test_with_the_width_that_the_paper_prints_a_millimetre_is_a_lot():
    printed = AssociationConfig(max_width_m=0.01)
    assert grasp_distances(grasp(), grasp((0.002, 0, 0)), printed)[0, 0] == pytest.approx(0.2)


def test_grasps_of_no_object_are_never_the_same():
    assert np.isinf(grasp_distances(grasp(object_id=-1), grasp(object_id=-1))).all()


def test_a_grasp_that_moves_with_its_object_keeps_its_place_on_it():
    T_before = make_transform(QUARTER, (0.1, 0.2, 0.3))
    T_after = make_transform(QUARTER.T, (-0.3, 0.0, 0.5))
    on_object = GraspGroup.concatenate([grasp((0.01, 0.02, 0.03), QUARTER, 4), grasp(object_id=7)])
    before = on_object.transformed(T_before)
    after = on_object.transformed(T_after)
    poses = [np.array([T, T]) for T in (T_before, T_after)]
    a, b = (in_object_frames(group, (4, 7), pose) for group, pose in zip((before, after), poses, strict=True))
    np.testing.assert_allclose(a.translations, on_object.translations, atol=1e-12)
    np.testing.assert_allclose(np.diag(grasp_distances(a, b)), 0, atol=1e-6)


def test_ids_and_poses_must_match():
    with pytest.raises(ValueError, match="2 object ids with 1 poses"):
        in_object_frames(grasp(), (0, 1), np.eye(4)[None])


@pytest.mark.parametrize(
    "changes", [{"max_width_m": 0.0}, {"rotation_weight": -1.0}, {"max_distance": float("nan")}]
)
def test_association_configs_that_cannot_work_are_refused(changes):
    with pytest.raises(ValueError, match="AssociationConfig needs"):
        AssociationConfig(**changes)


def test_views_next_to_each_other_on_the_cap_are_neighbours_and_others_are_not():
    directions = cap_directions(np.deg2rad(60))
    poses = np.array([look_at(0.6 * directions[i], np.zeros(3)) for i in (100, 101, 112, 240)])
    assert neighbour_views(poses).tolist() == [[0, 1]]


def test_a_view_from_farther_away_is_no_neighbour():
    poses = np.array([look_at(np.array([0.01, 0, z]), np.zeros(3)) for z in (0.4, 0.8)])
    assert len(neighbour_views(poses)) == 0


@pytest.fixture(scope="module")
def labelled():
    """A cube seen by three cameras, the third from the other side."""
    cube = trimesh.creation.box((0.04, 0.04, 0.04))
    labels = label_object(cube, (0, 0, 0), LabelConfig(max_points=10))
    intrinsics = CameraIntrinsics(150.0, 150.0, 79.5, 59.5, 160, 120)
    rng = np.random.default_rng(0)
    labeller = AssociationLabeller([5], [labels], [np.zeros_like(labels.positive)], 200, rng)
    eyes = ((0.1, 0.05, 0.4), (0.13, 0.05, 0.4), (-0.1, -0.05, -0.4))
    for eye in eyes:
        T_camera_cube = inverse(look_at(np.array(eye), np.zeros(3)))
        depth = np.full((120, 160), 0.0, dtype=np.float32)
        centre = T_camera_cube[2, 3]
        depth[:] = centre - 0.02  # about the face that looks at the camera
        labeller.add_view(depth, intrinsics, T_camera_cube[None])
    return labels, labeller.match(np.array([(0, 1), (1, 2)]))


def test_only_cells_are_drawn_whose_points_the_view_sees(labelled):
    labels, association = labelled
    for view, side in ((0, 1), (1, 1), (2, -1)):
        cells = association.cells[view]
        cells = cells[cells[:, 0] >= 0]
        assert len(cells) > 50
        assert labels.positive[tuple(cells[:, 1:].T)].all()
        assert (side * labels.points_m[cells[:, 1], 2] > 0).all()


def test_matches_are_exactly_the_pairs_within_the_distance(labelled):
    labels, association = labelled
    groups = [labels.grasps(cells[cells[:, 0] >= 0, 1:]) for cells in association.cells]
    groups = [group.replace(object_ids=np.zeros(len(group))) for group in groups]
    expected = grasp_distances(groups[0], groups[1]) <= 0.1
    found = association.matrix(0)[: len(groups[0]), : len(groups[1])]
    assert expected.any()
    np.testing.assert_array_equal(found, expected)
    assert not association.matrix(1).any()  # nothing is seen from both sides


def test_association_labels_come_back_from_disk(labelled, tmp_path):
    _, association = labelled
    write_association(tmp_path / "association.npz", association)
    loaded = read_association(tmp_path / "association.npz")
    for name in ("cells", "view_pairs", "match_pairs", "match_grasps"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(association, name))


def test_other_archives_are_no_association_labels(tmp_path):
    write_arrays(tmp_path / "other.npz", {"points": np.zeros(3)})
    with pytest.raises(DatasetError, match=r"other\.npz: no association labels"):
        read_association(tmp_path / "other.npz")
