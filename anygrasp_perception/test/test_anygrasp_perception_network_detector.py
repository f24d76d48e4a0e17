# SPDX-License-Identifier: Apache-2.0
"""Requests and bad input, with an untrained network that calls everything graspable from above."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic_scene import CAMERA_HEIGHT_M, Box, photograph
from tiny_network import CELLS, tiny_network

from anygrasp_perception.cloud import PointCloud
from anygrasp_perception.collision import CollisionConfig, detect_collisions
from anygrasp_perception.detector import DetectionRequest, DetectorError
from anygrasp_perception.gripper import ROBOTIQ_2F85, GripperGeometry
from anygrasp_perception.network_detector import NetworkDetector, NetworkDetectorConfig
from anygrasp_perception.network_input import NearSceneConfig
from anygrasp_perception.se3 import inverse, make_transform, quat_xyzw_to_rotation, transform_points

LEFT, RIGHT = Box((0.03, 0.07, 0.05), (-0.06, 0.0)), Box((0.03, 0.07, 0.05), (0.06, 0.0))
ABOVE_TABLE_M = 0.01


@pytest.fixture(scope="module")
def network():
    return tiny_network().fold()


@pytest.fixture(scope="module")
def detector(network):
    return NetworkDetector(network=network)


@pytest.fixture(scope="module")
def cloud():
    whole = photograph(LEFT, RIGHT, noise_m=0.001).cloud()
    return whole.crop((np.abs(whole.points[:, :2]) < (0.18, 0.14)).all(axis=1))


def box_mask(cloud, box):
    """Points on the upper part of a box."""
    x, y = box.center_xy
    near = (np.abs(cloud.points[:, 0] - x) < 0.03) & (np.abs(cloud.points[:, 1] - y) < 0.05)
    return near & (cloud.points[:, 2] < CAMERA_HEIGHT_M - ABOVE_TABLE_M)


def accounted(result):
    return result.candidates == len(result.grasps) + result.rejected.total


def same(first, second):
    return all(
        np.array_equal(getattr(first.grasps, name), getattr(second.grasps, name))
        for name in ("scores", "widths", "depths", "translations", "rotation_matrices")
    )


def test_grasps_hold_the_boxes_free_of_collision_and_each_candidate_is_accounted_for(detector, cloud):
    result = detector.detect(cloud, DetectionRequest())
    assert len(result.grasps) >= 2
    assert accounted(result)
    assert (np.diff(result.grasps.scores) <= 0).all()
    assert not detect_collisions(result.grasps, cloud.points[::7], ROBOTIQ_2F85).colliding.any()
    assert {
        "backbone",
        "seeds",
        "views",
        "cylinders",
        "decode",
        "collision",
        "centring",
        "suppression",
    } <= set(result.durations_s)


def test_grasps_know_the_features_of_their_seeds_however_they_are_filtered(detector, cloud):
    result = detector.detect(cloud, DetectionRequest())
    config = detector.network.config
    features = result.features
    assert features.seed.shape[1:] == (config.feature_channels,)
    assert features.grasp.shape == (len(features.seed), config.head_channels)
    grasps = result.grasps
    assert grasps.seed_ids.min() >= 0
    assert grasps.seed_ids.max() < len(features.seed)
    for seed in np.unique(grasps.seed_ids):  # each seed has one view
        assert len(np.unique(grasps.view_ids[grasps.seed_ids == seed])) == 1
    assert grasps[::-1].transformed(np.eye(4))[[0]].seed_ids[0] == grasps.seed_ids[-1]


def test_same_seed_same_grasps_whatever_was_detected_in_between(detector, cloud):
    first = detector.detect(cloud, DetectionRequest(seed=3))
    detector.detect(cloud, DetectionRequest(seed=4))
    assert same(first, detector.detect(cloud, DetectionRequest(seed=3)))


def test_region_in_a_frame_of_its_own_keeps_the_grasp_centres_inside(detector, cloud):
    T_camera_region = make_transform(quat_xyzw_to_rotation((0.0, 0.0, 0.6, 0.8)), (0.06, 0.0, 0.55))
    T_region_camera = inverse(T_camera_region)
    half = np.array((0.06, 0.06, 0.05))
    request = DetectionRequest(region_min=-half, region_max=half, T_region_camera=T_region_camera)
    result = detector.detect(cloud, request)
    assert len(result.grasps) > 0
    assert accounted(result)
    inside = transform_points(T_region_camera, result.grasps.translations)
    assert (np.abs(inside) <= half).all()


def test_mask_gives_grasps_on_the_target_alone(detector, cloud):
    mask = box_mask(cloud, RIGHT)
    result = detector.detect(cloud, DetectionRequest(target_mask=mask))
    assert len(result.grasps) > 0
    assert accounted(result)
    on_target = cloud.points[mask]
    distance = np.linalg.norm(on_target[:, None] - result.grasps.translations[None], axis=2).min(axis=0)
    assert (distance < 0.02).all()


def test_what_is_not_on_the_mask_is_still_an_obstacle(detector):
    """Walls on all sides, too near for fingers, that the mask leaves out."""
    walls = [Box((0.02, 0.16, 0.08), (x, 0.0)) for x in (-0.03, 0.03)]
    walls += [Box((0.10, 0.02, 0.08), (0.0, y)) for y in (-0.06, 0.06)]
    boxed_in = photograph(Box((0.03, 0.07, 0.05)), *walls, noise_m=0.0005).cloud()
    mask = (np.abs(boxed_in.points[:, :2]) < (0.014, 0.034)).all(axis=1)
    result = detector.detect(boxed_in, DetectionRequest(target_mask=mask))
    assert len(result.grasps) == 0
    assert result.rejected.as_dict()["collision"] > 0


def test_a_post_outside_the_region_that_the_base_of_the_gripper_would_meet_is_an_obstacle(network):
    box, post = Box((0.03, 0.07, 0.05)), Box((0.01, 0.01, 0.19), (0.0, 0.062))
    region = {"region_min": np.array((-0.02, -0.04, 0.5)), "region_max": np.array((0.02, 0.04, 0.6))}
    request = DetectionRequest(**region, dense=True, max_grasps=2000).along((0.0, 0.0, 1.0), 0.05)
    detector = NetworkDetector(NetworkDetectorConfig(near=NearSceneConfig(context_m=0.0)), network=network)
    alone = detector.detect(photograph(box).cloud(), request).grasps
    beside = detector.detect(photograph(box, post).cloud(), request).grasps
    assert alone.translations[:, 1].max() > 0.025  # the base, 0.075 m across, would be where the post is
    assert len(beside) > 0
    assert beside.translations[:, 1].max() < 0.022


@pytest.mark.parametrize("cone_deg", [1.0, 5.0, 12.0, 40.0])
@pytest.mark.parametrize("axis", [(0.0, 0.0, 1.0), (0.35, 0.1, 1.0), (-0.2, 0.3, 1.0)])
def test_a_cone_holds_every_approach_and_a_narrow_one_finds_grasps_too(detector, cloud, axis, cone_deg):
    request = DetectionRequest(dense=True, max_grasps=500).along(axis, np.deg2rad(cone_deg))
    result = detector.detect(cloud, request)
    assert len(result.grasps) > 0
    assert "approach_direction" not in result.rejected.as_dict()
    cosine = result.grasps.approaches @ np.array(axis) / np.linalg.norm(axis)
    assert (np.arccos(np.clip(cosine, -1, 1)) <= np.deg2rad(cone_deg) + 1e-6).all()


def test_a_cone_from_below_finds_nothing_and_says_why(detector, cloud):
    request = DetectionRequest(target_mask=box_mask(cloud, RIGHT)).along((0.0, 0.0, -1.0), 0.3)
    result = detector.detect(cloud, request)
    assert len(result.grasps) == 0
    assert result.rejected.as_dict()["collision"] > 0


def test_widths_are_within_what_another_gripper_opens(cloud):
    """The network says 0.06 m; a gripper that opens 0.045 m still takes the boxes of 0.03 m."""
    narrow = GripperGeometry(max_width_m=0.045, base_width_m=0.08)
    detector = NetworkDetector(network=tiny_network().fold())
    grasps = detector.detect(cloud, DetectionRequest(gripper=narrow)).grasps
    assert len(grasps) > 0
    assert (grasps.widths <= 0.045 + 1e-9).all()


def test_a_cell_that_the_gripper_opens_wide_enough_for_comes_before_a_better_one_that_it_does_not(cloud):
    """Angle 0 has the best score and is too wide for the gripper; angle 6, across it, is not."""
    network = tiny_network(score=0.3, width_m=0.05)
    with torch.no_grad():
        network.crop_head.out.bias[:5] = 2.0
        network.crop_head.out.bias[CELLS : CELLS + 5] = 0.95
        network.crop_head.out.bias[30:35] = 1.0
    grasps = NetworkDetector(network=network.fold()).detect(cloud, DetectionRequest()).grasps
    assert len(grasps) > 0
    assert grasps.angle_ids[0] == 6
    assert 0 not in grasps.angle_ids


def test_object_wider_than_the_gripper_is_refused_for_that_reason():
    slab = photograph(Box((0.24, 0.24, 0.05))).cloud()
    wide = tiny_network(width_m=0.098).fold()
    mask = (slab.points[:, 2] < 0.56) & (np.abs(slab.points[:, :2]) < 0.07).all(axis=1)
    result = NetworkDetector(network=wide).detect(slab, DetectionRequest(target_mask=mask))
    assert len(result.grasps) == 0
    assert result.rejected.as_dict()["too_wide"] > 0


def test_no_more_grasps_than_asked_for_and_the_best_of_them(detector, cloud):
    many = detector.detect(cloud, DetectionRequest())
    few = detector.detect(cloud, DetectionRequest(max_grasps=2))
    assert len(few.grasps) == 2
    np.testing.assert_array_equal(few.grasps.scores, many.grasps.scores[:2])
    assert few.rejected.as_dict()["ranked_out"] == len(many.grasps) - 2


def test_sampled_grasps_are_judged_with_the_networks_own(network, cloud):
    class Likes:
        """Stands for a verifier that likes what no seed of the network offered."""

        def judge(self, grasps, surface):
            return np.where(grasps.seed_ids < 0, 0.9, 0.2).astype(np.float32)

    def detect(**values):
        detector = NetworkDetector(NetworkDetectorConfig(**values), network=network, verifier=Likes())
        return detector.detect(cloud, DetectionRequest())

    own, both = detect(), detect(sampled=50)
    assert (own.grasps.seed_ids >= 0).all()
    assert both.grasps.seed_ids[0] == -1
    assert {"sampling"} == set(both.durations_s) - set(own.durations_s)
    assert both.candidates == both.rejected.total + len(both.grasps) > own.candidates
    assert not detect_collisions(both.grasps, cloud.points[::7], ROBOTIQ_2F85).colliding[0]
    with pytest.raises(ValueError, match="sampled must be 0 or more, got -1"):
        NetworkDetectorConfig(sampled=-1)


def test_dense_output_reaches_every_cell_of_every_seed(network, cloud):
    seeds = network.config.seed_count
    config = NetworkDetectorConfig(min_score=0.7)  # above what the network gives
    detector = NetworkDetector(
        replace(config, post_processing=replace(config.post_processing, check_collision=False)),
        network=network,
    )
    assert len(detector.detect(cloud, DetectionRequest()).grasps) == 0
    result = detector.detect(cloud, DetectionRequest(dense=True, max_grasps=seeds * CELLS))
    assert result.candidates == len(result.grasps) == seeds * CELLS
    assert len(np.unique(result.grasps.angle_ids)) == 12
    assert len(np.unique(result.grasps.depths)) == 5


def test_dense_output_is_free_of_collision_as_well(detector, cloud):
    sparse = detector.detect(cloud, DetectionRequest(max_grasps=1000))
    dense = detector.detect(cloud, DetectionRequest(dense=True, max_grasps=1000))
    assert len(dense.grasps) > 3 * len(sparse.grasps)
    # Other points than the averages the detector used, so a few differ.
    assert detect_collisions(dense.grasps, cloud.points[::7], ROBOTIQ_2F85).colliding.mean() < 0.1


def test_background_gives_no_seed_unless_asked_for(cloud):
    background = tiny_network(objectness=-4.0).fold()
    nothing = NetworkDetector(network=background).detect(cloud, DetectionRequest())
    assert len(nothing.grasps) == 0
    assert set(nothing.rejected.as_dict()) == {"no_contact"}
    anything = NetworkDetector(NetworkDetectorConfig(objects_only=False), network=background)
    assert len(anything.detect(cloud, DetectionRequest()).grasps) > 0
    # The network itself has not changed.
    assert len(NetworkDetector(network=background).detect(cloud, DetectionRequest()).grasps) == 0


def test_ungraspable_points_give_no_seed_and_say_so(cloud):
    result = NetworkDetector(network=tiny_network(graspness=0.0).fold()).detect(cloud, DetectionRequest())
    assert set(result.rejected.as_dict()) == {"low_score"}
    assert accounted(result)


def test_a_target_in_a_crowded_view_is_seen_whole(network):
    """More of the scene than fits into the network's voxels does not thin the target."""
    cloud = photograph(LEFT, RIGHT).cloud()
    mask = box_mask(cloud, RIGHT)
    tight = NetworkDetector(NetworkDetectorConfig(max_voxels=3000), network=network)
    result = tight.detect(cloud, DetectionRequest(target_mask=mask))
    assert len(result.grasps) > 0


