# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import trimesh

from anygrasp_perception.grasp import DEPTHS_M, fibonacci_views
from anygrasp_training.labels.object_labels import (
    CELL_SHAPE,
    COLLIDING,
    NO_GRASP,
    ObjectGraspLabels,
    cell_rotations,
)
from anygrasp_training.labels.stable_score import center_of_mass_distances


def make_labels(points, center_of_mass=(0, 0, 0)):
    points = np.asarray(points, dtype=np.float32)
    cells = (len(points), *CELL_SHAPE)
    return ObjectGraspLabels(
        points_m=points,
        friction_codes=np.full(cells, NO_GRASP, dtype=np.uint8),
        opening_codes=np.zeros(cells, dtype=np.uint8),
        center_of_mass_m=np.asarray(center_of_mass, dtype=np.float64),
    )


def test_cells_follow_the_views_and_turn_about_the_approach():
    rotations = cell_rotations()
    assert rotations.shape == (300, 12, 3, 3)
    np.testing.assert_allclose(
        rotations[:, :, :, 0], np.broadcast_to(-fibonacci_views()[:, None], (300, 12, 3)), atol=1e-12
    )
    cos = np.einsum("vi,vi->v", rotations[:, 0, :, 1], rotations[:, 3, :, 1])
    np.testing.assert_allclose(cos, np.cos(np.pi / 4), atol=1e-12)


def test_codes_are_read_as_friction_opening_and_score():
    labels = make_labels([(0, 0, 0)])
    labels.friction_codes[0, 0, 0] = (0, 10, 100, COLLIDING, NO_GRASP)
    labels.opening_codes[0, 0, 0, :3] = (20, 100, 200)

    np.testing.assert_array_equal(labels.positive[0, 0, 0], [True, True, True, False, False])
    np.testing.assert_allclose(labels.friction[0, 0, 0], [0.0, 0.1, 1.0, np.inf, np.inf], rtol=1e-6)
    np.testing.assert_allclose(labels.openings_m[0, 0, 0], [0.01, 0.05, 0.1, 0.0, 0.0], rtol=1e-6)
    np.testing.assert_allclose(labels.scores[0, 0, 0], [1.0, 1.0, 0.0, 0.0, 0.0], atol=1e-6)
    labels.friction_codes[0, 0, 0, 0] = 32  # about the square root of 0.1
    assert labels.scores[0, 0, 0, 0] == pytest.approx(0.4949, abs=1e-3)


def test_a_bar_is_stable_at_its_middle_and_least_at_its_ends():
    """Grasps that close across a bar along x: 0 in the middle, 1 at the far end, in between by distance."""
    across = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])  # height along the bar
    centers = np.array([(0, 0, 0.01), (0.05, 0, 0.01), (0.1, 0, 0.01), (-0.1, 0, 0.01)])
    distances = center_of_mass_distances(centers, across, (0, 0, 0))
    np.testing.assert_allclose(distances / distances.max(), [0.0, 0.5, 1.0, 1.0], atol=1e-12)


def test_a_grasp_plane_through_the_bar_is_stable_anywhere():
    along = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])  # closing along it, height across
    np.testing.assert_allclose(center_of_mass_distances([(0.1, 0.0, 0.0)], along, (0, 0, 0)), 0.0, atol=1e-12)


def test_stable_scores_of_an_object_span_zero_to_one_about_its_center_of_mass():
    bar = trimesh.creation.box((0.2, 0.02, 0.02))
    points = trimesh.sample.sample_surface(bar, 50, seed=0)[0]
    labels = make_labels(points, center_of_mass=(0.02, 0, 0))
    stable = labels.stable_scores
    assert stable.shape == (50, 300, 12)
    assert stable.min() >= 0.0
    assert stable.max() == 1.0
    # The heavy end is the other one: the farthest point from the centre of mass scores worst.
    worst = np.unravel_index(stable.argmax(), stable.shape)[0]
    assert worst == np.linalg.norm(labels.points_m - (0.02, 0, 0), axis=1).argmax()


def test_stable_scores_of_a_single_point_at_the_center_of_mass_are_zero():
    np.testing.assert_array_equal(make_labels([(0, 0, 0)]).stable_scores, 0.0)


def test_cells_become_grasps_in_the_object_frame():
    labels = make_labels([(0, 0, 0), (0.01, 0.02, 0.03)])
    labels.friction_codes[1, 7, 3, 2] = 10
    labels.opening_codes[1, 7, 3, 2] = 80
    grasp = labels.grasps([(1, 7, 3, 2)])

    np.testing.assert_allclose(grasp.translations, [(0.01, 0.02, 0.03)], rtol=1e-6)
    np.testing.assert_allclose(grasp.approaches[0], -fibonacci_views()[7], atol=1e-12)
    np.testing.assert_allclose((grasp.widths[0], grasp.depths[0]), (0.04, DEPTHS_M[2]), rtol=1e-6)
    np.testing.assert_allclose(grasp.scores, 1.0)
    np.testing.assert_allclose(grasp.stable_scores[0], labels.stable_scores[1, 7, 3])
    assert (grasp.view_ids[0], grasp.angle_ids[0]) == (7, 3)


def test_no_cells_become_no_grasps():
    assert len(make_labels([(0, 0, 0)]).grasps([])) == 0


def test_arrays_of_another_shape_are_refused():
    labels = make_labels([(0, 0, 0)])
    with pytest.raises(ValueError, match=r"friction_codes must be uint8 \(2, 300, 12, 5\)"):
        ObjectGraspLabels(
            np.zeros((2, 3), np.float32),
            labels.friction_codes,
            labels.opening_codes,
            labels.center_of_mass_m,
        )


def test_arrays_of_another_type_are_refused():
    labels = make_labels([(0, 0, 0)])
    with pytest.raises(ValueError, match=r"opening_codes must be uint8 .* got float64"):
        ObjectGraspLabels(
            labels.points_m,
            labels.friction_codes,
            labels.opening_codes.astype(np.float64),
            labels.center_of_mass_m,
        )
