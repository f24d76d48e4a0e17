# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest

from anygrasp_perception.grasp import rotation_from_approach
from anygrasp_perception.gripper import GripperGeometry
from anygrasp_perception.support_clearance import SupportClearance
from anygrasp_perception.support_plane import SupportPlane

TABLE = SupportPlane(normal=np.array([0.0, 0.0, -1.0]), offset_m=0.5, tolerance_m=0.004)  # at z = 0.5
GRIPPER = GripperGeometry()
DEPTHS_M = np.array([0.005, 0.01, 0.02, 0.03, 0.04], np.float32)
CLEARANCE_M, MARGIN_M = 0.003, 0.005


def clearance(plane=TABLE):
    return SupportClearance(plane, GRIPPER, CLEARANCE_M, MARGIN_M)


def seed_at(height_m):
    return np.array([(0.0, 0.0, 0.5 - height_m)], np.float32)


def rotations(approach, angle_rad=0.0):
    return rotation_from_approach(approach, angle_rad)[None, None]  # (1, 1, 3, 3)


def touches(height_m, approach, tip_m, left_m=-0.02, right_m=0.02, angle_rad=0.0):
    cell = [np.full((1, 1, 1), value) for value in (tip_m, left_m, right_m)]
    return clearance().touches(seed_at(height_m), rotations(approach, angle_rad), *cell).item()


def test_depths_are_cut_above_the_support():
    depths, repeats = clearance().cut_depths(DEPTHS_M, seed_at(0.018), rotations((0, 0, 1)))
    np.testing.assert_allclose(depths.ravel(), (0.005, 0.01, 0.015, 0.015, 0.015), atol=1e-6)
    assert repeats.ravel().tolist() == [False, False, False, True, True]


def test_tall_objects_allow_all_depths():
    depths, repeats = clearance().cut_depths(DEPTHS_M, seed_at(0.1), rotations((0, 0, 1)))
    np.testing.assert_allclose(depths.ravel(), DEPTHS_M)
    assert not repeats.any()


def test_without_a_support_all_depths_are_allowed():
    depths, _ = clearance(None).cut_depths(DEPTHS_M, seed_at(0.001), rotations((0, 0, 1)))
    np.testing.assert_allclose(depths.ravel(), DEPTHS_M)
    cell = np.full((1, 1, 1), 1.0)
    assert not clearance(None).touches(seed_at(0.001), rotations((0, 0, 1)), cell, -cell, cell).any()


@pytest.mark.parametrize(("tip_m", "touching"), [(0.016, False), (0.018, True)])
def test_vertical_fingertips_keep_the_clearance(tip_m, touching):
    assert touches(0.02, (0, 0, 1), tip_m) is touching


def test_tilt_puts_the_outer_finger_down():
    approach = (np.sin(0.4), 0.0, np.cos(0.4))
    # Closing direction across the tilt: level fingers. In the plane of the tilt: one comes down.
    across = touches(0.05, approach, 0.03, angle_rad=0.0)
    in_plane = touches(0.05, approach, 0.03, left_m=-0.04, right_m=0.04, angle_rad=np.pi / 2)
    assert (across, in_plane) == (False, True)


def test_level_approach_needs_room_for_the_base():
    half_base = GRIPPER.base_height_m / 2
    for height, touching in ((half_base - 0.002, True), (half_base + 0.03, False)):
        assert touches(height, (1, 0, 0), 0.02) is touching
