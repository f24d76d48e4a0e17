# SPDX-License-Identifier: Apache-2.0
"""One hand-computed case for each rule of the benchmark."""

import dataclasses

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.se3 import make_transform
from anygrasp_training.evaluation import (
    EvaluationConfig,
    ObjectModel,
    SceneObject,
    evaluate_frame,
    surface_cloud,
    table_cloud,
)
from anygrasp_training.labels import LabelConfig, label_object

CONFIG = EvaluationConfig()
# The camera looks straight down onto a table 1 m away.
TABLE = table_cloud(make_transform(Rotation.from_euler("x", np.pi).as_matrix(), (0, 0, 1.0)))
DOWN = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])  # approach z, closing y
BOX = ObjectModel.from_mesh(trimesh.creation.box((0.06, 0.04, 0.06)))
BAR = ObjectModel.from_mesh(trimesh.creation.box((0.6, 0.04, 0.06)))
TOP_M = 0.94  # depth of the tops of BOX and BAR, standing on the table
ONE_IN_50 = np.mean(1 / np.arange(1, 51))  # average precision of one good grasp at rank 1


def standing(model, x=0.0, y=0.0, name="box", graspable=True):
    return SceneObject(name, model, make_transform(np.eye(3), (x, y, 0.97)), graspable)


def grasps(translations, *, rotations=DOWN, widths=0.06, scores=None, depths=0.02):
    count = len(translations)
    scores = np.linspace(1.0, 0.1, count) if scores is None else scores
    return GraspGroup.from_arrays(
        translations=np.array(translations, dtype=float).reshape(-1, 3),
        rotation_matrices=np.broadcast_to(rotations, (count, 3, 3)),
        widths=widths,
        scores=scores,
        depths=depths,
    )


def turned(axis, angle_rad):
    return DOWN @ Rotation.from_euler(axis, angle_rad).as_matrix()


def test_a_face_to_face_grasp_is_good_at_every_friction():
    result = evaluate_frame(grasps([(0, 0, TOP_M)]), [standing(BOX)], TABLE, CONFIG)
    np.testing.assert_allclose(result.friction, 0.0, atol=1e-5)
    np.testing.assert_array_equal(result.precision[0], 1.0)
    assert not result.colliding.any()
    assert not result.empty.any()


def test_missing_grasps_count_as_failures():
    result = evaluate_frame(grasps([(0, 0, TOP_M)]), [standing(BOX)], TABLE, CONFIG)
    np.testing.assert_allclose(result.precision[:, 0], 1 / np.arange(1, 51))
    assert result.average_precision == pytest.approx(ONE_IN_50)
    assert result.average_precision == pytest.approx(0.08998, abs=1e-5)


def test_a_frame_without_grasps_has_no_precision():
    result = evaluate_frame(GraspGroup.empty(), [standing(BOX)], TABLE, CONFIG)
    np.testing.assert_array_equal(result.precision, np.zeros((50, 6)))
    assert len(result.grasps) == 0
    assert not result.covered.any()


def test_friction_needed_is_the_tangent_and_decides_at_which_limits_it_is_good():
    result = evaluate_frame(
        grasps([(0, 0, TOP_M)], rotations=turned("x", np.arctan(0.5)), widths=0.1),
        [standing(BOX)],
        TABLE,
        CONFIG,
    )
    np.testing.assert_allclose(result.friction, 0.5, rtol=1e-3)
    np.testing.assert_array_equal(result.precision[0], [0, 0, 1, 1, 1, 1])  # 0.2 to 1.2


def test_widths_are_clipped():
    """At 0.2 m the fingers would stand in the walls at 0.1 m; clipped to 0.1 m they do not."""
    wall = ObjectModel.from_mesh(trimesh.creation.box((0.06, 0.01, 0.06)))
    objects = [standing(BOX), standing(wall, y=0.105, name="left"), standing(wall, y=-0.105, name="right")]
    result = evaluate_frame(grasps([(0, 0, TOP_M)], widths=0.2), objects, TABLE, CONFIG)
    assert not result.colliding[0]
    assert result.grasps.widths[0] == 0.1
    unclipped = dataclasses.replace(CONFIG, max_width_m=0.3)
    assert evaluate_frame(grasps([(0, 0, TOP_M)], widths=0.2), objects, TABLE, unclipped).colliding[0]


@pytest.mark.parametrize(
    ("apart_m", "turn_degrees", "kept"),
    [(0.02, 0.0, 1), (0.02, 29.0, 1), (0.02, 31.0, 2), (0.04, 0.0, 2), (0.02, 180.0, 1)],
)
def test_near_and_alike_grasps_are_suppressed(apart_m, turn_degrees, kept):
    both = GraspGroup.concatenate(
        [
            grasps([(-apart_m / 2, 0, TOP_M)], scores=[0.5]),
            grasps([(apart_m / 2, 0, TOP_M)], rotations=turned("x", np.deg2rad(turn_degrees)), scores=[0.9]),
        ]
    )
    result = evaluate_frame(both, [standing(BAR)], TABLE, CONFIG)
    assert len(result.grasps) == kept
    assert result.grasps.scores[0] == 0.9