# Bad input


def test_three_points_are_an_answer_with_reasons(detector):
    points = np.array([(0.0, 0.0, 0.5), (0.01, 0.0, 0.5), (0.0, 0.01, 0.5)], np.float32)
    result = detector.detect(PointCloud(points), DetectionRequest())
    assert len(result.grasps) == 0
    assert result.candidates == result.rejected.total >= 3


def test_one_point_is_no_crash(detector):
    assert len(detector.detect(PointCloud(np.array([(0.0, 0.0, 0.5)])), DetectionRequest()).grasps) == 0


def test_no_points_are_a_clear_error(detector):
    with pytest.raises(ValueError, match="cloud is empty"):
        detector.detect(PointCloud(np.zeros((0, 3))), DetectionRequest())


def test_nan_points_are_a_clear_error(cloud):
    broken = cloud.points.copy()
    broken[5:8, 1] = np.nan
    with pytest.raises(ValueError, match=r"3 of .* points are NaN or infinite; drop them"):
        PointCloud(broken)


def test_far_away_points_do_not_matter(detector, cloud):
    stray = np.array(
        [(1e30, 0, 0.6), (0, -1e20, 0.6), (0, 0, 1e12), (0, 0, -3), (2e9, 2e9, 2e9)], dtype=np.float32
    )
    more = PointCloud(np.concatenate([cloud.points, stray]))
    assert same(detector.detect(more, DetectionRequest()), detector.detect(cloud, DetectionRequest()))


