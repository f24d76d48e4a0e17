# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from anygrasp_training.labels.antipodal import antipodal_friction, friction_score
from anygrasp_training.labels.contacts import PadLines, PadSweep, close_fingers, touch_pads
from anygrasp_training.labels.finger_pad import FingerPad
from anygrasp_training.labels.mesh_rays import MeshRays
from anygrasp_training.labels.point_cells import PointCells, Turns, pad_lines

# Long, so that what the pads do behind the fingertips shows.
PAD = FingerPad(columns_m=(0.0045, 0.0095, 0.0145, 0.0195, 0.0245, 0.0295))
PAD_MIDDLE_M = 0.017  # from the fingertip
OUTER_ROW_M = 0.0105  # the pad's rows: -10.5, 0 and 10.5 mm
DOWN = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])  # approach -z, closing y, height x


def close(mesh, fingertips, rotation, opening_m=0.1, pad=PAD):
    tips = np.atleast_2d(fingertips).astype(np.float32)
    R = np.broadcast_to(np.asarray(rotation, dtype=np.float32), (len(tips), 3, 3))
    half = np.full(len(tips), opening_m / 2, dtype=np.float32)
    contacts = close_fingers(MeshRays(mesh), tips, R, half, pad)
    return contacts, antipodal_friction(contacts, R[:, :, 1])


def turned(axis, angle_rad):
    """DOWN turned about one of its own axes."""
    return DOWN @ Rotation.from_rotvec(angle_rad * np.eye(3)["xyz".index(axis)]).as_matrix()


def test_faces_of_a_box_need_no_friction():
    contacts, friction = close(trimesh.creation.box((0.06, 0.04, 0.08)), (0, 0, 0.02), DOWN)

    assert contacts.touch.all()
    np.testing.assert_allclose(contacts.reach_m, [[0.02, 0.02]], atol=1e-6)
    np.testing.assert_allclose(contacts.normals, [[[0, -1, 0], [0, 1, 0]]], atol=1e-6)
    np.testing.assert_allclose(friction, 0.0, atol=1e-6)


@pytest.mark.parametrize("degrees", [5.0, 15.0, 30.0, 40.0])
def test_a_closing_line_tilted_in_plane_needs_the_tangent(degrees):
    a = np.deg2rad(degrees)
    contacts, friction = close(trimesh.creation.box((0.08, 0.03, 0.08)), (0, 0, 0.02), turned("x", a))

    np.testing.assert_allclose(friction, np.tan(a), rtol=1e-4)
    # The outer row meets the face first, by its distance from the middle times the tilt.
    reach = 0.015 / np.cos(a) + OUTER_ROW_M * np.tan(a)
    np.testing.assert_allclose(contacts.reach_m, [[reach, reach]], rtol=1e-4)


def test_a_closing_line_pitched_over_needs_the_tangent():
    a = np.deg2rad(20.0)
    _, friction = close(trimesh.creation.box((0.08, 0.03, 0.08)), (0, 0, 0.0), turned("z", a))
    np.testing.assert_allclose(friction, np.tan(a), rtol=1e-4)


def test_a_wedge_needs_the_tangent_of_its_steeper_side():
    """Sides at 0 and 20 degrees to the closing direction's normal plane: the worse contact decides."""
    a = np.deg2rad(20.0)
    half, top = 0.02, 0.02 - 0.04 * np.tan(a)
    section = [(-half, -0.02), (half, -0.02), (top, 0.02), (-half, 0.02)]  # y, z
    corners = [(x, y, z) for x in (-0.04, 0.04) for y, z in section]
    wedge = trimesh.convex.convex_hull(np.array(corners))
    _, friction = close(wedge, (0, 0, 0.0), DOWN)
    np.testing.assert_allclose(friction, np.tan(a), rtol=1e-4)


def test_central_grasps_of_a_sphere_need_almost_no_friction():
    sphere = trimesh.creation.icosphere(subdivisions=5, radius=0.03)
    rotations = Rotation.random(40, rng=np.random.default_rng(0)).as_matrix().astype(np.float32)
    # The pad reaches back from the fingertip: its middle is at the sphere's.
    tips = (PAD_MIDDLE_M * rotations[:, :, 0]).astype(np.float32)
    contacts = close_fingers(MeshRays(sphere), tips, rotations, np.full(40, 0.05, np.float32), PAD)

    assert contacts.touch.all()
    assert antipodal_friction(contacts, rotations[:, :, 1]).max() < 0.02
    # The inner columns are 2.5 mm from the equator.
    np.testing.assert_allclose(contacts.reach_m, np.hypot(0.03, 0.0) - 0.0001, atol=5e-5)


