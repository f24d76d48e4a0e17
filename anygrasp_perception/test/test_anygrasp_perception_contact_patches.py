# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest

from anygrasp_perception.centring import closing_region_points
from anygrasp_perception.contact_patches import contact_patches
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.gripper import GripperGeometry
from anygrasp_perception.point_grid import PointGrid

GRIPPER = GripperGeometry()
INSERTION_M = 0.03


def patches(points, normals):
    """Contacts of a grasp along z of the points' frame, closing along x: fingertips at z = 0."""
    rotation = np.array([[(0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0)]])
    group = GraspGroup.from_arrays(
        rotation_matrices=rotation, translations=np.zeros((1, 3)), widths=0.06, scores=1.0, depths=0.0
    )
    between = closing_region_points(group, PointGrid(points.astype(np.float32)), GRIPPER)
    return contact_patches(
        between, rotation, normals.astype(np.float32), np.array([INSERTION_M]), GRIPPER.finger_height_m, 0.005
    )


def walls(*, pitch_rad=0.0, turn_rad=0.0):
    """Two sides of a bar, 30 mm apart, with outward normals: pitched out of the closing plane, bar turned."""
    z, t = (a.ravel() for a in np.meshgrid(np.arange(-0.028, 0, 0.002), np.arange(-0.02, 0.021, 0.002)))
    cos, sin = np.cos(turn_rad), np.sin(turn_rad)
    points, normals = [], []
    for side in (-1, 1):
        points.append(np.column_stack([side * 0.015 * cos - t * sin, side * 0.015 * sin + t * cos, z]))
        normal = (side * np.cos(pitch_rad) * cos, side * np.cos(pitch_rad) * sin, -np.sin(pitch_rad))
        normals.append(np.tile(normal, (len(z), 1)))
    return np.concatenate(points), np.concatenate(normals)


@pytest.mark.parametrize("pitch_deg", [0, 20, 40])
def test_friction_follows_the_pitch_of_the_normals(pitch_deg):
    found = patches(*walls(pitch_rad=np.deg2rad(pitch_deg)))
    assert found.has_normals.all()
    np.testing.assert_allclose(found.friction, np.tan(np.deg2rad(pitch_deg)), atol=1e-6)


@pytest.mark.parametrize("turn_deg", [-7, 0, 7])
def test_outline_follows_the_turn_of_the_bar(turn_deg):
    found = patches(*walls(turn_rad=np.deg2rad(turn_deg)))
    # A bar turned from x to y has its sides turned from y to -x: y falls with z of the grasp frame.
    np.testing.assert_allclose(np.rad2deg(found.outline_rad), -turn_deg, atol=2.5)


def test_only_the_side_below_the_rim_counts():
    points, normals = walls()
    upper = points[:, 2] < -INSERTION_M / 2
    normals[upper] = (0, 0, -1)  # a rounded rim
    np.testing.assert_allclose(patches(points, normals).friction, 0.0, atol=1e-6)


def test_unseen_side_has_no_normals():
    points, normals = walls()
    top = points[:, 2] < -0.02
    assert not patches(points[top], normals[top]).has_normals.any()


def test_nothing_between_the_fingers():
    found = patches(np.array([(1.0, 1.0, 1.0)]), np.array([(0.0, 0.0, -1.0)]))
    assert not found.has_normals.any()
    np.testing.assert_array_equal(found.outline_rad, 0.0)