def test_a_cloud_in_millimetres_is_out_of_range(detector, cloud):
    result = detector.detect(PointCloud(1000 * cloud.points), DetectionRequest())
    assert len(result.grasps) == 0
    assert result.rejected.as_dict() == {"out_of_range": len(cloud)}


def test_two_million_points_are_thinned(detector, cloud):
    rng = np.random.default_rng(0)
    many = cloud.points[rng.integers(len(cloud), size=2_000_000)]
    many = many + rng.normal(0.0, 0.0005, many.shape).astype(np.float32)
    result = detector.detect(PointCloud(many), DetectionRequest())
    assert len(result.grasps) > 0


def test_points_that_fill_space_are_an_answer(detector):
    """Not a surface at all: as many voxels as points, in all of the range."""
    points = np.random.default_rng(0).uniform((-2.9, -2.9, 0.1), (2.9, 2.9, 1.5), (4_000, 3))
    assert accounted(detector.detect(PointCloud(points), DetectionRequest()))


def test_colours_change_nothing(detector, cloud):
    grey = PointCloud(cloud.points, np.full((len(cloud), 3), 0.5, np.float32))
    assert same(detector.detect(grey, DetectionRequest()), detector.detect(cloud, DetectionRequest()))


def test_region_with_nothing_in_it_is_an_answer(detector, cloud):
    request = DetectionRequest(region_min=np.array((3.0, 3.0, 3.0)), region_max=np.array((3.1, 3.1, 3.1)))
    result = detector.detect(cloud, request)
    assert len(result.grasps) == 0
    assert result.rejected.as_dict() == {"outside_region": len(cloud)}


