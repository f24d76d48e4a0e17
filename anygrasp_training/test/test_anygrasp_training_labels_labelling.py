# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from anygrasp_perception.gripper import GripperGeometry
from anygrasp_training.labels import LABEL_GRIPPER, LabelConfig, cell_rotations, label_object
from anygrasp_training.labels.labelling import label_points
from anygrasp_training.labels.mesh_rays import MeshRays
from anygrasp_training.labels.object_labels import COLLIDING, FRICTION_STEP, NO_GRASP, OPENING_STEP_M

CONFIG = LabelConfig()
DOWN = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])  # approach -z, closing y, height x
DEPTH_20_MM = 2


def label_one(mesh, point, rotation, config=CONFIG):
    """Friction and opening codes (5,) of one grasp orientation at one point."""
    friction, openings = label_points(MeshRays(mesh), np.array([point]), rotation[None, None], config)
    return friction[0, 0, 0], openings[0, 0, 0]


def bracket():
    parts = [
        trimesh.creation.box(bounds=((0, 0, 0), (0.06, 0.03, 0.006))),
        trimesh.creation.box(bounds=((0, 0, 0), (0.006, 0.03, 0.05))),
    ]
    mesh = trimesh.boolean.union(parts, engine="manifold")
    mesh.apply_translation(-mesh.center_mass)
    return mesh


def test_a_face_to_face_grasp_of_a_box_has_no_friction_and_its_width():
    friction, openings = label_one(trimesh.creation.box((0.06, 0.04, 0.08)), (0, 0, 0.04), DOWN)
    np.testing.assert_array_equal(friction, 0)
    # 40 mm and 5 mm of clearance on either side
    np.testing.assert_allclose(openings * OPENING_STEP_M, 0.05, atol=1e-9)


def test_the_opening_counts_from_the_middle_when_the_grasp_is_off_centre():
    """Both fingers move alike: 8 mm off, the farther one needs 28 mm and the clearance."""
    _, openings = label_one(trimesh.creation.box((0.06, 0.04, 0.08)), (0, 0.008, 0.04), DOWN)
    np.testing.assert_allclose(openings * OPENING_STEP_M, 2 * (0.028 + 0.005), atol=1e-9)


def test_openings_are_rounded_up():
    _, openings = label_one(trimesh.creation.box((0.06, 0.0402, 0.08)), (0, 0, 0.04), DOWN)
    np.testing.assert_allclose(openings * OPENING_STEP_M, 0.0505, atol=1e-9)


@pytest.mark.parametrize("degrees", [10.0, 25.0, 45.0])
def test_a_tilted_closing_line_is_labelled_with_its_tangent(degrees):
    a = np.deg2rad(degrees)
    R = DOWN @ Rotation.from_rotvec((a, 0, 0)).as_matrix()
    friction, _ = label_one(trimesh.creation.box((0.08, 0.03, 0.08)), (0, 0, 0.04), R)
    np.testing.assert_allclose(friction * FRICTION_STEP, np.tan(a), atol=FRICTION_STEP / 2)


def test_more_friction_than_the_limit_is_no_grasp():
    R = DOWN @ Rotation.from_rotvec((np.deg2rad(30.0), 0, 0)).as_matrix()
    box = trimesh.creation.box((0.08, 0.03, 0.08))
    friction, openings = label_one(box, (0, 0, 0.04), R, dataclasses.replace(CONFIG, max_friction=0.5))
    np.testing.assert_array_equal(friction, NO_GRASP)
    np.testing.assert_array_equal(openings, 0)


def test_a_box_as_wide_as_the_gripper_opens_is_held_and_a_wider_one_is_not():
    held, openings = label_one(trimesh.creation.box((0.06, 0.098, 0.08)), (0, 0, 0.04), DOWN)
    np.testing.assert_array_equal(held, 0)
    np.testing.assert_allclose(openings * OPENING_STEP_M, 0.1, atol=1e-9)
    wider, _ = label_one(trimesh.creation.box((0.06, 0.102, 0.08)), (0, 0, 0.04), DOWN)
    np.testing.assert_array_equal(wider, NO_GRASP)


def test_a_narrower_gripper_is_a_config():
    gripper = GripperGeometry(max_width_m=0.05, base_width_m=0.07)
    box = trimesh.creation.box((0.06, 0.06, 0.08))
    narrow = dataclasses.replace(CONFIG, gripper=gripper)
    assert (label_one(box, (0, 0, 0.04), DOWN)[0] == 0).all()
    assert (label_one(box, (0, 0, 0.04), DOWN, narrow)[0] == NO_GRASP).all()


def test_depths_past_a_thin_plate_hold_nothing():
    """3 mm lie on the pad (9 mm from the tip back) at 5 and 10 mm, and no more from 20 mm on."""
    plate = trimesh.creation.box((0.06, 0.04, 0.003))
    friction, _ = label_one(plate, (0, 0, 0.0015), DOWN)
    np.testing.assert_array_equal(friction, [0, 0, NO_GRASP, NO_GRASP, NO_GRASP])


def test_a_flange_in_the_fingers_way_collides():
    """A T upside up: the fingers would hold the stem, but the wide top is where they come from."""
    tee = trimesh.boolean.union(
        [
            trimesh.creation.box(bounds=((-0.03, -0.01, -0.04), (0.03, 0.01, 0.0))),
            trimesh.creation.box(bounds=((-0.03, -0.03, 0.0), (0.03, 0.03, 0.004))),
        ],
        engine="manifold",
    )
    friction, openings = label_one(tee, (0, 0, 0.004), DOWN)
    assert friction[-1] == COLLIDING
    assert openings[-1] == 0