def test_a_grasp_belongs_to_the_object_nearest_to_its_centre():
    """Its fingers hold the near box, but its centre lies closer to the other one, which it cannot hold."""
    objects = [standing(BOX, name="near"), standing(BOX, x=0.08, name="far")]
    mine, stray = (0.0, 0.0, TOP_M), (0.041, 0.0, TOP_M)
    result = evaluate_frame(grasps([mine, stray]), objects, TABLE, CONFIG)
    np.testing.assert_array_equal(result.grasps.object_ids, [0, 1])
    assert result.object_names == ("near", "far")


def test_contacts_count_on_the_own_object_only():
    """Between two plates, assigned to the left one: the right one is not there for the fingers."""
    plate = ObjectModel.from_mesh(trimesh.creation.box((0.06, 0.01, 0.06)))
    objects = [standing(plate, y=-0.02), standing(plate, y=0.02)]
    result = evaluate_frame(grasps([(0, -0.018, TOP_M)], widths=0.1), objects, TABLE, CONFIG)
    assert result.grasps.object_ids[0] == 0
    np.testing.assert_allclose(result.friction, 0.0, atol=1e-5)


def test_ten_grasps_an_object_at_most_the_best():
    line = [(x, 0, TOP_M) for x in np.linspace(-0.25, 0.25, 12)]
    scores = np.linspace(0.2, 0.9, 12)
    result = evaluate_frame(grasps(line, scores=scores), [standing(BAR)], TABLE, CONFIG)
    np.testing.assert_allclose(result.grasps.scores, scores[::-1][:10])


def test_fifty_grasps_a_frame_at_most_the_best():
    bars = [standing(BAR, y=y) for y in np.linspace(-0.375, 0.375, 6)]
    line = [(x, bar.T_camera_object[1, 3], TOP_M) for bar in bars for x in np.linspace(-0.25, 0.25, 10)]
    scores = np.random.default_rng(0).permutation(60) / 60
    result = evaluate_frame(grasps(line, scores=scores), bars, TABLE, CONFIG)
    np.testing.assert_allclose(result.grasps.scores, np.sort(scores)[::-1][:50])
    np.testing.assert_array_equal(result.precision, 1.0)


def test_grasps_are_ranked_by_score_before_precision():
    good, bad = (0.1, 0, TOP_M), (-0.1, 0.03, TOP_M)  # the bad one has a finger in the bar
    result = evaluate_frame(grasps([good, bad], scores=[0.3, 0.8]), [standing(BAR)], TABLE, CONFIG)
    np.testing.assert_array_equal(result.colliding, [True, False])
    np.testing.assert_allclose(result.precision[:3, 0], [0.0, 0.5, 1 / 3])


def test_a_finger_in_another_object_fails():
    neighbour = standing(BOX, y=0.055, name="neighbour")
    result = evaluate_frame(grasps([(0, 0, TOP_M)]), [standing(BOX), neighbour], TABLE, CONFIG)
    assert result.colliding[0]
    assert np.isinf(result.friction[0])


def test_fingertips_in_the_table_fail():
    deep = grasps([(0, 0, 0.955)], depths=0.05)
    result = evaluate_frame(deep, [standing(BOX)], TABLE, CONFIG)
    assert result.colliding[0]
    no_table = evaluate_frame(deep, [standing(BOX)], np.zeros((0, 3)), CONFIG)
    assert not no_table.colliding[0]


def test_the_base_behind_the_fingers_collides():
    """Centre 25 mm below the top: the bar that joins the fingers, 20 to 30 mm behind it, is in the box."""
    result = evaluate_frame(grasps([(0, 0, TOP_M + 0.025)]), [standing(BOX)], TABLE, CONFIG)
    assert result.colliding[0]


def test_too_few_points_between_the_fingers_are_an_empty_grasp():
    beside = (0.0, 0.0, TOP_M - 0.03)  # 10 mm above the box at the fingertips
    result = evaluate_frame(grasps([beside]), [standing(BOX)], TABLE, CONFIG)
    np.testing.assert_array_equal([result.empty[0], result.colliding[0]], [True, False])
    assert np.isinf(result.friction[0])


def test_an_object_is_covered_by_one_good_free_grasp():
    objects = [
        standing(BOX, name="held"),
        standing(BOX, x=0.2, name="hit"),
        standing(BOX, x=-0.2, name="slippery"),
        standing(BOX, x=0.4, name="missed", graspable=False),
    ]
    steep = turned("x", np.arctan(0.9))
    group = GraspGroup.concatenate(
        [grasps([(0, 0, TOP_M), (0.2, 0.03, TOP_M)]), grasps([(-0.2, 0, TOP_M)], rotations=steep, widths=0.1)]
    )
    result = evaluate_frame(group, objects, TABLE, CONFIG)
    np.testing.assert_array_equal(result.covered, [True, False, False, False])
    np.testing.assert_array_equal(result.reached, [True, False, True, False])
    np.testing.assert_array_equal(result.graspable, [True, True, True, False])


