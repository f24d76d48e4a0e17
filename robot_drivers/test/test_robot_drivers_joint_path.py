# SPDX-License-Identifier: Apache-2.0
"""Joints along a line of the tool: what they end at, and how far they turn."""

import numpy as np
import pytest

from anygrasp_sim.emulators.ur_kinematics import UrKinematics
from robot_drivers.arms.arm import UnreachablePose
from robot_drivers.arms.joint_path import joint_change_per_m
from robot_drivers.arms.ur_kinematics import ur_flange_poses

DOWN = np.diag([1.0, -1.0, -1.0])
KINEMATICS = UrKinematics("ur5e")


def nominal_poses(q_rad):
    return ur_flange_poses("ur5e", np.asarray(q_rad))


def pose(x: float, y: float, z: float) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = DOWN, (x, y, z)
    return T


def joints_at(T: np.ndarray) -> np.ndarray:
    q = KINEMATICS.inverse(T, np.array([-0.25, -1.6, -1.3, -1.8, 1.57, -0.25]))
    assert q is not None
    return q


@pytest.mark.parametrize("seed", range(5))
def test_the_joints_end_where_the_line_does(seed):
    rng = np.random.default_rng(seed)
    start, goal = (pose(*rng.uniform((-0.2, -0.7, 0.3), (0.2, -0.45, 0.5))) for _ in range(2))
    change, q_goal = joint_change_per_m(nominal_poses, joints_at(start), start, goal)
    np.testing.assert_allclose(nominal_poses(q_goal[None])[0], goal, atol=1e-3)
    q_exact = KINEMATICS.inverse(goal, joints_at(start))
    np.testing.assert_allclose(q_goal, q_exact, atol=5e-3)
    length_m = np.linalg.norm(goal[:3, 3] - start[:3, 3])
    assert change >= np.abs(q_exact - joints_at(start)).max() / length_m - 1e-2


def test_a_joint_turns_by_a_lever_of_its_length():
    # At arm's length the base joint sweeps the tool sideways: d rad = d m / distance, whatever the others do.
    start, goal = pose(-0.01, -0.6, 0.3), pose(0.01, -0.6, 0.3)
    change, q_goal = joint_change_per_m(nominal_poses, joints_at(start), start, goal)
    turned = abs(q_goal[0] - joints_at(start)[0]) / 0.02
    assert turned == pytest.approx(1.0 / 0.6, rel=0.1)
    assert change >= turned - 1e-9


def test_near_the_base_the_joints_turn_much_more():
    def change_at(y: float) -> float:
        start, goal = pose(-0.03, y, 0.4), pose(0.03, y, 0.4)
        return joint_change_per_m(nominal_poses, joints_at(start), start, goal)[0]

    assert change_at(-0.16) > 2.0 * change_at(-0.4)


def test_a_line_out_of_reach_is_refused():
    start = pose(0.0, -0.6, 0.3)
    with pytest.raises(UnreachablePose, match=r"does not reach \(-?0\.000, -0\.[89]\d+"):
        joint_change_per_m(nominal_poses, joints_at(start), start, pose(0.0, -1.3, 0.3))


def test_an_offset_of_the_calibration_does_not_matter():
    start, goal = pose(0.0, -0.5, 0.4), pose(0.05, -0.55, 0.3)
    q_start = joints_at(start)
    exact, _ = joint_change_per_m(nominal_poses, q_start, start, goal)
    offset = pose(0.002, -0.001, 0.003)
    offset[:3, :3] = np.eye(3)
    calibrated, _ = joint_change_per_m(nominal_poses, q_start, offset @ start, offset @ goal)
    assert calibrated == pytest.approx(exact, rel=1e-3)


def test_no_way_is_no_change():
    start = pose(0.0, -0.5, 0.4)
    change, q_goal = joint_change_per_m(nominal_poses, joints_at(start), start, start)
    assert change == 0.0
    np.testing.assert_array_equal(q_goal, joints_at(start))
