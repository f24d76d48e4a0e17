# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from anygrasp_perception.network.decode import best_cells, decode_cells, final_scores, peak_cells
from anygrasp_perception.network.grasp_network import EncodedCloud, GraspPrediction

VIEW = 4  # z = 9/300 - 1 = -0.97, azimuth 8 pi (sqrt(5) - 1) / 2: from above, for a camera that looks down


def make_prediction(seeds=1):
    scores = np.zeros((seeds, 12, 5), dtype=np.float32)
    widths = np.full((seeds, 12, 5), 0.03, dtype=np.float32)
    stable = np.full((seeds, 12), 0.5, dtype=np.float32)
    scores[:, 3, 2], widths[:, 3, 2], stable[:, 3] = 0.8, 0.07, 0.25
    scores[:, 5, 0], stable[:, 5] = 0.9, 0.9
    return GraspPrediction(
        points=np.array([[9, 9, 9], [0.1, 0.2, 0.6]], dtype=np.float32),
        normals=np.zeros((2, 3), dtype=np.float32),
        objectness=np.ones(2, dtype=np.float32),
        graspness=np.ones(2, dtype=np.float32),
        seeds=np.ones(seeds, dtype=np.intp),
        view_scores=np.zeros((seeds, 300), dtype=np.float32),
        view_ids=np.full(seeds, VIEW),
        scores=scores,
        widths_m=widths,
        stable_scores=stable,
        seed_features=np.zeros((seeds, 4), dtype=np.float32),
        grasp_features=np.zeros((seeds, 4), dtype=np.float32),
        durations_s={},
        encoded=EncodedCloud(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(2, 4)),
    )


def test_one_seed_by_hand():
    prediction = make_prediction()
    scores = final_scores(prediction)
    assert scores[0, 3, 2] == pytest.approx(0.8 * 0.75)
    assert scores[0, 5, 0] == pytest.approx(0.9 * 0.1)
    cells = best_cells(scores)
    np.testing.assert_array_equal(cells, [[0, 3, 2]])

    grasp = decode_cells(prediction, scores, cells)
    azimuth, radius = 8 * np.pi * (np.sqrt(5) - 1) / 2, np.sqrt(1 - 0.97**2)
    approach = np.array([-radius * np.cos(azimuth), -radius * np.sin(azimuth), 0.97])
    level = np.array([-approach[1], approach[0], 0]) / radius
    # Three steps of 15 degrees about the approach: half of `level`, half of what is square to both.
    closing = (level + np.cross(approach, level)) / np.sqrt(2)
    R = np.column_stack([approach, closing, np.cross(approach, closing)])
    np.testing.assert_allclose(grasp.rotation_matrices[0], R, atol=1e-6)
    np.testing.assert_allclose(grasp.translations[0], [0.1, 0.2, 0.6], atol=1e-6)
    assert (grasp.widths[0], grasp.depths[0], grasp.scores[0]) == pytest.approx((0.07, 0.02, 0.6))


def test_without_the_stable_score_another_cell_wins():
    scores = final_scores(make_prediction(), use_stable_score=False)
    np.testing.assert_array_equal(best_cells(scores), [[0, 5, 0]])


def test_all_cells_stay_reachable_best_first():
    scores = final_scores(make_prediction(2))
    cells = best_cells(scores, 60)
    assert len({tuple(cell) for cell in cells.tolist()}) == 120
    assert (np.diff(scores[tuple(cells[:60].T)]) <= 0).all()
    np.testing.assert_array_equal(cells[[0, 60]], [[0, 3, 2], [1, 3, 2]])


def test_what_lies_outside_the_label_space_is_clipped():
    prediction = make_prediction()
    prediction.scores[0, 3, 2], prediction.widths_m[0, 3, 2], prediction.stable_scores[0, 3] = 1.3, 0.2, -0.1
    scores = final_scores(prediction)
    grasp = decode_cells(prediction, scores, [[0, 3, 2]])
    assert (grasp.scores[0], grasp.widths[0]) == pytest.approx((1.0, 0.1))


def test_no_seeds_no_grasps():
    prediction = make_prediction(0)
    scores = final_scores(prediction)
    assert len(decode_cells(prediction, scores, best_cells(scores))) == 0


def test_peaks_are_the_angles_above_both_neighbours_at_their_best_depth():
    scores = np.zeros((1, 12, 5), dtype=np.float32)
    scores[0, :, 1] = [0.5, 0.4, 0.3, 0.2, 0.1, 0.2, 0.6, 0.2, 0.1, 0.1, 0.2, 0.4]
    scores[0, 6, 4] = 0.7
    # Angle 11 lies between 10 and 0: it is no peak, since 0 scores more.
    assert {tuple(cell) for cell in peak_cells(scores).tolist()} == {(0, 0, 1), (0, 6, 4)}


def test_every_seed_has_its_best_cell_among_its_peaks():
    scores = np.random.default_rng(0).random((20, 12, 5)).astype(np.float32)
    peaks = {tuple(cell) for cell in peak_cells(scores).tolist()}
    assert {tuple(cell) for cell in best_cells(scores).tolist()} <= peaks