def test_coverage_is_not_bound_by_the_fifty_best():
    objects = [standing(BAR), standing(BOX, y=0.2)]
    group = grasps([(0, 0, TOP_M), (0, 0.2, TOP_M)], scores=[0.9, 0.1])
    result = evaluate_frame(group, objects, TABLE, dataclasses.replace(CONFIG, top_per_frame=1))
    assert len(result.grasps) == 1
    assert result.covered.all()


def test_any_support_surface_can_be_collided_with():
    """A bin wall given as a mesh, beside the box where a finger goes down."""
    wall = trimesh.creation.box((0.3, 0.01, 0.04))
    wall.apply_translation((0, 0.036, 0.95))
    result = evaluate_frame(grasps([(0, 0, TOP_M)]), [standing(BOX)], surface_cloud(wall), CONFIG)
    assert result.colliding[0]


def test_nothing_changes_when_the_camera_is_elsewhere():
    T = make_transform(Rotation.from_euler("xyz", (0.3, -0.8, 1.1)).as_matrix(), (0.2, -0.1, 0.4))
    group = grasps([(0.05, 0.0, TOP_M), (-0.1, 0.004, TOP_M)], rotations=turned("x", 0.2), widths=0.08)
    here = evaluate_frame(group, [standing(BAR)], TABLE, CONFIG)
    moved = [SceneObject("bar", BAR, T @ standing(BAR).T_camera_object)]
    there = evaluate_frame(group.transformed(T), moved, TABLE @ T[:3, :3].T + T[:3, 3], CONFIG)
    np.testing.assert_allclose(there.friction, here.friction, atol=1e-4)
    np.testing.assert_array_equal(there.precision, here.precision)


def test_labels_and_evaluation_agree():
    """A label's friction is what the evaluator finds for the same grasp, given the same pads."""
    config = LabelConfig(max_points=6)
    mesh = trimesh.creation.capsule(height=0.06, radius=0.015)
    labels = label_object(mesh, np.zeros(3), config, seed=0)
    cells = np.random.default_rng(1).permutation(np.argwhere(labels.friction <= 1.0))[:300]
    group = labels.grasps(cells)
    T = make_transform(np.eye(3), (0, 0, 0.5))
    target = SceneObject("capsule", ObjectModel.from_mesh(mesh), T)
    everything = dataclasses.replace(
        CONFIG,
        nms_translation_m=0.0,
        nms_angle_rad=0.0,
        top_per_object=300,
        top_per_frame=300,
        pad=config.pad,
    )
    result = evaluate_frame(
        group.transformed(T).replace(scores=np.linspace(1, 0, 300)), [target], np.zeros((0, 3)), everything
    )
    free = ~result.colliding & ~result.empty
    assert free.mean() > 0.5
    # Cells that differ in depth alone are near duplicates, so some are suppressed: the scores tell which.
    cell = np.rint((1 - result.grasps.scores[free]) * 299).astype(int)
    wanted = labels.friction[tuple(cells[cell].T)]
    assert (np.abs(result.friction[free] - wanted) < 0.011).mean() > 0.97


def test_a_frame_without_objects_is_refused():
    with pytest.raises(ValueError, match="without objects has no precision"):
        evaluate_frame(grasps([(0, 0, TOP_M)]), [], TABLE, CONFIG)


def test_a_pose_that_is_not_rigid_is_refused():
    with pytest.raises(ValueError, match="T_camera_object of box is not a rotation"):
        SceneObject("box", BOX, np.diag((2.0, 1.0, 1.0, 1.0)))


def test_a_model_in_millimetres_is_refused():
    with pytest.raises(ValueError, match=r"mug measures 60 m, .* likely in millimetres"):
        ObjectModel.from_mesh(trimesh.creation.box((60.0, 40.0, 60.0)), "mug")


def test_model_points_are_the_benchmark_spacing_apart_and_always_the_same():
    mesh = trimesh.creation.box((0.08, 0.08, 0.08))
    points = surface_cloud(mesh)
    assert np.abs(points).max() <= 0.0401
    assert 6 * 100 * 0.8 < len(points) < 6 * 121 * 1.3
    np.testing.assert_array_equal(points, surface_cloud(mesh))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"top_per_object": 0}, "top_per_object must be >= 1, got 0"),
        ({"top_per_frame": 0}, "top_per_frame must be >= 1, got 0"),
        ({"max_width_m": 0.0}, "max_width_m must be positive, got 0.0"),
        ({"frictions": ()}, "frictions must be positive and rise"),
        ({"frictions": (0.4, 0.2)}, "frictions must be positive and rise"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **changes)
