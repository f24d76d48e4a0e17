# SPDX-License-Identifier: Apache-2.0
"""Motions of the emulated controller: durations and distances worked out by hand, straight lines, faults."""

import numpy as np
import pytest

from anygrasp_sim.emulators.arm_motion import ArmMotion
from anygrasp_sim.emulators.continuous_motion import JointStop
from anygrasp_sim.emulators.robot_backend import HOME_JOINTS_RAD
from anygrasp_sim.emulators.rotation_vector import rotation_to_vector, vector_to_rotation
from anygrasp_sim.emulators.trajectory import MotionFault, TrapezoidProfile
from anygrasp_sim.emulators.ur_kinematics import UrKinematics

DT_S = 0.008
HOME = np.array(HOME_JOINTS_RAD)


@pytest.fixture
def motion() -> ArmMotion:
    motion = ArmMotion(UrKinematics("ur5e"), HOME)
    motion.T_flange_tcp[2, 3] = 0.17
    return motion


def run(motion: ArmMotion, seconds: float = np.inf, scaling: float = 1.0) -> list[np.ndarray]:
    """TCP poses of every tick until the arm rests or the time is over."""
    poses, time_s = [motion.T_base_tcp], 0.0
    while motion.moving and time_s < seconds - 1e-9:
        motion.step(DT_S, scaling)
        poses.append(motion.T_base_tcp)
        time_s += DT_S
    return poses


def test_trapezoid_reaches_its_speed_and_rests_at_the_end():
    # 1 m at 0.5 m/s and 1 m/s^2: ramps of 0.5 s and 0.125 m each, 1.5 s between
    profile = TrapezoidProfile(1.0, speed=0.5, acceleration=1.0)
    assert profile.duration_s == pytest.approx(2.5)
    assert [profile.at(t) for t in (0.0, 0.5, 1.25, 2.0, 2.5, 9.0)] == pytest.approx(
        [0.0, 0.125, 0.5, 0.875, 1.0, 1.0]
    )


def test_short_trapezoid_is_a_triangle():
    # 0.16 m at 1 m/s^2 never reaches 0.5 m/s: 0.4 s up, 0.4 s down
    profile = TrapezoidProfile(0.16, speed=0.5, acceleration=1.0)
    assert profile.duration_s == pytest.approx(0.8)
    assert profile.at(0.4) == pytest.approx(0.08)


def test_trapezoid_of_no_distance_takes_no_time():
    assert TrapezoidProfile(0.0, 1.0, 1.0).duration_s == 0.0


def test_joint_move_takes_the_time_of_its_longest_joint(motion):
    goal = np.add(HOME, [1.0, -0.2, 0.3, 0.0, 0.0, 0.5])
    motion.movej(goal, speed=0.5, acceleration=1.0)
    ticks = len(run(motion)) - 1
    assert ticks * DT_S == pytest.approx(2.5, abs=DT_S)
    np.testing.assert_array_equal(motion.q, goal)


def test_all_joints_arrive_together(motion):
    goal = np.add(HOME, [1.0, -0.2, 0.3, 0.0, 0.0, 0.5])
    motion.movej(goal, speed=0.5, acceleration=1.0)
    run(motion, seconds=1.2)
    share = (motion.q - HOME)[[0, 1, 2, 5]] / [1.0, -0.2, 0.3, 0.5]
    np.testing.assert_allclose(share, share[0])


def test_linear_move_is_straight_evenly_turned_and_within_its_speed(motion):
    T_start = motion.T_base_tcp
    T_goal = T_start.copy()
    T_goal[:3, 3] += [0.15, -0.05, -0.12]
    T_goal[:3, :3] = vector_to_rotation([0.1, 0.2, 0.6]) @ T_start[:3, :3]
    motion.movel(T_goal, speed=0.2, acceleration=0.8)
    poses = run(motion)
    np.testing.assert_allclose(poses[-1], T_goal, atol=1e-9)
    way = T_goal[:3, 3] - T_start[:3, 3]
    turn = rotation_to_vector(T_goal[:3, :3] @ T_start[:3, :3].T)
    for T in poses:
        done = (T[:3, 3] - T_start[:3, 3]) @ way / (way @ way)
        np.testing.assert_allclose(T[:3, 3], T_start[:3, 3] + done * way, atol=1e-9)
        np.testing.assert_allclose(rotation_to_vector(T[:3, :3] @ T_start[:3, :3].T), done * turn, atol=1e-9)
    steps = np.linalg.norm(np.diff([T[:3, 3] for T in poses], axis=0), axis=1)
    assert steps.max() <= 0.2 * DT_S + 1e-9


def test_turning_on_the_spot_takes_time(motion):
    T_goal = motion.T_base_tcp
    T_goal[:3, :3] = vector_to_rotation([0.0, 0.0, 1.0]) @ T_goal[:3, :3]
    motion.movel(T_goal, speed=0.25, acceleration=1.2)
    assert len(run(motion)) * DT_S > 1.0
    np.testing.assert_allclose(motion.T_base_tcp, T_goal, atol=1e-9)


