# SPDX-License-Identifier: Apache-2.0
"""Openings about a box on a table, seen from above, with room beside it or without."""

from dataclasses import replace

import numpy as np
import pytest

from anygrasp_perception.clear_openings import find_clear_openings
from anygrasp_perception.grasp import rotation_from_approach
from anygrasp_perception.gripper import GripperGeometry

GRIPPER = GripperGeometry()
DOWN = rotation_from_approach(np.array([[0.0, 0.0, 1.0], [0.0, 0.5, 1.0]])).astype(np.float32)
TOP_M, TABLE_M = 0.50, 0.53
DEPTH_M = 0.01


def slab(x, y, depth_m):
    xs, ys = np.arange(x[0], x[1] + 1e-9, 0.002), np.arange(y[0], y[1] + 1e-9, 0.002)
    grid = np.stack(np.meshgrid(xs, ys, indexing="ij"), axis=-1).reshape(-1, 2)
    return np.column_stack([grid, np.full(len(grid), depth_m)]).astype(np.float32)


BOX = slab((-0.02, 0.02), (-0.01, 0.01), TOP_M)
TABLE = slab((-0.08, 0.08), (-0.08, 0.08), TABLE_M)
PLACE = np.array([[0.0, 0.0, TOP_M]], dtype=np.float32)


def openings(*obstacles, place=PLACE, gripper=GRIPPER, depths_m=(DEPTH_M,), views=(0,)):
    """By in-plane angle: shift and width of the openings at the first depth."""
    found = find_clear_openings(np.concatenate(obstacles), place, np.array(views), DOWN, depths_m, gripper)
    return {
        (int(pair), int(angle), int(depth)): (shift, width)
        for pair, angle, depth, shift, width in zip(
            found.pairs, found.angle_ids, found.depth_ids, found.shifts_m, found.widths_m, strict=True
        )
    }


def test_the_fingers_go_down_right_beside_a_box():
    found = openings(BOX, TABLE)
    assert found[0, 0, 0] == pytest.approx((0.0, 0.020))  # closing across the box, by hand
    assert found[0, 6, 0] == pytest.approx((0.0, 0.044))  # along it: 40 mm, in cells of 4 mm
    assert 0.02 < found[0, 3, 0][1] < 0.05


def test_an_opening_lies_about_the_middle_of_the_box_wherever_on_it_the_place_is():
    aside = PLACE + np.array([0.0, 0.008, 0.0], dtype=np.float32)
    shift, width = openings(BOX, TABLE, place=aside)[0, 0, 0]
    assert aside[0, 1] + shift == pytest.approx(0.0, abs=0.002)
    assert width == pytest.approx(0.020, abs=0.004)


def test_a_wall_too_near_for_a_finger_is_taken_between_the_fingers_or_rules_the_angle_out():
    wall = slab((-0.08, 0.08), (0.016, 0.024), TOP_M)
    shift, width = openings(BOX, TABLE, wall)[0, 0, 0]
    assert shift > 0
    assert width > 0.03
    narrow = replace(GRIPPER, max_width_m=0.03, base_width_m=0.105)
    assert (0, 0, 0) not in openings(BOX, TABLE, wall, gripper=narrow)
    assert (0, 0, 0) in openings(BOX, TABLE, gripper=narrow)


def test_fingertips_that_would_meet_the_table_are_no_opening():
    found = openings(BOX, TABLE, depths_m=(DEPTH_M, 0.04))  # the table is 30 mm below the top
    assert (0, 0, 0) in found
    assert not any(depth == 1 for _, _, depth in found)


def test_what_the_base_would_meet_above_the_fingers_is_in_the_way():
    shelf = slab((-0.05, -0.03), (-0.05, 0.05), TOP_M + DEPTH_M - 0.07)  # 70 mm above the fingertips
    low = slab((-0.05, -0.03), (-0.05, 0.05), TOP_M + DEPTH_M - 0.05)
    assert (0, 6, 0) in openings(BOX, TABLE)
    assert (0, 6, 0) not in openings(BOX, TABLE, shelf)
    assert (0, 0, 0) in openings(BOX, TABLE, low)  # beside the fingers: across the box they pass it


def test_each_place_keeps_its_own_view():
    places = np.concatenate([PLACE, PLACE, PLACE])
    found = openings(BOX, TABLE, place=places, views=(0, 1, 0))
    of_first = {key[1:]: value for key, value in found.items() if key[0] == 0}
    of_third = {key[1:]: value for key, value in found.items() if key[0] == 2}
    of_tilted = {key[1:]: value for key, value in found.items() if key[0] == 1}
    assert of_first == of_third
    assert of_first != of_tilted


def test_no_places_no_openings():
    assert openings(TABLE, place=np.zeros((0, 3), dtype=np.float32), views=()) == {}
