# SPDX-License-Identifier: Apache-2.0
"""The detector on boxes, cylinders and spheres with 1 mm of depth noise, seen from straight above."""

import dataclasses
from functools import lru_cache

import numpy as np
import pytest
from synthetic_scene import CAMERA_HEIGHT_M, Box, Cylinder, Sphere, photograph

from anygrasp_perception.cloud import PointCloud
from anygrasp_perception.detector import DetectionRequest
from anygrasp_perception.geometric_detector import GeometricDetector, GeometricDetectorConfig
from anygrasp_perception.grasp_sampling import GraspSamplingConfig
from anygrasp_perception.gripper import ROBOTIQ_2F85
from anygrasp_perception.nms import symmetric_rotation_angle
from anygrasp_perception.se3 import make_transform

MARGIN_M = 0.005  # that centring leaves on each side
DOWN = np.array([0.0, 0.0, 1.0])
NARROW_BOX = Box((0.03, 0.1, 0.05), yaw_rad=np.deg2rad(25))
WALLS = (
    Box((0.2, 0.008, 0.045), (0.0, 0.1)),
    Box((0.2, 0.008, 0.045), (0.0, -0.1)),
    Box((0.008, 0.2, 0.045), (0.1, 0.0)),
    Box((0.008, 0.2, 0.045), (-0.1, 0.0)),
)


@lru_cache
def cloud_of(*shapes):
    return photograph(*shapes, noise_m=0.001).cloud()


def detect(*shapes, **request):
    return GeometricDetector().detect(cloud_of(*shapes), DetectionRequest(**request))


def heights(points):
    """Height over the table of points (..., 3) in the camera frame."""
    return CAMERA_HEIGHT_M - points[..., 2]


def test_best_grasps_close_across_the_narrow_side_of_a_box():
    grasps = detect(NARROW_BOX).grasps
    best = grasps.top(5)
    along = best.closing_directions[:, :2] / np.linalg.norm(best.closing_directions[:, :2], axis=1)[:, None]
    across = np.array([np.cos(NARROW_BOX.yaw_rad), np.sin(NARROW_BOX.yaw_rad)])
    assert (np.abs(along @ across) > np.cos(np.deg2rad(8))).all()
    np.testing.assert_allclose(best.widths, 0.03 + 2 * MARGIN_M, atol=0.004)
    assert best.widths[0] == pytest.approx(0.03 + 2 * MARGIN_M, abs=0.002)
    assert np.linalg.norm(best.translations[0, :2]) < 0.01  # near the middle of the long side
    assert best.scores[0] > 0.8


def test_upright_cylinder_is_held_across_its_diameter():
    best = detect(Cylinder(0.025, 0.07, (0.04, -0.03))).grasps.top(5)
    np.testing.assert_allclose(best.widths, 0.05 + 2 * MARGIN_M, atol=0.003)
    axis_distance = np.einsum("ni,ni->n", best.translations - (0.04, -0.03, 0.55), best.closing_directions)
    assert (np.abs(axis_distance) < 0.003).all()


def test_sphere_is_held_at_its_equator():
    best = detect(Sphere(0.03, (0.05, 0.02))).grasps.top(3)
    np.testing.assert_allclose(best.widths, 0.06 + 2 * MARGIN_M, atol=0.003)
    center = np.array((0.05, 0.02, CAMERA_HEIGHT_M - 0.03))
    beyond = np.einsum("ni,ni->n", best.fingertips - center, best.approaches)
    assert (beyond > 0).all()
    assert (np.abs(np.einsum("ni,ni->n", best.translations - center, best.closing_directions)) < 0.003).all()


def test_grasps_turn_with_the_scene():
    cloud = cloud_of(NARROW_BOX, Cylinder(0.025, 0.06, (0.09, 0.02)))
    turn = np.deg2rad(40)
    T = make_transform(
        [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]], (0, 0, 0)
    )
    turned_cloud = PointCloud((cloud.points @ T[:3, :3].T).astype(np.float32))
    request = DetectionRequest(approach=DOWN, approach_cone_rad=np.deg2rad(25), dense=True)
    expected = GeometricDetector().detect(cloud, request).grasps.top(5).transformed(T)
    found = GeometricDetector().detect(turned_cloud, request).grasps
    for grasp in expected:
        near = np.linalg.norm(found.fingertips - grasp.fingertips, axis=1) < 0.015
        angle = symmetric_rotation_angle(grasp.rotation_matrices, found.rotation_matrices)
        # A cylinder is the same at any angle: there the turn about its axis does not count.
        alike = near & (angle < np.deg2rad(20)) & (np.abs(found.widths - grasp.widths[0]) < 0.004)
        assert found.scores[alike].max() > grasp.scores[0] - 0.15