def test_half_speed_slider_takes_twice_as_long(motion):
    goal = np.add(HOME, [1.0, 0, 0, 0, 0, 0])
    motion.movej(goal, speed=0.5, acceleration=1.0)
    motion.scaling = 0.5
    assert (len(run(motion, scaling=0.5)) - 1) * DT_S == pytest.approx(5.0, abs=2 * DT_S)


def test_pausing_slows_down_over_a_tenth_of_a_second_and_loses_nothing(motion):
    goal = np.add(HOME, [1.0, 0, 0, 0, 0, 0])
    motion.movej(goal, speed=0.5, acceleration=1.0)
    run(motion, seconds=1.0)
    speeds = []
    for _ in range(20):
        motion.step(DT_S, 0.0)
        speeds.append(motion.qd[0])
    assert speeds[0] == pytest.approx(0.5 * 0.92, rel=1e-6)
    assert speeds[12] == pytest.approx(0.0, abs=1e-9)
    run(motion)
    np.testing.assert_array_equal(motion.q, goal)


def test_linear_move_out_of_reach_is_a_fault(motion):
    T_goal = motion.T_base_tcp
    T_goal[0, 3] += 2.0
    motion.movel(T_goal, speed=0.5, acceleration=2.0)
    with pytest.raises(MotionFault, match="reach"):
        motion.step(10.0, 1.0)


def test_linear_move_to_the_edge_of_the_reach_is_a_fault(motion):
    T_goal = motion.T_base_tcp
    T_goal[1, 3] -= 0.5
    motion.movel(T_goal, speed=0.5, acceleration=2.0)
    with pytest.raises(MotionFault, match=r"reach|singularity"):
        run(motion)


def test_linear_move_over_the_base_is_a_fault(motion):
    # nearer to the base axis than its offset the wrist cannot get
    T_goal = motion.T_base_tcp
    T_goal[:2, 3] = -T_goal[:2, 3]
    motion.movel(T_goal, speed=0.5, acceleration=2.0)
    with pytest.raises(MotionFault, match=r"reach|singularity"):
        run(motion)


def test_joints_beyond_their_limits_are_a_fault(motion):
    motion.movej([6.5, *HOME[1:]], speed=3.0, acceleration=9.0)
    with pytest.raises(MotionFault, match="beyond"):
        run(motion)


def test_joint_stop_rests_after_speed_over_deceleration():
    # 1 rad/s at 5 rad/s^2: 0.2 s and 0.1 rad
    stop = JointStop(np.zeros(6), np.array([1.0, 0.5, 0, 0, 0, 0]), deceleration=5.0)
    ticks = 0
    while not stop.finished:
        q = stop.step(DT_S)
        ticks += 1
    assert ticks * DT_S == pytest.approx(0.2, abs=1e-9)
    np.testing.assert_allclose(q, [0.1, 0.05, 0, 0, 0, 0])


def test_linear_stop_goes_on_along_the_line_for_the_stopping_distance(motion):
    T_start = motion.T_base_tcp
    T_goal = T_start.copy()
    T_goal[2, 3] -= 0.3
    motion.movel(T_goal, speed=0.25, acceleration=2.0)
    run(motion, seconds=0.5)
    z = motion.T_base_tcp[2, 3]
    motion.stopl(1.0)
    poses = run(motion)
    # 0.25 m/s at 1 m/s^2: 31 mm in 0.25 s
    assert (len(poses) - 1) * DT_S == pytest.approx(0.25, abs=2 * DT_S)
    assert z - poses[-1][2, 3] == pytest.approx(0.03125, abs=5e-4)
    np.testing.assert_allclose(poses[-1][:2, 3], T_start[:2, 3], atol=2e-4)


def test_joint_speed_ramps_up_and_holds(motion):
    motion.speedj([0.4, 0, 0, 0, 0, 0], acceleration=1.0)
    run(motion, seconds=0.4)
    assert motion.qd[0] == pytest.approx(0.4)
    run(motion, seconds=1.0)
    assert motion.qd[0] == pytest.approx(0.4)


def test_linear_speed_moves_the_tcp_with_the_twist(motion):
    motion.speedl([0.0, 0.0, 0.05, 0.0, 0.0, 0.0], acceleration=1.0)
    run(motion, seconds=0.2)
    z = motion.T_base_tcp[2, 3]
    run(motion, seconds=1.0)
    assert motion.T_base_tcp[2, 3] - z == pytest.approx(0.05, abs=1e-4)


def test_linear_speed_at_a_singularity_is_a_fault():
    motion = ArmMotion(UrKinematics("ur5e"), [0.0, -1.2, 1.4, -1.7, 0.001, 0.0])
    motion.speedl([0.0, 0.0, 0.0, 0.0, 1.0, 1.0], acceleration=50.0)
    with pytest.raises(MotionFault, match="singularity"):
        run(motion, seconds=1.0)


def test_servo_closes_in_on_its_target(motion):
    goal = np.add(HOME, [0.02, 0, 0, 0, 0, 0])
    motion.servoj(goal, lookahead_s=0.05)
    run(motion, seconds=0.4)
    np.testing.assert_allclose(motion.q, goal, atol=1e-4)


def test_an_arm_without_a_motion_stands(motion):
    q = motion.q.copy()
    motion.step(DT_S, 1.0)
    np.testing.assert_array_equal(motion.q, q)
    np.testing.assert_array_equal(motion.qd, 0.0)
