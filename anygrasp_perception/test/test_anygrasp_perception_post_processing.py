# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest

from anygrasp_perception.collision import CollisionConfig, detect_collisions
from anygrasp_perception.detector import DetectionRequest
from anygrasp_perception.grasp import rotation_from_approach
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.nms import grasp_nms
from anygrasp_perception.point_grid import PointGrid
from anygrasp_perception.post_processing import PostProcessingConfig, post_process
from anygrasp_perception.reject_reason import RejectReason
from anygrasp_perception.se3 import make_transform

STAGES = {"grid", "request", "collision", "centring", "suppression"}
POSTS_XY = np.array([(-0.1, -0.08), (0.0, -0.08), (0.1, -0.08), (-0.1, 0.08), (0.0, 0.08), (0.1, 0.08)])
POST_TOP_M, TABLE_M = 0.45, 0.5


def make_scene(count=20_000, seed=0):
    """Six square posts, 3 cm wide and 5 cm tall, on a table 0.5 m below the camera; 1 mm noise."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(-0.2, 0.2, (count, 2))
    on_post = (np.abs(xy[:, None] - POSTS_XY).max(axis=2) < 0.015).any(axis=1)
    z = np.where(on_post, POST_TOP_M, TABLE_M) + rng.normal(0, 0.001, count)
    return np.column_stack([xy, z]).astype(np.float32)


def grasps_on_posts(xy=POSTS_XY, *, shift=(0.0, 0.0), width_m=0.06, tilt=(0.0, 0.0)):
    """Grasps from above, closing along y of the image, fingertips 3 cm below the tops."""
    count = len(xy)
    return GraspGroup.from_arrays(
        rotation_matrices=np.tile(rotation_from_approach((*tilt, 1.0)), (count, 1, 1)),
        translations=np.column_stack([np.add(xy, shift), np.full(count, POST_TOP_M + 0.01)]),
        widths=width_m,
        scores=np.linspace(0.9, 0.4, count),
        depths=0.02,
        object_ids=np.arange(count),
    )


def random_grasps(count, seed):
    rng = np.random.default_rng(seed)
    xy = POSTS_XY[rng.integers(6, size=count)] + rng.normal(0, 0.02, (count, 2))
    return GraspGroup.from_arrays(
        rotation_matrices=rotation_from_approach(
            rng.normal((0, 0, 1), 0.4, (count, 3)), rng.uniform(0, np.pi, count)
        ),
        translations=np.column_stack([xy, rng.uniform(POST_TOP_M - 0.02, TABLE_M, count)]),
        widths=rng.uniform(0.01, 0.1, count),
        scores=rng.uniform(size=count),
        depths=rng.uniform(0.005, 0.04, count),
    )


def test_good_grasps_pass_best_first():
    grasps, rejected, durations = post_process(grasps_on_posts(), make_scene(), DetectionRequest())
    assert grasps.object_ids.tolist() == [0, 1, 2, 3, 4, 5]
    assert rejected.total == 0
    assert set(durations) == STAGES


def test_off_centre_grasps_are_centred_and_narrowed():
    grasps, _, _ = post_process(grasps_on_posts(shift=(0.0, 0.008)), make_scene(), DetectionRequest())
    np.testing.assert_allclose(grasps.translations[:, 1], POSTS_XY[:, 1], atol=0.001)
    np.testing.assert_allclose(grasps.widths, 0.03 + 2 * 0.005, atol=0.002)


REQUESTS = {
    "nothing asked": {},
    "region": {"region_min": (-0.05, -0.2, 0.3), "region_max": (0.2, 0.2, 0.6)},
    "region in another frame": {
        "region_min": (-0.05, -0.2, 0.0),
        "region_max": (0.2, 0.2, 0.1),
        "T_region_camera": make_transform(np.diag((1.0, -1.0, -1.0)), (0.0, 0.0, 0.5)),
    },
    "approach": {"approach": (0.0, 0.0, 1.0), "approach_cone_rad": 0.4},
    "few": {"max_grasps": 3},
    "dense": {"dense": True, "max_grasps": 1000},
    "target": {"target_mask": make_scene()[:, 0] > 0.05},
}


@pytest.mark.parametrize("fields", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("seed", range(3))
def test_every_candidate_is_kept_or_counted_once(fields, seed):
    candidates = random_grasps(800, seed)
    points, request = make_scene(), DetectionRequest(**fields)
    grasps, rejected, _ = post_process(candidates, points, request)
    assert len(grasps) + rejected.total == len(candidates)
    assert (np.diff(grasps.scores) <= 0).all()
    assert len(grasps) <= request.max_grasps
    # What is kept holds all that was asked for.
    assert not detect_collisions(grasps, points, request.gripper).colliding.any()
    assert (grasps.widths <= request.gripper.max_width_m).all()
    if request.region_min is not None:
        assert grasps.in_box_mask(request.region_min, request.region_max, request.T_region_camera).all()
    if request.approach is not None:
        assert grasps.approach_in_cone_mask(request.approach, request.approach_cone_rad).all()
    if not request.dense:
        assert len(grasp_nms(grasps)) == len(grasps)


def test_same_input_same_output():
    candidates, points = random_grasps(500, 0), make_scene()
    first, again = (post_process(candidates, points, DetectionRequest())[0] for _ in range(2))
    np.testing.assert_array_equal(first.poses, again.poses)
    np.testing.assert_array_equal(first.widths, again.widths)


def counts(*arguments, **keywords):
    return post_process(*arguments, **keywords)[1].as_dict()


def test_collision_is_counted():
    beside = grasps_on_posts(shift=(0.0, 0.03))
    assert counts(beside, make_scene(), DetectionRequest()) == {"collision": 6}


def test_object_wider_than_the_gripper_is_too_wide():
    xy = np.random.default_rng(0).uniform(-0.2, 0.2, (20_000, 2))
    block = np.abs(xy).max(axis=1) < 0.047  # 9.4 cm wide
    points = np.column_stack([xy, np.where(block, POST_TOP_M, TABLE_M)])
    group = grasps_on_posts(np.zeros((1, 2)), width_m=0.1)
    assert counts(group, points, DetectionRequest()) == {"too_wide": 1}


def test_prediction_beyond_the_stroke_is_closed_to_it():
    grasps, rejected, _ = post_process(grasps_on_posts(width_m=0.1), make_scene(), DetectionRequest())
    assert len(grasps) == 6
    assert rejected.total == 0


def test_grasp_in_the_air_is_empty():
    high = grasps_on_posts(shift=(0.05, 0.0)).replace(depths=np.full(6, 0.0))
    high = high.replace(translations=high.translations - (0.0, 0.0, 0.05))
    assert counts(high, make_scene(), DetectionRequest()) == {"empty_closing_region": 6}


def test_grasps_outside_the_region_are_counted():
    request = DetectionRequest(region_min=(-0.2, 0.0, 0.0), region_max=(0.2, 0.2, 1.0))
    assert counts(grasps_on_posts(), make_scene(), request) == {"outside_region": 3}


def test_centring_out_of_the_region_is_counted():
    # The centre moves from y = 0.088 to 0.08, out of a box that begins at 0.084.
    request = DetectionRequest(region_min=(-0.2, 0.084, 0.0), region_max=(0.2, 0.2, 1.0))
    group = grasps_on_posts(POSTS_XY[3:], shift=(0.0, 0.008))
    assert counts(group, make_scene(), request) == {"outside_region": 3}


def test_fingers_that_would_close_on_something_outside_the_region_are_counted():
    # The posts' far sides, 95 mm from the middle, are out of it by more than the noise at a border.
    request = DetectionRequest(region_min=(-0.2, -0.2, 0.0), region_max=(0.2, 0.085, 1.0))
    assert counts(grasps_on_posts(), make_scene(), request) == {"outside_region": 3}
    request = DetectionRequest(region_min=(-0.2, -0.2, 0.0), region_max=(0.2, 0.093, 1.0))
    assert counts(grasps_on_posts(), make_scene(), request) == {}


def test_approach_outside_the_cone_is_counted():
    group = GraspGroup.concatenate([grasps_on_posts(), grasps_on_posts(tilt=(1.0, 0.0))])
    request = DetectionRequest(approach=np.array((0.0, 0.0, 1.0)), approach_cone_rad=0.44)
    assert counts(group, make_scene(), request) == {"approach_direction": 6}


def test_grasps_off_the_target_are_counted():
    points = make_scene()
    request = DetectionRequest(target_mask=points[:, 0] > 0.05)
    grasps, rejected, _ = post_process(grasps_on_posts(), points, request)
    assert grasps.object_ids.tolist() == [2, 5]
    assert rejected.as_dict() == {"off_target": 4}


def test_what_the_request_rules_out_takes_no_place_among_the_best():
    points = make_scene()
    air = grasps_on_posts(shift=(0.05, 0.0))
    air = air.replace(translations=air.translations - (0.0, 0.0, 0.1), scores=air.scores + 1.0)
    request = DetectionRequest(target_mask=points[:, 0] > 0.05, max_grasps=1)
    group = GraspGroup.concatenate([air, grasps_on_posts()])
    grasps, rejected, _ = post_process(group, points, request, PostProcessingConfig(top_n=1))
    assert grasps.object_ids.tolist() == [2]
    assert rejected.as_dict() == {"empty_closing_region": 6, "off_target": 4, "ranked_out": 1}


def test_scene_off_the_target_still_collides():
    points = make_scene()
    on_posts = points[:, 2] < POST_TOP_M + 0.01
    beside = grasps_on_posts(shift=(0.0, 0.02), width_m=0.05)
    assert counts(beside, points, DetectionRequest(target_mask=on_posts)) == {"collision": 6}


def test_near_duplicates_are_counted():
    twice = GraspGroup.concatenate([grasps_on_posts(), grasps_on_posts(shift=(0.005, 0.0))])
    assert counts(twice, make_scene(), DetectionRequest()) == {"duplicate": 6}
    assert counts(twice, make_scene(), DetectionRequest(dense=True)) == {}


def test_surplus_is_ranked_out_before_and_after_the_checks():
    group = GraspGroup.concatenate([grasps_on_posts()] * 2)
    config = PostProcessingConfig(top_n=4)
    grasps, rejected, _ = post_process(group, make_scene(), DetectionRequest(max_grasps=1), config)
    # The four best are two pairs of duplicates; eight were never looked at, one is left over.
    assert grasps.object_ids.tolist() == [0]
    assert rejected.as_dict() == {"duplicate": 2, "ranked_out": 9}


def test_request_for_more_than_top_n_is_honoured():
    grasps, _, _ = post_process(
        grasps_on_posts(), make_scene(), DetectionRequest(max_grasps=6), PostProcessingConfig(top_n=2)
    )
    assert len(grasps) == 6


WIDE_MARGIN = PostProcessingConfig(centring_margin_m=0.012)


def wall_beside_a_post():
    """The scene with a wall 2 cm from the first post, which a finger with the wide margin would stand in."""
    wall_y = POSTS_XY[0, 1] - 0.015 - 0.020
    wall = np.random.default_rng(1).uniform((-0.13, wall_y - 0.003, 0.45), (-0.07, wall_y, 0.5), (500, 3))
    return np.vstack([make_scene(), wall])


def test_centring_into_a_collision_is_not_done():
    group = grasps_on_posts(POSTS_XY[:1], width_m=0.034)
    grasps, rejected, _ = post_process(group, wall_beside_a_post(), DetectionRequest(), WIDE_MARGIN)
    assert rejected.total == 0
    np.testing.assert_array_equal(grasps.translations, group.translations)
    np.testing.assert_array_equal(grasps.widths, group.widths)


class Tries:
    """A refiner that tries one group and keeps what is clear of it."""

    def __init__(self, tried):
        self.tried = tried

    def refine(self, grasps, clear):
        return GraspGroup.concatenate([grasps, clear(self.tried)])


def test_further_grasps_too_are_centred_where_there_is_room_and_left_as_they_are_where_there_is_not():
    scene = wall_beside_a_post()
    tight = grasps_on_posts(POSTS_XY[:1], width_m=0.034)
    roomy = grasps_on_posts(POSTS_XY[3:4], shift=(0.0, 0.01), width_m=0.07)
    inside = grasps_on_posts(POSTS_XY[4:5], shift=(0.0, 0.02), width_m=0.03)
    tried = GraspGroup.concatenate([tight, roomy, inside])
    found, rejected, _ = post_process(
        GraspGroup.empty(), scene, DetectionRequest(), WIDE_MARGIN, Tries(tried)
    )
    by_y = found[np.argsort(-found.translations[:, 1])]
    assert len(by_y) == 2
    assert rejected[RejectReason.COLLISION] == rejected.total == 1
    np.testing.assert_allclose(by_y[0:1].translations[0, :2], POSTS_XY[3], atol=0.002)
    np.testing.assert_array_equal(by_y[1:2].translations, tight.translations)
    np.testing.assert_array_equal(by_y[1:2].widths, tight.widths)


def test_no_candidates():
    grasps, rejected, _ = post_process(GraspGroup.empty(), make_scene(), DetectionRequest())
    assert len(grasps) == 0
    assert rejected.total == 0


def test_an_indexed_scene_gives_the_same():
    candidates, points = random_grasps(300, 1), make_scene()
    direct = post_process(candidates, points, DetectionRequest())[0]
    indexed = post_process(candidates, PointGrid(points), DetectionRequest())[0]
    np.testing.assert_array_equal(direct.poses, indexed.poses)


def test_empty_cloud_is_refused():
    with pytest.raises(ValueError, match="the cloud is empty"):
        post_process(grasps_on_posts(), np.zeros((0, 3)), DetectionRequest())


def test_nan_cloud_is_refused():
    with pytest.raises(ValueError, match="NaN or infinite"):
        post_process(grasps_on_posts(), np.full((10, 3), np.nan), DetectionRequest())


def test_mask_of_another_length_is_refused():
    request = DetectionRequest(target_mask=np.ones(5, dtype=bool))
    with pytest.raises(ValueError, match="target_mask has 5 entries for 20000 points"):
        post_process(grasps_on_posts(), make_scene(), request)


@pytest.mark.parametrize(
    "fields",
    [
        {"top_n": 0},
        {"target_share": 0.0},
        {"target_share": 1.1},
        {"centring_margin_m": -0.001},
        {"nms_translation_m": np.nan},
        {"nms_angle_rad": np.inf},
    ],
)
def test_config_out_of_range_is_refused(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        PostProcessingConfig(**fields)


def test_config_reaches_the_collision_check():
    strict = PostProcessingConfig(collision=CollisionConfig(fingertip_clearance_m=0.05))
    assert counts(grasps_on_posts(), make_scene(), DetectionRequest(), strict) == {"collision": 6}