def test_mask_of_nothing_is_an_answer(detector, cloud):
    result = detector.detect(cloud, DetectionRequest(target_mask=np.zeros(len(cloud), bool)))
    assert result.rejected.as_dict() == {"off_target": len(cloud)}


def test_mask_of_another_length_is_a_clear_error(detector, cloud):
    with pytest.raises(ValueError, match="target_mask has 5 entries for a cloud of"):
        detector.detect(cloud, DetectionRequest(target_mask=np.ones(5, bool)))


@pytest.mark.parametrize("device", ["cuda:7", "abacus"])
def test_device_that_is_not_there_is_a_clear_error(network, device):
    with pytest.raises(DetectorError, match=f"'{device}' cannot be used"):
        NetworkDetector(NetworkDetectorConfig(device=device), network=network)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: NetworkDetectorConfig(max_voxels=0), "max_voxels"),
        (lambda: NetworkDetectorConfig(threads=-1), "threads"),
        (lambda: NearSceneConfig(min_depth_m=2.0), "min_depth_m"),
        (lambda: NearSceneConfig(context_m=-0.1), "context_m"),
        (lambda: NearSceneConfig(max_points=0), "max_points"),
    ],
)
def test_config_out_of_range_is_refused(make, word):
    with pytest.raises(ValueError, match=word):
        make()