def test_an_off_centre_grasp_of_a_cylinder_needs_the_slope_under_the_pad():
    """One row only, so that no averaging moves the contact: sin(angle) = offset / radius."""
    cylinder = trimesh.creation.cylinder(radius=0.02, height=0.1, sections=720)
    offset = 0.008
    _, friction = close(cylinder, (offset, 0, 0), turned("x", 0.0), pad=FingerPad(rows_m=(0.0,)))
    np.testing.assert_allclose(friction, np.tan(np.arcsin(offset / 0.02)), rtol=0.02)


def test_averaging_over_the_pad_forgives_the_facets_of_a_coarse_cylinder():
    coarse = trimesh.creation.cylinder(radius=0.012, height=0.1, sections=24)
    angles = np.linspace(0.0, np.pi, 50)
    spin = Rotation.from_rotvec(np.outer(angles, (0, 0, 1))).as_matrix()
    # Approach along the axis: the pad's height crosses the facets.
    rotations = (spin @ DOWN).astype(np.float32)
    tips = np.zeros((50, 3), dtype=np.float32)
    half = np.full(50, 0.05, np.float32)

    def friction(pad):
        return antipodal_friction(
            close_fingers(MeshRays(coarse), tips, rotations, half, pad), rotations[:, :, 1]
        )

    one_line = friction(FingerPad(rows_m=(0.0,), columns_m=(0.0045,)))
    averaged = friction(PAD)
    assert one_line.max() == pytest.approx(np.tan(np.pi / 24), rel=0.05)
    assert averaged.max() < 0.5 * one_line.max()


def test_one_sharp_triangle_does_not_decide():
    """A 2 mm pit in the face, met by the middle ray alone: one line calls a good grasp impossible."""
    pit = trimesh.creation.cone(radius=0.001, height=0.004, sections=3)
    pit.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, (1, 0, 0)))
    middle = (0.0003, 0.021, 0.0)
    pit.apply_translation(np.array(middle))
    block = trimesh.boolean.difference([trimesh.creation.box((0.06, 0.04, 0.06)), pit], engine="manifold")
    tip = (0.0, 0.0, -0.0045)  # the pit under the first column

    assert close(block, tip, DOWN, pad=FingerPad(rows_m=(0.0,), columns_m=(0.0045,)))[1][0] > 1.0
    assert close(block, tip, DOWN)[1][0] < 0.3


def test_what_lies_behind_the_first_touch_does_not_bear():
    """A step of 8 mm under half the pad: the pad lies on the upper step only."""
    step = trimesh.boolean.union(
        [
            trimesh.creation.box(bounds=((-0.03, -0.02, -0.04), (0.03, 0.012, 0.04))),
            trimesh.creation.box(bounds=((0.002, -0.02, -0.04), (0.03, 0.02, 0.04))),
        ],
        engine="manifold",
    )
    contacts, friction = close(step, (0, 0, 0), DOWN)
    np.testing.assert_allclose(contacts.reach_m, [[0.02, 0.02]], atol=1e-6)
    np.testing.assert_allclose(friction, 0.0, atol=1e-5)


def test_an_object_wider_than_the_opening_leaves_no_place_for_the_fingers():
    contacts, friction = close(trimesh.creation.box((0.06, 0.11, 0.06)), (0, 0, 0), DOWN)
    assert not contacts.touch.any()
    assert np.isinf(friction).all()
    assert np.isnan(contacts.reach_m).all()


def test_fingertips_past_the_object_touch_nothing():
    tips = [(0, 0, -0.02 - 0.012), (0.1, 0, 0)]  # below it by more than the pad, and beside it
    contacts, friction = close(trimesh.creation.box((0.04, 0.04, 0.04)), tips, DOWN)
    assert not contacts.touch.any()
    assert np.isinf(friction).all()


def test_a_ball_the_tips_have_passed_is_met_at_its_widest():
    """Tips 15 mm past the middle: a pad of 9 mm would lie on a slope of 30 deg where no finger can get to."""
    ball = trimesh.creation.icosphere(subdivisions=5, radius=0.025)
    tip = (0.0, 0.0, -0.015)
    contacts, friction = close(ball, tip, DOWN)
    np.testing.assert_allclose(contacts.reach_m, 0.025, atol=2e-4)
    assert friction[0] < 0.1
    assert close(ball, tip, DOWN, pad=FingerPad(columns_m=(0.0015, 0.0045, 0.0075)))[1][0] > 0.4


