# SPDX-License-Identifier: Apache-2.0
"""Fingers in a table that the camera has not seen, and grasps at the table alone."""

import numpy as np
import pytest

from anygrasp_perception.detector import DetectionRequest
from anygrasp_perception.grasp import rotation_from_approach
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.gripper import ROBOTIQ_2F85
from anygrasp_perception.point_grid import PointGrid
from anygrasp_perception.post_processing import post_process
from anygrasp_perception.reject_reason import RejectReason
from anygrasp_perception.seen_support import SeenSupport
from anygrasp_perception.support_plane import SupportPlane

TABLE_M = 0.5  # below the camera
PLANE = SupportPlane(np.array([0.0, 0.0, -1.0]), TABLE_M, 0.004)


def table(hole_m=0.06, seed=0):
    """A table without points in a square about its middle, but for a bump of 2 mm, 2 cm wide, there."""
    rng = np.random.default_rng(seed)
    around = rng.uniform(-0.2, 0.2, (20_000, 2))
    around = around[np.abs(around).max(axis=1) > hole_m]
    bump = rng.uniform(-0.01, 0.01, (200, 2))
    return points_at(around, TABLE_M), points_at(bump, TABLE_M - 0.002)


def points_at(xy, depth_m):
    return np.column_stack([xy, np.full(len(xy), depth_m)]).astype(np.float32)


def grasp(tip_height_m, *, approach=(0.0, 0.0, 1.0), width_m=0.04):
    """One grasp with the middle of its fingertips so high above the middle of the table."""
    R = rotation_from_approach(approach)
    tip = np.array((0.0, 0.0, TABLE_M - tip_height_m))
    return GraspGroup.from_arrays(
        rotation_matrices=R[None],
        translations=(tip - 0.02 * R[:, 0])[None],
        widths=width_m,
        scores=0.9,
        depths=0.02,
    )


def check(group, points):
    into, alone = SeenSupport(PLANE, points).check(group, PointGrid(points), ROBOTIQ_2F85)
    return bool(into[0]), bool(alone[0])


def test_a_bump_beside_a_hole_is_no_object_and_the_hole_no_room_for_fingers():
    points = np.concatenate(table())
    assert check(grasp(-0.010), points) == (True, True)
    assert check(grasp(-0.002), points) == (False, True)  # as deep as noise is


def test_a_slanted_finger_is_judged_by_its_lowest_corner():
    points = np.concatenate([table()[0], points_at(np.zeros((50, 2)), TABLE_M - 0.01)])
    assert check(grasp(0.001), points) == (False, False)
    assert check(grasp(0.001, approach=(0.6, 0.0, 0.8)), points) == (True, False)


def test_an_object_in_the_hole_is_held():
    points = np.concatenate([table()[0], points_at(table()[1][:, :2], TABLE_M - 0.03)])
    assert check(grasp(0.002), points) == (False, False)


@pytest.mark.parametrize("lower_m", [0.02, 0.05])
def test_fingers_may_go_below_the_plane_where_what_they_hold_lies_there(lower_m):
    points = np.concatenate([table()[0], points_at(table()[1][:, :2], TABLE_M + lower_m)])
    assert check(grasp(-lower_m - 0.01), points) == (False, False)


def test_what_is_far_above_the_support_is_not_its_business():
    points = np.concatenate(table())
    assert check(grasp(0.05), points) == (False, False)


def test_post_processing_counts_both_under_their_reasons():
    points = np.concatenate(table())
    grasps = GraspGroup.concatenate([grasp(-0.010), grasp(0.0005, width_m=0.03)])
    support = SeenSupport(PLANE, points)
    kept, rejected, _ = post_process(grasps, points, DetectionRequest(dense=True), support=support)
    assert len(kept) == 0
    assert rejected.as_dict() == {RejectReason.COLLISION.value: 1, RejectReason.EMPTY_CLOSING_REGION.value: 1}
    kept, rejected, _ = post_process(grasps, points, DetectionRequest(dense=True))
    assert len(kept) == 2