def test_voxels_made_at_once_are_those_made_one_after_the_other(network, cloud):
    one, two = (
        NetworkDetector(NetworkDetectorConfig(threads=threads), network=network).propose(
            cloud, DetectionRequest()
        )
        for threads in (1, 2)
    )
    assert len(one.surface.grid) == len(two.surface.grid)
    np.testing.assert_allclose(one.surface.normals, two.surface.normals, atol=1e-6)
    np.testing.assert_allclose(one.grasps.translations, two.grasps.translations, atol=1e-6)


def test_threads_are_as_configured_while_the_network_runs_and_as_before_after(network):
    few = PointCloud(np.random.default_rng(0).uniform((-0.05, -0.05, 0.45), (0.05, 0.05, 0.55), (300, 3)))
    seen: list[int] = []
    hook = network.point_head.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        NetworkDetector(NetworkDetectorConfig(threads=1), network=network).detect(few, DetectionRequest())
        assert (seen, torch.get_num_threads()) == ([1], 3)
    finally:
        hook.remove()
        torch.set_num_threads(before)


def test_collisions_can_be_left_unchecked(network, cloud):
    config = NetworkDetectorConfig()
    unchecked = replace(config, post_processing=replace(config.post_processing, check_collision=False))
    result = NetworkDetector(unchecked, network=network).detect(cloud, DetectionRequest())
    assert detect_collisions(
        result.grasps, cloud.points[::7], ROBOTIQ_2F85, CollisionConfig()
    ).colliding.any()
    assert (result.grasps.widths <= ROBOTIQ_2F85.max_width_m).all()