def test_too_wide_box_has_no_grasp_and_says_why():
    result = detect(Box((0.12, 0.12, 0.06)), approach=DOWN, approach_cone_rad=np.deg2rad(25))
    assert len(result.grasps) == 0
    assert result.rejected.summary().split(", ")[0].endswith("too_wide")


def test_slab_without_an_edge_in_reach_has_no_grasp():
    result = detect(
        Box((0.3, 0.25, 0.05)),
        approach=DOWN,
        approach_cone_rad=0.01,
        region_min=np.array((-0.04, -0.04, 0.4)),
        region_max=np.array((0.04, 0.04, 0.6)),
    )
    assert len(result.grasps) == 0
    assert result.rejected.total == result.candidates


def test_narrower_gripper_takes_only_what_fits():
    gripper = dataclasses.replace(ROBOTIQ_2F85, max_width_m=0.06)
    grasps = detect(
        NARROW_BOX,
        Box((0.07, 0.07, 0.06), (0.1, 0.02)),
        gripper=gripper,
        approach=DOWN,
        approach_cone_rad=np.deg2rad(25),
    ).grasps
    assert len(grasps) > 0
    assert grasps.widths.max() <= 0.06
    assert grasps.translations[:, 0].max() < 0.05  # none on the wide box


def test_fingers_and_base_stay_above_the_table():
    grasps = detect(NARROW_BOX, Box((0.02, 0.06, 0.012), (0.08, 0.0))).grasps
    boxes = ROBOTIQ_2F85.boxes(grasps.widths, grasps.depths)  # (N, 3, 2, 3)
    corners = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij"), axis=-1).reshape(-1, 3)
    local = boxes[:, :, corners, np.arange(3)]  # (N, 3, 8, 3)
    points = np.einsum("nij,nbcj->nbci", grasps.rotation_matrices, local) + grasps.translations[:, None, None]
    assert len(grasps) > 10
    assert heights(points).min() > 0.0
    assert heights(grasps.fingertips).min() > 0.002


def test_thin_box_is_grasped_just_above_the_table():
    best = detect(Box((0.02, 0.06, 0.012)), approach=DOWN, approach_cone_rad=np.deg2rad(10)).grasps[0]
    assert 0.002 < heights(best.fingertips)[0] < 0.006
    assert best.depths[0] < 0.011


def test_grasps_stand_on_objects_not_on_the_table():
    grasps = detect(NARROW_BOX, Sphere(0.025, (-0.08, 0.03))).grasps
    assert len(grasps) >= 20
    assert (heights(grasps.translations) > 0.005).all()


def test_target_mask_restricts():
    left, right = Box((0.03, 0.06, 0.05), (-0.06, 0.0)), Box((0.03, 0.06, 0.05), (0.06, 0.0))
    cloud = cloud_of(left, right)
    result = GeometricDetector().detect(cloud, DetectionRequest(target_mask=cloud.points[:, 0] > 0.02))
    assert len(result.grasps) > 5
    assert (result.grasps.translations[:, 0] > 0.02).all()


def test_target_off_all_objects_gives_the_reason():
    cloud = cloud_of(NARROW_BOX)
    result = GeometricDetector().detect(cloud, DetectionRequest(target_mask=np.zeros(len(cloud), dtype=bool)))
    assert len(result.grasps) == 0
    assert set(result.rejected.as_dict()) == {"off_target"}


def test_approach_cone_restricts():
    axis = np.array([0.3, 0.0, 1.0]) / np.linalg.norm([0.3, 0.0, 1.0])
    grasps = detect(NARROW_BOX, approach=axis, approach_cone_rad=np.deg2rad(15)).grasps
    assert len(grasps) > 0
    assert (grasps.approaches @ axis >= np.cos(np.deg2rad(15)) - 1e-6).all()


def test_region_restricts_in_its_own_frame():
    shapes = Box((0.03, 0.06, 0.05), (-0.06, 0.0)), Box((0.03, 0.06, 0.05), (0.06, 0.0))
    T_base_camera = make_transform(
        np.diag([1.0, -1.0, -1.0]), (0.0, -0.5, CAMERA_HEIGHT_M)
    )  # z up from the table
    result = detect(
        *shapes,
        region_min=np.array((-0.1, -0.55, 0.0)),
        region_max=np.array((0.0, -0.45, 0.2)),
        T_region_camera=T_base_camera,
    )
    assert len(result.grasps) > 5
    assert (result.grasps.translations[:, 0] < 0.0).all()


