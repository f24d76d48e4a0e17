# SPDX-License-Identifier: Apache-2.0
"""Where is looked again, along which views, and in which order what is found is handed out."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from anygrasp_perception.grasp import VIEW_COUNT, fibonacci_views
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.gripper import GripperGeometry
from anygrasp_perception.network.further_look import FurtherLook, FurtherLookConfig
from anygrasp_perception.network.grasp_network import EncodedCloud, GraspPrediction

FROM_ABOVE = int((-fibonacci_views()[:, 2]).argmax())  # the approach along the camera's z axis
TOPS = np.array([[-0.06, 0.0, 0.5], [0.06, 0.0, 0.5]])  # two boxes, 24 mm wide, 12 cm apart


class Views:
    """Stands for the network: likes the view from above best, then those next to it."""

    def score_views(self, encoded, rows):
        return np.tile(-fibonacci_views()[:, 2], (len(rows), 1)).astype(np.float32)


def patch(middle, half_m, depth_m):
    side = np.arange(-half_m, half_m + 1e-9, 0.003)
    grid = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2) + middle[:2]
    return np.column_stack([grid, np.full(len(grid), depth_m)])


BOXES = np.concatenate([patch(top, 0.012, 0.5) for top in TOPS]).astype(np.float32)
OBSTACLES = np.concatenate([BOXES, patch((0.0, 0.0), 0.15, 0.54)]).astype(np.float32)


def prediction_of(objectness=1.0, seeds=(0,)):
    count, seeds = len(BOXES), np.asarray(seeds)
    return GraspPrediction(
        points=BOXES,
        normals=np.zeros_like(BOXES),
        objectness=np.full(count, objectness, dtype=np.float32),
        graspness=np.zeros(count, dtype=np.float32),
        seeds=seeds,
        view_scores=np.zeros((len(seeds), VIEW_COUNT), dtype=np.float32),
        view_ids=np.zeros(len(seeds), dtype=np.intp),
        scores=np.zeros((len(seeds), 12, 5), dtype=np.float32),
        widths_m=np.zeros((len(seeds), 12, 5), dtype=np.float32),
        stable_scores=np.zeros((len(seeds), 12), dtype=np.float32),
        seed_features=np.zeros((len(seeds), 4), dtype=np.float32),
        grasp_features=np.zeros((len(seeds), 4), dtype=np.float32),
        durations_s={},
        encoded=EncodedCloud(torch.zeros(1), torch.zeros(1), torch.zeros(1)),
    )


def look(prediction=None, allowed=None, only=None, **changes):
    prediction = prediction or prediction_of()
    allowed = np.ones(len(BOXES), dtype=bool) if allowed is None else allowed
    config = replace(FurtherLookConfig(), **changes)
    return FurtherLook(Views(), prediction, OBSTACLES, allowed, only, GripperGeometry(), config)


def deepest_first(group):
    """A judge that can tell all grasps apart."""
    return group.replace(scores=group.depths + 1e-4 * np.arange(len(group)) / len(group))


def box_of(group):
    return (group.translations[:, 0] > 0).astype(int)


def test_grasps_are_found_on_boxes_that_have_none_and_only_there():
    everywhere = look().away_from(GraspGroup.empty(), 0.03, 100, deepest_first)
    assert set(box_of(everywhere)) == {0, 1}
    on_first = everywhere[box_of(everywhere) == 0]
    found = look().away_from(on_first, 0.05, 100, deepest_first)
    assert set(box_of(found)) == {1}
    assert len(look().away_from(everywhere, 0.2, 100, deepest_first)) == 0


def test_the_fingers_have_room_beside_the_box_and_do_not_reach_the_table():
    found = look(views=1).away_from(GraspGroup.empty(), 0.03, 100, deepest_first)
    np.testing.assert_allclose(found.approaches, np.tile(-fibonacci_views()[FROM_ABOVE], (len(found), 1)))
    assert (found.widths >= 0.02).all()
    assert (found.widths <= 0.085).all()
    assert (found.fingertips[:, 2] < 0.54).all()


def test_each_place_offers_its_best_then_its_second_best():
    further = look(place_m=0.05)  # each box is one place, or a few
    first = further.away_from(GraspGroup.empty(), 0.03, 100, deepest_first)
    second = further.away_from(GraspGroup.empty(), 0.03, 100, deepest_first)
    assert 0 < len(second) <= len(first)
    assert second.scores.max() < first.scores.max()
    poses = np.concatenate([first.poses, second.poses]).reshape(-1, 16)
    assert len(np.unique(poses.round(9), axis=0)) == len(first) + len(second)  # none is offered twice


def test_of_many_places_the_best_are_offered_and_the_others_keep_their_turn():
    further = look()
    few = further.away_from(GraspGroup.empty(), 0.03, 2, deepest_first)
    everything = look().away_from(GraspGroup.empty(), 0.03, 100, deepest_first)
    np.testing.assert_allclose(few.scores, everything.scores[:2])
    following = further.away_from(GraspGroup.empty(), 0.03, 1, deepest_first)
    assert following.scores[0] == pytest.approx(everything.scores[2])


def test_a_place_that_has_got_its_grasp_is_left_alone():
    further = look()
    found = further.away_from(GraspGroup.empty(), 0.03, 100, deepest_first)
    rest = further.away_from(found[box_of(found) == 1], 0.05, 100, deepest_first)
    assert len(rest)
    assert set(box_of(rest)) == {0}


def test_a_grasp_has_the_number_of_the_seed_next_to_it():
    seeds = [int(np.linalg.norm(BOXES - top, axis=1).argmin()) for top in TOPS]
    found = look(prediction_of(seeds=seeds)).away_from(GraspGroup.empty(), 0.03, 100, deepest_first)
    np.testing.assert_array_equal(found.seed_ids, box_of(found))


def test_points_and_views_that_are_not_allowed_and_what_is_no_object_are_not_looked_at():
    allowed = BOXES[:, 0] > 0
    found = look(allowed=allowed).away_from(GraspGroup.empty(), 0.03, 100, deepest_first)
    assert len(found)
    assert set(box_of(found)) == {1}
    views = np.zeros(VIEW_COUNT, dtype=bool)
    views[FROM_ABOVE] = True
    upright = look(only=views, allowed=allowed).away_from(GraspGroup.empty(), 0.03, 100, deepest_first)
    assert len(upright)
    assert set(upright.view_ids) == {FROM_ABOVE}
    nothing = look(prediction_of(objectness=0.1)).away_from(GraspGroup.empty(), 0.03, 100, deepest_first)
    assert len(nothing) == 0


def test_several_views_of_a_place_lie_apart():
    further = look(judged=5000)
    turns = [further.away_from(GraspGroup.empty(), 0.03, 100, lambda group: group) for _ in range(60)]
    found = GraspGroup.concatenate(turns)
    views = fibonacci_views()[np.unique(found.view_ids)]
    between = np.arccos(np.clip(views @ views.T, -1, 1))[~np.eye(len(views), dtype=bool)]
    assert len(views) > 1
    assert between.min() >= FurtherLookConfig().spread_rad - 1e-6


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"places": 0}, "places"), ({"spread_rad": 4.0}, "spread_rad"), ({"objectness": 1.5}, "objectness")],
)
def test_settings_out_of_range_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(FurtherLookConfig(), **changes)
