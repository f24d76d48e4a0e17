# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import trimesh

from anygrasp_perception.se3 import make_transform
from anygrasp_training.labels import LABEL_GRIPPER, LabelConfig, label_object
from anygrasp_training.labels.mesh_rays import MeshRays
from anygrasp_training.labels.self_collision import gripper_collides
from anygrasp_training.objects import ConvexPart
from anygrasp_training.objects.procedural_object import assemble
from anygrasp_training.scenes import PlacedObject, Scene, SceneKind
from anygrasp_training.scenes.appearance import plain_finish
from anygrasp_training.scenes.obstacles import DistanceGrid, sample_surfaces
from anygrasp_training.scenes.scene import Furniture
from anygrasp_training.scenes.scene_collision import gripper_hits, scene_collisions
from anygrasp_training.scenes.table import flat_table

CUBE = assemble("cube", "cube", "toy", [ConvexPart(trimesh.creation.box((0.04,) * 3), (1, 0, 0))], 500.0)
LABELS = label_object(CUBE.mesh, (0, 0, 0), LabelConfig(max_points=6))
TABLE = Furniture("table", flat_table().mesh(), plain_finish((0.5, 0.5, 0.5)))


def cubes_at(*positions, table: bool = True) -> Scene:
    objects = tuple(
        PlacedObject(i, CUBE, make_transform(np.eye(3), position)) for i, position in enumerate(positions)
    )
    return Scene(SceneKind.HEAP, objects, (TABLE,) if table else (), np.array([0, 0, -9.81]), 0)


def hits_point(point) -> bool:
    """A gripper at the origin along x, open 0.06, depth 0.02, and a crumb of some 4 mm as obstacle."""
    around = np.random.default_rng(0).normal(0, 2e-3, size=(100, 3))
    grid = DistanceGrid((point + around).astype(np.float32), np.full(3, -0.2), np.full(3, 0.2))
    result = gripper_hits(
        grid,
        np.zeros((1, 3), np.float32),
        np.eye(3, dtype=np.float32)[None],
        np.array([0.02], np.float32),
        np.array([0.06], np.float32),
        LABEL_GRIPPER,
    )
    return bool(result[0])


@pytest.mark.parametrize(
    ("point", "hit"),
    [
        ((0.0, 0.035, 0.0), True),  # in the left finger: 0.03 to 0.04
        ((0.0, -0.035, 0.005), True),  # in the right one
        ((0.0, 0.0, 0.0), False),  # between them
        ((0.0, 0.022, 0.0), False),  # between them, 8 mm off the finger
        ((0.03, 0.035, 0.0), False),  # 10 mm before the fingertip
        ((0.0, 0.035, 0.02), False),  # 10 mm beside the finger
        ((-0.06, 0.0, 0.0), True),  # in the base: -0.08 to -0.04
        ((-0.06, 0.055, 0.0), True),  # at its end
        ((-0.095, 0.0, 0.0), False),  # 15 mm behind it
    ],
)
def test_the_three_boxes_are_where_they_should_be(point, hit):
    assert hits_point(np.array(point)) is hit


def test_distances_of_the_grid_are_those_of_the_points():
    rng = np.random.default_rng(1)
    points = rng.uniform(-0.05, 0.05, size=(200, 3)).astype(np.float32)
    grid = DistanceGrid(points, np.full(3, -0.1), np.full(3, 0.1))
    places = rng.uniform(-0.1, 0.1, size=(500, 3))
    exact = np.linalg.norm(places[:, None] - points[None], axis=2).min(axis=1)
    assert np.abs(grid.nearest(places) - exact).max() <= grid.slack_m
    assert np.abs(grid.interpolated(places) - exact).mean() < 0.002


def test_an_empty_grid_is_infinitely_far_from_everything():
    grid = DistanceGrid(np.zeros((0, 3), np.float32), np.zeros(3), np.full(3, 0.05))
    assert np.isinf(grid.nearest(np.zeros((1, 3)))).all()