def test_region_beside_all_objects_gives_the_reason():
    result = detect(NARROW_BOX, region_min=np.full(3, 5.0), region_max=np.full(3, 6.0))
    assert len(result.grasps) == 0
    assert set(result.rejected.as_dict()) == {"outside_region"}


def test_empty_table_has_no_grasp_and_says_why():
    result = detect()
    assert len(result.grasps) == 0
    assert set(result.rejected.as_dict()) == {"no_contact"}
    assert result.candidates == result.rejected.total > 0


def test_walls_of_the_bin_that_a_region_fills_are_left_alone():
    result = detect(
        Box((0.03, 0.06, 0.04), (0.05, 0.02)),
        *WALLS,
        region_min=np.array((-0.09, -0.09, 0.4)),
        region_max=np.array((0.09, 0.09, CAMERA_HEIGHT_M)),
    )
    assert len(result.grasps) > 0
    assert (np.linalg.norm(result.grasps.translations[:, :2] - (0.05, 0.02), axis=1) < 0.04).all()


def test_furniture_is_left_alone_without_a_region():
    long_walls = [
        dataclasses.replace(w, size_m=tuple(2.1 * s if s == 0.2 else s for s in w.size_m)) for w in WALLS[:2]
    ]
    grasps = detect(Box((0.03, 0.06, 0.04)), *long_walls).grasps
    assert len(grasps) > 0
    assert (np.abs(grasps.translations[:, 1]) < 0.05).all()


def test_object_without_support_is_grasped():
    cloud = cloud_of(Cylinder(0.025, 0.07))
    result = GeometricDetector().detect(cloud.crop(heights(cloud.points) > 0.01), DetectionRequest())
    assert len(result.grasps) > 0


def test_same_request_gives_the_same_grasps():
    first, again = detect(NARROW_BOX, seed=3), detect(NARROW_BOX, seed=3)
    for field in dataclasses.fields(first.grasps):
        np.testing.assert_array_equal(getattr(first.grasps, field.name), getattr(again.grasps, field.name))
    assert first.rejected.as_dict() == again.rejected.as_dict()


def test_every_candidate_is_accounted_for():
    result = detect(NARROW_BOX, Sphere(0.025, (-0.08, 0.03)), max_grasps=7)
    assert len(result.grasps) == 7
    assert result.candidates == 7 + result.rejected.total
    assert result.detector == "geometric"
    assert {"scene", "sampling", "search", "contacts", "collision"} <= set(result.durations_s)


def test_scores_fall_and_stay_in_range():
    grasps = detect(NARROW_BOX).grasps
    assert (np.diff(grasps.scores) <= 0).all()
    assert ((grasps.scores > 0) & (grasps.scores <= 1)).all()
    assert ((grasps.stable_scores >= 0) & (grasps.stable_scores <= 1)).all()


def test_candidates_from_behind_the_visible_side_are_left_out():
    # Approaching up out of the table.
    result = detect(NARROW_BOX, approach=-DOWN, approach_cone_rad=np.deg2rad(20))
    assert len(result.grasps) == 0
    assert set(result.rejected.as_dict()) == {"approach_direction"}


def test_config_is_used():
    config = GeometricDetectorConfig(sampling=GraspSamplingConfig(max_seeds=1, random_approaches=0))
    result = GeometricDetector(config).detect(cloud_of(NARROW_BOX), DetectionRequest())
    assert 0 < result.candidates <= 4 * 60


def test_empty_cloud_is_refused():
    with pytest.raises(ValueError, match="cloud is empty"):
        GeometricDetector().detect(PointCloud(np.zeros((0, 3), np.float32)), DetectionRequest())


def test_mask_of_another_length_is_refused():
    with pytest.raises(ValueError, match="target_mask has 5 entries"):
        GeometricDetector().detect(cloud_of(NARROW_BOX), DetectionRequest(target_mask=np.ones(5, dtype=bool)))


def test_three_points_give_no_grasp():
    cloud = PointCloud(np.array([(0, 0, 1), (0.1, 0, 1), (0, 0.1, 1)], np.float32))
    assert len(GeometricDetector().detect(cloud, DetectionRequest()).grasps) == 0
