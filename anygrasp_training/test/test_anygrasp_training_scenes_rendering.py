# SPDX-License-Identifier: Apache-2.0
from itertools import pairwise

import numpy as np
import open3d as o3d
import pytest

from anygrasp_perception.camera import CameraIntrinsics, depth_to_points
from anygrasp_perception.se3 import inverse, make_transform, transform_points
from anygrasp_training.objects import make_object
from anygrasp_training.scenes import PlacedObject, Scene, SceneKind, SceneRenderer
from anygrasp_training.scenes.appearance import plain_finish
from anygrasp_training.scenes.cameras import (
    CameraConfig,
    cap_directions,
    draw_intrinsics,
    draw_viewpoints,
    look_at,
)
from anygrasp_training.scenes.contact_sheet import write_contact_sheet
from anygrasp_training.scenes.scene import Furniture
from anygrasp_training.scenes.table import flat_table

INTRINSICS = CameraIntrinsics(150.0, 150.0, 79.5, 59.5, 160, 120)
MUG = make_object("mug", 1)
T_SCENE_MUG = make_transform(np.eye(3), (0.02, 0.01, -MUG.mesh.bounds[0, 2]))


def distance_to_mug(points):
    rays = o3d.t.geometry.RaycastingScene()
    rays.add_triangles(MUG.mesh.vertices.astype(np.float32), MUG.mesh.faces.astype(np.uint32))
    return rays.compute_distance(points.astype(np.float32)).numpy()


def scene(seed: int = 0) -> Scene:
    table = Furniture("table", flat_table().mesh(), plain_finish((0.7, 0.7, 0.7)))
    return Scene(
        SceneKind.SINGLE, (PlacedObject(6, MUG, T_SCENE_MUG),), (table,), np.array([0, 0, -9.81]), seed
    )


def test_an_empty_stretch_of_table_has_the_depth_of_the_camera_s_height():
    above = look_at(np.array([0.25, 0.0, 0.5]), np.array([0.25, 0, 0]))
    view = SceneRenderer(scene()).render(above, INTRINSICS)
    assert (view.label[:, 80:] == 0).all()
    np.testing.assert_allclose(view.depth_m[40:80, 80:140], 0.5, atol=1e-5)


def test_labelled_pixels_lie_on_the_mesh_and_only_those():
    T_scene_camera = look_at(np.array([0.2, -0.3, 0.35]), np.array([0, 0, 0.03]))
    view = SceneRenderer(scene()).render(T_scene_camera, INTRINSICS)
    assert set(np.unique(view.label)) == {0, 7}
    T_mug_camera = inverse(T_SCENE_MUG) @ T_scene_camera
    points = transform_points(T_mug_camera, depth_to_points(view.depth_m, INTRINSICS))
    on_mug = points[view.label == 7]
    assert len(on_mug) > 500
    assert distance_to_mug(on_mug).max() < 1e-4
    assert np.median(distance_to_mug(points[(view.label == 0) & (view.depth_m > 0)])) > 0.01


def test_where_nothing_is_depth_is_zero():
    up = look_at(np.array([0.0, 0.0, 0.5]), np.array([0.0, 0.1, 1.5]))
    view = SceneRenderer(scene()).render(up, INTRINSICS)
    assert not view.depth_m.any()
    assert not view.label.any()


def test_the_same_seed_gives_the_same_picture_and_another_one_another():
    T = look_at(np.array([0.2, -0.3, 0.35]), np.array([0, 0, 0.03]))
    first, same, other = (SceneRenderer(scene(s)).render(T, INTRINSICS) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.color, same.color)
    np.testing.assert_array_equal(first.depth_m, other.depth_m)
    assert (first.color != other.color).any()


def test_textures_stick_to_the_object_when_it_moves():
    def mug_seen(shift):
        T = np.eye(4)
        T[:3, 3] = shift
        item = PlacedObject(0, MUG, T @ T_SCENE_MUG)
        alone = Scene(SceneKind.SINGLE, (item,), (), np.array([0, 0, -9.81]), 3)
        camera = T @ look_at(np.array([0.2, -0.3, 0.35]), np.array([0, 0, 0.03]))
        return SceneRenderer(alone).render(camera, INTRINSICS)

    still, moved = mug_seen((0, 0, 0)), mug_seen((0.1, -0.05, 0.02))
    both = (still.label > 0) & (moved.label > 0)
    difference = np.abs(still.color[both].astype(int) - moved.color[both].astype(int))
    assert np.percentile(difference, 99) <= 2