def test_a_finger_finds_its_way_into_a_ring():
    """A lying ring: a grasp across its wall needs a start that is narrower than the hole is wide."""
    ring = trimesh.creation.annulus(r_min=0.02, r_max=0.03, height=0.02)
    point = (0, 0.025, 0.01)
    friction, openings = label_one(ring, point, DOWN)
    assert friction[DEPTH_20_MM] * FRICTION_STEP < 0.2
    # The rims of the inner pad, 10.5 mm off its middle, meet the hollow first, 8 mm from the grasp's middle.
    assert openings[DEPTH_20_MM] * OPENING_STEP_M == pytest.approx(
        2 * (0.025 - np.sqrt(0.02**2 - 0.0105**2) + 0.005), abs=6e-4
    )
    wide_only, _ = label_one(ring, point, DOWN, dataclasses.replace(CONFIG, start_openings_m=()))
    assert wide_only[DEPTH_20_MM] >= COLLIDING


def test_start_openings_change_nothing_on_a_convex_object():
    capsule = trimesh.creation.capsule(height=0.03, radius=0.012)
    small = dataclasses.replace(CONFIG, max_points=4)
    with_starts = label_object(capsule, np.zeros(3), small, seed=3)
    without = label_object(capsule, np.zeros(3), dataclasses.replace(small, start_openings_m=()), seed=3)
    np.testing.assert_array_equal(with_starts.friction_codes, without.friction_codes)
    np.testing.assert_array_equal(with_starts.opening_codes, without.opening_codes)


def test_labels_turn_with_the_object_when_the_views_do():
    mesh = bracket()
    points = np.asarray(trimesh.sample.sample_surface(mesh, 3, seed=4)[0])
    views = cell_rotations()[::6]
    R = Rotation.from_rotvec((0.4, -0.9, 0.3)).as_matrix()
    turned = mesh.copy()
    turned.apply_transform(np.block([[R, np.zeros((3, 1))], [np.zeros(3), 1]]))

    friction, openings = label_points(MeshRays(mesh), points, views, CONFIG)
    also, openings_too = label_points(MeshRays(turned), points @ R.T, R @ views, CONFIG)
    # Single precision decides a few cells at an edge or a limit the other way.
    assert (friction == also).mean() > 0.998
    assert (openings == openings_too).mean() > 0.998
    assert (friction < COLLIDING).sum() > 500


def test_the_same_seed_gives_the_same_labels_and_another_one_does_not():
    mesh = bracket()
    config = dataclasses.replace(CONFIG, max_points=2)
    first, again, other = (label_object(mesh, np.zeros(3), config, seed=s) for s in (5, 5, 6))
    np.testing.assert_array_equal(first.points_m, again.points_m)
    np.testing.assert_array_equal(first.friction_codes, again.friction_codes)
    np.testing.assert_array_equal(first.opening_codes, again.opening_codes)
    assert not np.array_equal(first.points_m, other.points_m)


def test_positive_cells_clear_the_object_and_have_an_opening():
    mesh = bracket()
    labels = label_object(mesh, np.zeros(3), dataclasses.replace(CONFIG, max_points=3), seed=7)
    np.testing.assert_array_equal(labels.openings_m > 0, labels.positive)
    assert labels.openings_m.max() <= LABEL_GRIPPER.max_width_m + 1e-6

    rng = np.random.default_rng(8)
    cells = np.argwhere(labels.positive)
    grasps = labels.grasps(rng.permutation(cells)[:150])
    surface = np.asarray(trimesh.sample.sample_surface(mesh, 40_000, seed=9)[0])
    local = np.einsum("mpj,mjk->mpk", surface - grasps.translations[:, None], grasps.rotation_matrices)
    boxes = LABEL_GRIPPER.boxes(grasps.widths, grasps.depths)[:, :, :, None]  # (M, 3, 2, 1, 3)
    inside = (local[:, None] > boxes[:, :, 0] + 0.003) & (local[:, None] < boxes[:, :, 1] - 0.003)
    assert not inside.all(axis=-1).any()


def test_fingers_start_no_wider_than_they_open():
    narrow = GripperGeometry(max_width_m=0.05, base_width_m=0.1)
    assert dataclasses.replace(CONFIG, gripper=narrow, start_openings_m=(0.04, 0.07)).starts_m == (0.04, 0.05)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_points": 0}, "max_points >= 1"),
        ({"min_spacing_m": -1.0}, "min_spacing_m >= 0"),
        ({"max_friction": 0.0}, "max_friction must be in"),
        ({"max_friction": 3.0}, r"max_friction must be in \(0, 2.53\], got 3.0"),
        ({"clearance_m": -0.001}, "clearance_m must be >= 0, got -0.001"),
        ({"gripper": GripperGeometry(max_width_m=0.2, base_width_m=0.3)}, "0.2 is above what is stored"),
        ({"start_openings_m": (0.06, 0.03)}, r"must rise from 0, got \(0.06, 0.03\)"),
        ({"start_openings_m": (0.0,)}, "must rise from 0"),
    ],
)
def test_a_config_out_of_range_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **changes)


def test_a_center_of_mass_that_is_no_point_is_refused():
    with pytest.raises(ValueError, match="center_of_mass must be 3 finite numbers"):
        label_object(bracket(), (0.0, np.nan, 0.0), dataclasses.replace(CONFIG, max_points=1), seed=0)