def test_an_object_alone_in_the_air_collides_with_nothing():
    (collisions,) = scene_collisions(cubes_at((0, 0, 0.5), table=False), [LABELS])
    assert collisions.shape == LABELS.friction_codes.shape
    assert not collisions.any()


def test_a_table_takes_the_grasps_from_below_and_leaves_those_from_above():
    (collisions,) = scene_collisions(cubes_at((0, 0, 0.02)), [LABELS])
    grasps = LABELS.grasps(np.argwhere(LABELS.positive))
    hit = collisions[LABELS.positive]
    assert hit[grasps.approaches[:, 2] > 0.8].all()
    high = grasps.fingertips[:, 2] + 0.02 > 0.015
    down = grasps.approaches[:, 2] < -0.95
    assert (down & high).any()
    assert not hit[down & high].any()
    assert not collisions[~LABELS.positive].any()


def test_a_neighbour_takes_the_grasps_whose_finger_it_stands_in():
    scene = cubes_at((0, 0, 0.5), (0, 0.045, 0.5), table=False)
    collisions, _ = scene_collisions(scene, [LABELS, LABELS])
    grasps = LABELS.grasps(np.argwhere(LABELS.positive))
    hit = collisions[LABELS.positive]
    across_y = (np.abs(grasps.closing_directions[:, 1]) > 0.98) & (grasps.approaches[:, 1] ** 2 < 0.02)
    across_x = (np.abs(grasps.closing_directions[:, 0]) > 0.98) & (grasps.approaches[:, 2] < -0.98)
    middle = np.abs(grasps.translations[:, 1]) < 0.012
    assert (across_y & middle).any()
    assert (across_x & middle).any()
    assert hit[across_y & middle].mean() > 0.95
    assert not hit[across_x & middle].any()


def test_collisions_agree_with_exact_ray_casting():
    scene = cubes_at((0, 0, 0.02), (0.05, 0.03, 0.02), (-0.01, -0.06, 0.02))
    collisions = scene_collisions(scene, [LABELS] * 3)
    others = [CUBE.mesh.copy().apply_transform(item.T_scene_object) for item in scene.objects[1:]]
    rays = MeshRays(trimesh.util.concatenate([*others, TABLE.mesh]))
    rng = np.random.default_rng(0)
    cells = np.argwhere(LABELS.positive)
    cells = cells[rng.choice(len(cells), size=600, replace=False)]
    grasps = LABELS.grasps(cells).transformed(scene.objects[0].T_scene_object)
    arrays = (grasps.translations, grasps.rotation_matrices, grasps.depths, grasps.widths)
    exact = gripper_collides(rays, *(array.astype(np.float32) for array in arrays), LABEL_GRIPPER)
    assert 0.1 < exact.mean() < 0.99
    assert (collisions[0][tuple(cells.T)] == exact).mean() > 0.96


def test_samples_know_their_owner_and_leave_no_holes():
    scene = cubes_at((0, 0, 0.02), (0.1, 0, 0.02))
    samples = sample_surfaces(scene, margin_m=0.05)
    assert set(np.unique(samples.owners)) == {-1, 0, 1}
    second = samples.points[samples.owners == 1]
    np.testing.assert_allclose(second.min(axis=0), (0.08, -0.02, 0), atol=1e-3)
    assert len(samples.without(1)) == (samples.owners != 1).sum()
    top = np.stack(np.meshgrid(np.linspace(0.085, 0.115, 20), np.linspace(-0.015, 0.015, 20)), -1)
    top = np.concatenate([top.reshape(-1, 2), np.full((400, 1), 0.04)], axis=1)
    nearest = np.linalg.norm(top[:, None] - second[None], axis=2).min(axis=1)
    assert nearest.max() < 0.005


def test_labels_of_another_number_of_objects_are_refused():
    with pytest.raises(ValueError, match="give one for each"):
        scene_collisions(cubes_at((0, 0, 0.5)), [])