def test_the_table_is_darker_in_the_shadow():
    view = SceneRenderer(scene(), textured=False).render(
        look_at(np.array([0.0, 0.0, 0.9]), np.zeros(3)), INTRINSICS
    )
    brightness = view.color[view.label == 0].astype(float).mean(axis=1)
    assert brightness.min() < 0.85 * np.median(brightness)
    assert (brightness < 0.85 * np.median(brightness)).mean() < 0.2


def test_reflectances_are_in_range():
    view = SceneRenderer(scene()).render(look_at(np.array([0.2, -0.3, 0.35]), np.zeros(3)), INTRINSICS)
    for image in (view.infrared_albedo, view.specular):
        assert image.dtype == np.float32
        assert image.min() >= 0
        assert image.max() <= 1


def test_a_camera_sees_objects_only_when_it_looks_at_them_freely():
    renderer = SceneRenderer(scene())
    assert renderer.sees_objects(look_at(np.array([0.2, -0.3, 0.35]), np.zeros(3)), INTRINSICS)
    assert not renderer.sees_objects(look_at(np.array([0.2, -0.3, 0.35]), np.array([1.0, 1, 0])), INTRINSICS)
    right_before_it = look_at(np.array([0.02, 0.01, 0.2]), np.array([0.02, 0.01, 0]))
    assert not renderer.sees_objects(right_before_it, INTRINSICS)


def test_256_directions_cover_the_cap_and_neighbours_are_close():
    directions = cap_directions(np.deg2rad(60))
    assert directions.shape == (256, 3)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    assert np.degrees(np.arccos(directions[:, 2].min())) == pytest.approx(60 * 7.5 / 8)
    steps = np.degrees(np.arccos(np.clip((directions[1:] * directions[:-1]).sum(axis=1), -1, 1)))
    assert steps.max() < 13


def test_a_camera_has_its_target_in_the_middle_and_up_is_up():
    eye, target = np.array([0.3, -0.4, 0.5]), np.array([0.0, 0.1, 0.02])
    T_camera_scene = inverse(look_at(eye, target))
    np.testing.assert_allclose(transform_points(T_camera_scene, target)[:2], 0, atol=1e-12)
    above = transform_points(T_camera_scene, target + np.array([0, 0, 0.1]))
    assert above[1] < 0  # y points down in the image
    assert above[0] == pytest.approx(0, abs=1e-12)


def test_viewpoints_come_in_runs_of_neighbours_with_an_overhead_one_last():
    config = CameraConfig()
    runs = draw_viewpoints(16, config, np.random.default_rng(0))
    assert [len(run) for run in runs] == [3] * 5 + [1]
    last = runs[-1][0]
    assert last[2, 2] < -0.99  # straight down
    for run in runs[:-1]:
        for T in run:
            assert 0.3 < np.linalg.norm(T[:3, 3]) < 1.2
        np.testing.assert_array_less(0.95, [a[:3, 2] @ b[:3, 2] for a, b in pairwise(run)])


def test_all_256_views_can_be_had():
    runs = draw_viewpoints(256, CameraConfig(overhead=False), np.random.default_rng(0))
    assert sum(map(len, runs)) == 256


@pytest.mark.parametrize("count", [0, 257])
def test_an_impossible_number_of_views_is_refused(count):
    with pytest.raises(ValueError, match="1 to 256"):
        draw_viewpoints(count, CameraConfig(), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_distance_m": 1.2}, "min_distance_m"),
        ({"max_polar_rad": 2.0}, "max_polar_rad"),
        ({"run_length": 0}, "run_length"),
    ],
)
def test_camera_configs_that_cannot_work_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        CameraConfig(**changes)


def test_intrinsics_vary_about_the_nominal_camera():
    focal = [draw_intrinsics(CameraConfig(), np.random.default_rng(s)).fx for s in range(50)]
    assert 0.95 * 615 <= min(focal) < 605
    assert 625 < max(focal) <= 1.05 * 615


def test_the_contact_sheet_refuses_no_instances(tmp_path):
    with pytest.raises(ValueError, match="instances"):
        write_contact_sheet(tmp_path / "sheet.png", instances=0)
