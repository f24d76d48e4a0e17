# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest

from anygrasp_perception.closing_profile import ProfileGrid, rasterise
from anygrasp_perception.grasp import rotation_from_approach
from anygrasp_perception.profile_runs import edge_friction, find_runs, outlines, run_tops

CELL_M = 0.01
UNSEEN = np.inf
FINGER = ((0, 2, -0.005),)  # two bins, 5 mm below the tips


def profile(*tops_mm):
    """One profile (1, 1, B) from the depth of each bin below the seed, millimetres."""
    return np.array(tops_mm, np.float32)[None, None] / 1000


def tips(*depths_mm):
    return np.array(depths_mm, np.float32)[None, None] / 1000


def test_run_ends_where_the_surface_falls_below_the_tips():
    #                      left            middle               right
    block = profile(50, 50, 50, 0, 0, 0, 0, 50, 50, 50, 50)
    runs = find_runs(block, tips(20), FINGER)
    assert (runs.left.item(), runs.right.item()) == (3, 2)
    assert runs.bounded.item()
    assert runs.fingers_free.item()
    left, right = runs.edges_m(CELL_M)
    assert (left.item(), right.item()) == pytest.approx((-0.025, 0.015))


def test_deeper_tips_meet_a_wider_object():
    pyramid = profile(60, 60, 60, 40, 20, 0, 20, 40, 60, 60, 60)
    runs = find_runs(pyramid, tips(10, 30, 50), FINGER)
    assert runs.right.ravel().tolist() == [1, 2, 3]
    assert runs.fingers_free.ravel().tolist() == [True, True, True]


def test_one_hole_does_not_end_the_run():
    holed = profile(50, 50, 50, 0, 0, 0, UNSEEN, 0, 50, 50, 50)
    assert find_runs(holed, tips(20), FINGER).right.item() == 3


def test_object_without_an_end_is_unbounded():
    assert not find_runs(profile(*[0] * 11), tips(20), FINGER).bounded.item()


def test_end_without_room_for_the_finger_in_view_is_unbounded():
    assert not find_runs(
        profile(50, 50, 50, 50, 0, 0, 0, 0, 0, 50, 50), tips(20), ((0, 3, 0.0),)
    ).bounded.item()


@pytest.mark.parametrize(("neighbour_mm", "free"), [(0, False), (24, False), (26, True), (UNSEEN, True)])
def test_finger_needs_space_beside_the_object(neighbour_mm, free):
    beside = profile(50, 50, 50, 50, 0, 0, 0, UNSEEN, neighbour_mm, 50, 50)
    # An object 10 mm beyond would otherwise be bridged as a hole.
    runs = find_runs(beside, tips(20), FINGER)
    assert runs.fingers_free.item() == free or runs.right.item() > 2


def test_tapered_finger_clears_low_neighbours_only():
    low, high = (profile(50, 50, 50, 50, 50, 0, 0, 50, 50, mm, 50) for mm in (15, 5))
    stairs = ((0, 2, 0.0), (0, 3, 0.01))
    assert find_runs(low, tips(20), stairs).fingers_free.item()
    assert not find_runs(high, tips(20), stairs).fingers_free.item()


def test_run_top_is_the_highest_surface_between_the_edges():
    bowl = profile(60, 60, 60, -20, 10, 0, 10, -25, 60, 60, -99)
    runs = find_runs(bowl, tips(20), FINGER)
    assert run_tops(bowl, runs).item() == pytest.approx(-0.025)


def test_edge_friction_of_a_45_degree_slope_is_one_and_of_a_drop_small():
    roof = profile(50, 40, 30, 20, 10, 0, 0, 0, 90, 90, 90)
    runs = find_runs(roof, tips(25), FINGER)
    left, right = edge_friction(roof, runs, tips(25), CELL_M).ravel()
    assert left == pytest.approx(1.0)
    assert right == pytest.approx(10 / 45)  # a drop counts to 20 mm below the tips


def rows_of(*left_right, bins=5):
    """Profile rows (1, Z, B) that stand from bin left to bin right of the middle, 50 mm deep elsewhere."""
    rows = np.full((1, len(left_right), 2 * bins + 1), 0.05, np.float32)
    for row, (left, right) in zip(rows[0], left_right, strict=True):
        row[bins - left : bins + right + 1] = 0.0
    return rows


def test_outline_of_a_turned_bar():
    grid = ProfileGrid(CELL_M, 5, 1)
    # The bar shifts by one bin from row to row: its sides lie at 45 degrees.
    found = outlines(rows_of((3, 1), (2, 2), (1, 3)), np.array([0.02]), np.array([4]), np.array([4]), grid)
    np.testing.assert_allclose(found.slopes, [(1.0, 1.0)])


def test_outline_of_a_straight_bar_touches_in_every_row():
    grid = ProfileGrid(CELL_M, 5, 1)
    found = outlines(rows_of((2, 2), (2, 2), (2, 2)), np.array([0.02]), np.array([3]), np.array([3]), grid)
    np.testing.assert_allclose(found.slopes, 0.0)
    assert found.contact_share.item() == 1.0


def test_tip_of_an_object_touches_in_one_row():
    grid = ProfileGrid(CELL_M, 5, 1)
    rows = rows_of((3, 3), (0, 0), (0, 0))
    found = outlines(rows, np.array([0.02]), np.array([4]), np.array([4]), grid)
    assert found.contact_share.item() == pytest.approx(1 / 3)


def test_height_map_gives_the_profile_at_every_in_plane_angle():
    # A bar 20 mm wide along u, 80 mm long along v, on nothing; 2 mm spacing.
    u, v = np.meshgrid(np.arange(-0.01, 0.0101, 0.002), np.arange(-0.04, 0.0401, 0.002))
    rotation = rotation_from_approach((0.0, 0.0, 1.0))  # u = y, v = z of the grasp
    local = np.column_stack([np.full(u.size, 0.5), u.ravel(), v.ravel()])
    points = (local @ rotation.T).astype(np.float32)
    grid = ProfileGrid(0.004, 15, 2)
    seed = (np.array([(0.49, 0.0, 0.0)]) @ rotation.T).astype(np.float32)
    profiles = rasterise(points, rotation, grid).profiles(seed, rotation, grid).min(axis=2)  # (1, 12, B)
    filled = np.isfinite(profiles[0]).sum(axis=1)
    assert filled[0] == pytest.approx(0.02 / 0.004, abs=1)  # across
    assert filled[6] == pytest.approx(0.08 / 0.004, abs=1)  # along, a quarter turn further
    np.testing.assert_allclose(profiles[np.isfinite(profiles)], 0.01, atol=1e-6)


def test_depths_at_points_over_and_beside_a_surface():
    rotation = rotation_from_approach((0.0, 0.0, 1.0))
    grid = ProfileGrid(0.004, 1, 1)
    surface = rasterise(np.array([(0.0, 0.0, 0.5)], np.float32), rotation, grid)
    queries = np.array([(0.001, 0.0, 0.4), (0.0, 0.001, 0.6), (0.1, 0.0, 0.4)], np.float32)
    np.testing.assert_allclose(surface.depths_at(queries, rotation, grid), (0.1, -0.1, np.inf), atol=1e-6)
