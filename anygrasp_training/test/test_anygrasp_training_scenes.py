# SPDX-License-Identifier: Apache-2.0
import numpy as np
import open3d as o3d
import pytest
import trimesh

from anygrasp_perception.se3 import transform_points
from anygrasp_training.objects import ConvexPart, make_object
from anygrasp_training.objects.procedural_object import assemble
from anygrasp_training.scenes import SceneConfig, SceneError, SceneKind, ScenePlan, build_scene, plan_scene
from anygrasp_training.scenes.physics import Pile
from anygrasp_training.scenes.surroundings import draw_clutter
from anygrasp_training.scenes.table import Table, draw_table, flat_table

FAMILIES = ("brick", "carton", "can", "sponge", "remote", "nut", "bottle", "mug")
POOL = [make_object(family, 3) for family in FAMILIES]


def height_above(mesh: trimesh.Trimesh, point) -> float:
    rays = o3d.t.geometry.RaycastingScene()
    rays.add_triangles(mesh.vertices.astype(np.float32), mesh.faces.astype(np.uint32))
    x, y, z = point
    down = np.array([[x, y, z + 0.005, 0, 0, -1]], dtype=np.float32)
    return float(rays.cast_rays(down)["t_hit"].numpy()[0]) - 0.005


def build(kind: SceneKind, seed: int):
    config = SceneConfig(min_objects=5, max_objects=8, kind_shares=((kind, 1.0),))
    plan = plan_scene(len(POOL), (seed,), config)
    return plan, build_scene(plan, [POOL[i] for i in plan.object_ids], config)


@pytest.mark.parametrize("kind", list(SceneKind))
def test_objects_come_to_rest_on_the_support_and_not_in_it(kind):
    _, scene = build(kind, 1)
    assert scene.kind is kind
    support = trimesh.util.concatenate(
        [item.mesh for item in scene.furniture if item.name in ("table", "tray")]
    )
    for item in scene.objects:
        vertices = transform_points(item.T_scene_object, item.body.mesh.vertices)
        assert np.abs(item.T_scene_object[:2, 3]).max() < 0.3
        # Straight below the lowest vertex there is support, at most a hair above it.
        lowest = vertices[vertices[:, 2].argmin()]
        assert height_above(support, lowest) > -0.003
    lowest_of_all = min(
        transform_points(item.T_scene_object, item.body.mesh.vertices)[:, 2].min() for item in scene.objects
    )
    assert lowest_of_all < support.bounds[1, 2] + 0.01  # something lies on it


def test_the_same_plan_gives_the_same_scene():
    (plan, first), (same_plan, second) = build(SceneKind.HEAP, 5), build(SceneKind.HEAP, 5)
    assert plan == same_plan
    assert first.seed == second.seed
    for a, b in zip(first.objects, second.objects, strict=True):
        np.testing.assert_array_equal(a.T_scene_object, b.T_scene_object)


def test_plans_name_each_object_once_and_single_scenes_hold_one():
    for seed in range(30):
        plan = plan_scene(40, (seed,))
        assert len(set(plan.object_ids)) == len(plan.object_ids)
        assert len(plan.object_ids) == 1 if plan.kind is SceneKind.SINGLE else 5 <= len(plan.object_ids) <= 20


def test_all_kinds_are_drawn():
    assert {plan_scene(40, (seed,)).kind for seed in range(60)} == set(SceneKind)


def test_a_pool_smaller_than_a_scene_is_refused():
    with pytest.raises(ValueError, match="pool of 3 objects"):
        plan_scene(3, (0,))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_objects": 6, "max_objects": 5}, "min_objects"),
        ({"kind_shares": ((SceneKind.BIN, 0.0),)}, "kind_shares"),
        ({"max_tilt_rad": 1.0}, "max_tilt_rad"),
    ],
)
def test_scene_configs_that_cannot_work_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        SceneConfig(**changes)


def test_a_plan_with_other_objects_is_refused():
    with pytest.raises(ValueError, match="names 2 objects, got 1"):
        build_scene(ScenePlan(SceneKind.HEAP, (0, 1), (0,)), POOL[:1])


def test_objects_that_do_not_stay_are_an_error_that_says_so():
    box = assemble("crate", "crate", "toy", [ConvexPart(trimesh.creation.box((0.7,) * 3), (1, 0, 0))], 300.0)
    with pytest.raises(SceneError, match="fewer than half came to rest"):
        build_scene(ScenePlan(SceneKind.HEAP, tuple(range(4)), (0,)), [box] * 4)


def test_physics_and_mesh_agree_on_where_a_bumpy_table_is():
    heights = np.zeros((30, 40))
    heights[18:, :15] = 0.05  # a step at small x and large y
    table = Table(np.array([-0.4, -0.3]), np.array([0.4, 0.3]), heights)
    pile = Pile([POOL[3]], table, None, np.array([0, 0, -9.81]))
    start = np.eye(4)
    start[:3, 3] = (-0.25, 0.2, 0.1)
    pile.release(0, start)
    assert pile.step_until_rest(3.0)
    bottom = transform_points(pile.poses[0], POOL[3].mesh.vertices)[:, 2].min()
    assert bottom == pytest.approx(0.05, abs=0.003)
    assert height_above(table.mesh(), (-0.25, 0.2, 1.0)) == pytest.approx(0.95)


def test_tables_differ_in_extent_bend_and_cloth():
    tables = [draw_table(np.random.default_rng(seed)) for seed in range(40)]
    assert 5 < sum(table.is_flat for table in tables) < 35
    nearest_edge = [min(*-table.lower_xy, *table.upper_xy) for table in tables]
    assert min(nearest_edge) < 0.35
    assert max(nearest_edge) > 0.5
    for table in tables:
        assert np.ptp(table.heights) < 0.15
        assert table.mesh().bounds[0, 2] < table.heights.min()  # it has sides


def test_a_flat_table_faces_up_at_zero():
    mesh = flat_table(0.3).mesh()
    top = mesh.triangles_center[:, 2] > -1e-9
    np.testing.assert_allclose(mesh.face_normals[top], np.tile((0, 0, 1.0), (top.sum(), 1)), atol=1e-9)
    assert mesh.area_faces[top].sum() == pytest.approx(0.36)


def test_clutter_stands_outside_the_workspace_on_the_table_or_on_the_floor():
    table, found = flat_table(0.5), set()
    for seed in range(40):
        for mesh in draw_clutter(np.random.default_rng(seed), 0.3, table, -0.75):
            middle, bottom = mesh.bounds.mean(axis=0), mesh.bounds[0, 2]
            assert np.linalg.norm(mesh.vertices[:, :2], axis=1).min() > 0.29
            on_table = (np.abs(middle[:2]) < 0.5).all()
            assert bottom == pytest.approx(0.0 if on_table else -0.75, abs=1e-9)
            found.add(bool(on_table))
    assert found == {True, False}