def test_a_peg_that_widens_behind_the_tips_is_held_there():
    """A stepped peg, 20 mm across at the tips and 30 mm from 12 mm behind them: the tips stay 5 mm off it."""
    peg = trimesh.boolean.union(
        [
            trimesh.creation.box(bounds=((-0.02, -0.010, -0.04), (0.02, 0.010, 0.0))),
            trimesh.creation.box(bounds=((-0.02, -0.015, -0.018), (0.02, 0.015, 0.0))),
        ],
        engine="manifold",
    )
    contacts, friction = close(peg, (0, 0, -0.03), DOWN)
    np.testing.assert_allclose(contacts.reach_m, [[0.015, 0.015]], atol=1e-6)
    np.testing.assert_allclose(friction, 0.0, atol=1e-5)


def test_a_thin_plate_is_met_at_either_small_depth():
    """1 mm, approached across its face: under the grasp point, 5 and 10 mm from the tips, and not at 20."""
    plate = trimesh.creation.box((0.04, 0.04, 0.001))
    tips = np.array([(0.0, 0.0, 0.0005 - depth) for depth in (0.005, 0.01, 0.02)])
    contacts, friction = close(plate, tips, DOWN)
    np.testing.assert_array_equal(contacts.touch, [True, True, False])
    np.testing.assert_allclose(friction[:2], 0.0, atol=1e-5)


def test_what_the_tips_have_passed_by_is_not_held():
    """A plate between the far ends of the pads only; with tips as long as the pads it would be."""
    plate, tip = trimesh.creation.box((0.04, 0.04, 0.003)), (0.0, 0.0, -0.0195)
    assert not close(plate, tip, DOWN)[0].touch.any()
    assert close(plate, tip, DOWN, pad=FingerPad(columns_m=PAD.columns_m, tip_m=0.025))[0].touch.all()


def test_a_cube_across_its_edges_is_held_by_flat_pads_and_needs_the_slope_of_its_faces_without():
    """Turned by 45 deg about the approach, the faces lean by 45 deg from the edges on, 1 mm off the middle
    row so that it meets one face; the outer rows are farther behind than what gives."""
    spin = Rotation.from_rotvec((0, 0, np.pi / 4)).as_matrix()
    cube = trimesh.creation.box((0.04, 0.04, 0.04))
    cube.apply_transform(np.block([[spin, np.array([[0.001], [0.0], [0.0]])], [np.zeros(3), 1]]))
    contacts, friction = close(cube, (0, 0, -0.01), DOWN, pad=dataclasses.replace(PAD, flat=False))
    np.testing.assert_allclose(contacts.reach_m, [[0.02 * np.sqrt(2) - 0.001] * 2], atol=1e-6)
    np.testing.assert_allclose(friction, 1.0, rtol=1e-4)
    contacts, friction = close(cube, (0, 0, -0.01), DOWN)
    np.testing.assert_allclose(contacts.reach_m, [[0.02 * np.sqrt(2) - 0.001] * 2], atol=1e-6)
    np.testing.assert_allclose(friction, 0.0, atol=1e-4)


def test_a_slope_that_meets_the_rim_of_a_flat_pad_needs_its_friction():
    """A ball 14 mm off the closing plane: the rows end 10.5 mm from it, where the ball still rises."""
    ball = trimesh.creation.icosphere(subdivisions=5, radius=0.03)
    pad = FingerPad(columns_m=(0.0015, 0.0045, 0.0075))
    tip = (0.0, 0.014, 0.0045)  # the middle column is in the ball's middle plane
    rotation = np.array(
        [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    )  # approach z, closing x, height y
    _, friction = close(ball, tip, rotation, pad=pad)
    nearest_row = 0.014 - OUTER_ROW_M
    assert np.tan(np.arcsin(nearest_row / 0.03)) * 0.9 < friction[0] < np.tan(np.arcsin(0.014 / 0.03)) * 1.1
    _, friction = close(ball, (0.0, 0.002, 0.0045), rotation, pad=pad)  # now the middle row is the highest
    assert friction[0] < 0.01


def test_a_roof_is_met_at_the_very_tips():
    """Sides that lean by 40 deg from a ridge 5 mm above the tips: where the pad ends it is widest."""
    slope = np.tan(np.deg2rad(40.0))
    section = ((-0.04 * slope, -0.04), (0.04 * slope, -0.04), (0.0, 0.0))  # y, z
    roof = trimesh.convex.convex_hull(np.array([(x, y, z) for x in (-0.03, 0.03) for y, z in section]))
    contacts, friction = close(roof, (0, 0, -0.005), DOWN, pad=FingerPad())
    np.testing.assert_allclose(friction, slope, rtol=1e-3)
    np.testing.assert_allclose(contacts.reach_m, [[0.0045 * slope] * 2], rtol=1e-3)


def test_a_fin_under_the_sides_of_the_pads_is_met_first():
    """Fins 9 to 12 mm off the closing plane, 5 mm higher than what is between them; pads are 22 mm wide."""
    bodies = [trimesh.creation.box(bounds=((-0.03, -0.01, -0.04), (0.03, 0.01, 0.04)))]
    for side in (-1, 1):
        low, high = sorted((side * 0.009, side * 0.012))
        bodies.append(trimesh.creation.box(bounds=((low, -0.015, -0.04), (high, 0.015, 0.04))))
    contacts, friction = close(trimesh.boolean.union(bodies, engine="manifold"), (0, 0, 0), DOWN)
    np.testing.assert_allclose(contacts.reach_m, [[0.015, 0.015]], atol=1e-6)
    np.testing.assert_allclose(friction, 0.0, atol=1e-5)


def test_a_shallow_ridge_lies_on_the_pad_with_both_its_sides():
    """Sides of 15 deg drop by 2.8 mm at the outer rows, which bear: the middle row alone is lopsided."""
    a = np.deg2rad(15.0)
    section = [(-0.03, -0.01), (0.03, -0.01), (0.03, 0.02 - 0.03 * np.tan(a)), (0.0, 0.02)]
    section.append((-0.03, section[2][1]))
    ridge = trimesh.convex.convex_hull(np.array([(x, y, z) for x, y in section for z in (-0.05, 0.05)]))
    _, friction = close(ridge, (0.001, 0, 0.0), DOWN)
    np.testing.assert_allclose(friction, 0.0, atol=1e-4)  # it lies on its edge
    _, friction = close(ridge, (0.001, 0, 0.0), DOWN, pad=dataclasses.replace(PAD, flat=False))
    np.testing.assert_allclose(friction, np.sin(a) / 3 / np.cos(a), rtol=1e-3)


def test_pads_that_share_lines_touch_as_those_on_their_own():
    mesh = trimesh.creation.capsule(height=0.03, radius=0.014)
    rays, point = MeshRays(mesh), np.array((0.014, 0.0, 0.012), dtype=np.float32)
    rotations = Rotation.random(40, rng=np.random.default_rng(2)).as_matrix().astype(np.float32)[:, None]
    turns, cells = Turns.of(rays, rotations), np.arange(200)
    extents = turns.extents_from(point)
    lines = pad_lines(point, turns, extents, cells, 0.05, PAD)
    assert lines.middles.shape[1] < 0.7 * lines.of_pad.size
    assert not lines.may_meet.all()
    shared = touch_pads(rays, lines, PAD)
    at = PointCells.at(point, turns, extents, cells)
    half = np.full(200, 0.05, np.float32)
    alone = close_fingers(rays, at.fingertips, at.rotations, half, PAD)
    assert shared.touch.sum() > 20
    np.testing.assert_array_equal(shared.touch, alone.touch)
    np.testing.assert_allclose(shared.reach_m, alone.reach_m, atol=1e-6)
    np.testing.assert_allclose(shared.normals, alone.normals, atol=1e-4)

    some = np.array([3, 40, 77, 150])
    nearer = touch_pads(rays, lines.for_pads(some, (0.02, 0.05)), PAD)
    np.testing.assert_array_equal(nearer.touch[4:], alone.touch[some])
    np.testing.assert_allclose(nearer.reach_m[4:], alone.reach_m[some], atol=1e-6)
    np.testing.assert_allclose(nearer.normals[4:], alone.normals[some], atol=1e-4)
    alone = close_fingers(rays, at.fingertips[some], at.rotations[some], half[:4] * 0.4, PAD)
    np.testing.assert_array_equal(nearer.touch[:4], alone.touch)
    np.testing.assert_allclose(nearer.reach_m[:4], alone.reach_m, atol=1e-6)


def test_extents_in_turned_frames_are_those_of_all_vertices():
    mesh = trimesh.creation.annulus(r_min=0.015, r_max=0.025, height=0.02)
    R = Rotation.random(30, rng=np.random.default_rng(4)).as_matrix().astype(np.float32)[:, None]
    point = np.array((0.02, 0.0, 0.01), dtype=np.float32)
    extents = Turns.of(MeshRays(mesh), R).extents_from(point)
    local = np.einsum("vi,tij->tvj", mesh.vertices - point, R[:, 0])
    np.testing.assert_allclose(extents, np.stack([local.min(1), local.max(1)], axis=1), atol=2e-5)
    assert (extents[:, 0] < local.min(axis=1)).all()
    assert (extents[:, 1] > local.max(axis=1)).all()


def test_a_gap_is_told_from_a_single_body_and_from_nothing():
    """A ring has a gap between its walls, and is beyond what lies between two pads over one wall only."""
    ring = trimesh.creation.annulus(r_min=0.015, r_max=0.025, height=0.02)
    tips = np.array([(0, 0, -0.005), (0, 0, -0.05), (0.02, 0, -0.005), (0, -0.02, -0.005)], dtype=np.float32)
    R = np.broadcast_to(DOWN.astype(np.float32), (4, 3, 3))
    half = np.array((0.05, 0.05, 0.05, 0.012), dtype=np.float32)
    gapped = PadSweep(MeshRays(ring), PadLines.unshared(tips, R, half, PAD), PAD).gapped()
    np.testing.assert_array_equal(gapped, [True, False, False, True])

    block = trimesh.creation.box((0.04, 0.04, 0.04))  # one pad in it, the other outside
    gapped = PadSweep(MeshRays(block), PadLines.unshared(tips[:1], R[:1], half[:1] * 0.3, PAD), PAD).gapped()
    assert not gapped.any()


def test_no_grasps_give_no_contacts():
    contacts, friction = close(trimesh.creation.box((0.04, 0.04, 0.04)), np.zeros((0, 3)), DOWN)
    assert contacts.reach_m.shape == (0, 2)
    assert friction.shape == (0,)


def test_friction_scores_at_the_ends_and_between():
    scores = friction_score([0.0, 0.1, np.sqrt(0.1), 1.0, 1.2, np.inf])
    np.testing.assert_allclose(scores, [1.0, 1.0, 0.5, 0.0, 0.0, 0.0], atol=1e-12)


@pytest.mark.parametrize("name", ["tip_m", "give_m"])
def test_a_pad_rejects_lengths_that_are_none(name):
    with pytest.raises(ValueError, match=f"FingerPad.{name} must be a positive length, got 0"):
        FingerPad(**{name: 0.0})


@pytest.mark.parametrize("rows_m", [(-0.005, 0.005), (), (0.01, 0.0, -0.01), (-0.01, 0.001, 0.01), (np.nan,)])
def test_a_pad_rejects_rows_that_do_not_rise_about_the_closing_plane(rows_m):
    with pytest.raises(ValueError, match="rows_m must rise, as many below 0 as above it"):
        FingerPad(rows_m=rows_m)


@pytest.mark.parametrize(
    ("columns_m", "message"),
    [((0.004, 0.002), "must be positive lengths that rise"), ((0.0,), "must be"), ((), "needs a column"),
     ((0.02,), "needs a column within tip_m 0.01 of the fingertip")],
)  # fmt: skip
def test_a_pad_rejects_columns_that_are_none(columns_m, message):
    with pytest.raises(ValueError, match=message):
        FingerPad(columns_m=columns_m)


def test_a_pad_that_stands_on_a_corner_does_not_keep_its_direction():
    """A cube on its corner, leaning a little: touched inside the pads, by fewer than three of their rays."""
    corner = Rotation.align_vectors([[0, 1, 0]], [[1, 1, 1]])[0].as_matrix()
    lean = Rotation.from_rotvec((0.1, 0.0, 0.25)).as_matrix()
    cube = trimesh.creation.box((0.04, 0.04, 0.04))
    cube.apply_transform(np.block([[lean @ corner, np.zeros((3, 1))], [np.zeros(3), 1]]))
    tip = (0.0, 0.0, -0.012)
    _, standing = close(cube, tip, DOWN)
    _, lying = close(cube, tip, DOWN, pad=dataclasses.replace(PAD, flat_on_rays=1))
    _, by_surface = close(cube, tip, DOWN, pad=dataclasses.replace(PAD, flat=False))
    assert lying[0] < 0.3 < standing[0]
    np.testing.assert_allclose(standing, by_surface)


def test_a_pad_rejects_to_lie_on_nothing():
    with pytest.raises(ValueError, match="flat_on_rays must be 1 or more, got 0"):
        FingerPad(flat_on_rays=0)
