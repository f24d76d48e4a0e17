# SPDX-License-Identifier: Apache-2.0
"""What every Arm promises: ur_rtde's clients on the emulated controller, in lock-step, without hardware."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from anygrasp_sim.emulators.controller_process import UrControllerProcess
from anygrasp_sim.emulators.robot_backend import HOME_JOINTS_RAD, KinematicBackend
from anygrasp_sim.emulators.rotation_vector import vector_to_rotation
from anygrasp_sim.emulators.ur_kinematics import UrKinematics
from robot_drivers.arms.arm import Arm, ArmError, ArmLost, ArmState, ArmStopped, UnreachablePose
from robot_drivers.arms.kinematic import KinematicArm
from robot_drivers.arms.ur import UrArm, UrArmConfig
from robot_drivers.lockstep.robot import LockstepRobot
from robot_drivers.lockstep.ur_link import lockstep_arm

HOST = (
    f"127.{os.getpid() % 250 + 1}.{time.time_ns() // 1000 % 250 + 1}.5"  # sessions side by side do not meet
)
CONFIG = UrArmConfig(robot_ip=HOST)
JOINTS = {"speed_rad_s": 3.0, "acceleration_rad_s2": 20.0}
LINE = {"speed_m_s": 0.8, "acceleration_m_s2": 8.0}
HOME = np.array(HOME_JOINTS_RAD)


@dataclass
class Setup:
    """An arm under test; `emulator` is the controller it talks to, if it talks to one."""

    arm: Arm
    emulator: UrControllerProcess | None
    lockstep: LockstepRobot | None = None

    def speed_rad_s(self) -> float:
        if self.lockstep is not None:
            return float(np.abs(self.lockstep.robot.actual.qd).max())
        if self.emulator is not None:
            return float(np.abs(self.emulator.ask("joint_velocities")).max())
        before = self.arm.joint_positions()
        begin_s = time.monotonic()
        threading.Event().wait(0.005)
        return float(np.abs(self.arm.joint_positions() - before).max()) / (time.monotonic() - begin_s)

    def time_s(self) -> float:
        if self.lockstep is not None:
            return self.lockstep.now_s()
        return self.emulator.ask("time_s") if self.emulator is not None else time.monotonic()


@pytest.fixture(scope="module", params=["ur_rtde", "urscript", "kinematic", "lockstep"])
def setup(request) -> Iterator[Setup]:
    if request.param == "kinematic":
        with KinematicArm(UrKinematics("ur5e"), HOME, CONFIG.T_tool0_tcp) as arm:
            yield Setup(arm, None)
    elif request.param == "lockstep":
        pace = threading.Event()  # lets the test's other thread watch
        robot = LockstepRobot(KinematicBackend(HOME), on_tick=lambda: pace.wait(0.0005))
        with lockstep_arm(robot, CONFIG) as arm:
            yield Setup(arm, None, robot)
    else:
        config = replace(CONFIG, transport="urscript" if request.param == "urscript" else "rtde")
        with UrControllerProcess("ur5e", HOST) as emulator, UrArm(config) as arm:
            yield Setup(arm, emulator)


@pytest.fixture
def arm(setup) -> Arm:
    """The arm, at home and free to move."""
    setup.arm.clear_stop()
    setup.arm.move_joints(HOME, **JOINTS)
    return setup.arm


def moved(T: np.ndarray, x_m: float = 0.0, y_m: float = 0.0, z_m: float = 0.0) -> np.ndarray:
    T = T.copy()
    T[:3, 3] += [x_m, y_m, z_m]
    return T


def start(move, *arguments, **keywords) -> tuple[threading.Thread, list[BaseException]]:
    """Run a move in a thread; its error ends up in the list."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            move(*arguments, **keywords)
        except ArmError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, errors


def wait_until(condition, timeout_s: float = 10.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline_s, "the condition did not come about"
        pause.wait(0.002)


def test_a_connected_arm_runs(arm):
    assert arm.state() is ArmState.RUNNING


def test_connecting_twice_is_connecting_once(arm):
    arm.connect()
    assert arm.state() is ArmState.RUNNING


def test_joints_and_tool_pose_agree(arm):
    np.testing.assert_allclose(arm.joint_positions(), HOME, atol=1e-6)
    T = UrKinematics("ur5e").forward(HOME) @ CONFIG.T_tool0_tcp
    np.testing.assert_allclose(arm.tcp_pose(), T, atol=1e-6)
    np.testing.assert_allclose(arm.forward_kinematics(HOME), T, atol=1e-6)
    np.testing.assert_allclose(arm.nominal_poses(np.array([HOME, HOME]))[1], T, atol=1e-6)


def test_a_joint_move_ends_at_its_joints(arm):
    goal = HOME + np.array([0.3, -0.2, 0.2, 0.1, -0.1, 0.5])
    arm.move_joints(goal, **JOINTS)
    np.testing.assert_allclose(arm.joint_positions(), goal, atol=1e-4)


def test_a_linear_move_ends_at_its_pose(arm):
    T_goal = moved(arm.tcp_pose(), 0.1, -0.05, -0.1)
    T_goal[:3, :3] = vector_to_rotation([0.1, 0.2, 0.7]) @ T_goal[:3, :3]
    arm.move_linear(T_goal, **LINE)
    np.testing.assert_allclose(arm.tcp_pose(), T_goal, atol=1e-4)


@pytest.mark.parametrize("turn", [np.pi - 1e-4, np.pi, np.pi + 1e-4])
def test_poses_around_a_half_turn_are_reached(arm, turn):
    # where the rotation vector of the tool changes its sign
    T_goal = moved(arm.tcp_pose(), 0.02)
    T_goal[:3, :3] = vector_to_rotation([0.0, turn, 0.0])
    arm.move_linear(T_goal, **LINE)
    np.testing.assert_allclose(arm.tcp_pose(), T_goal, atol=1e-4)


def test_a_move_takes_the_time_of_its_speed(arm, setup):
    T_goal = moved(arm.tcp_pose(), z_m=-0.1)
    begin_s = setup.time_s()
    arm.move_linear(T_goal, speed_m_s=0.2, acceleration_m_s2=2.0)
    # 0.1 m at 0.2 m/s with ramps of 0.1 s
    assert 0.55 < setup.time_s() - begin_s < 1.5


def test_a_move_of_no_distance_ends(arm):
    arm.move_linear(arm.tcp_pose(), **LINE)
    arm.move_joints(arm.joint_positions(), **JOINTS)


def test_poses_within_and_out_of_reach_are_told_apart(arm):
    T = arm.tcp_pose()
    assert arm.is_reachable(moved(T, z_m=-0.1))
    assert not arm.is_reachable(moved(T, y_m=-1.0))
    assert not arm.is_reachable(moved(T, y_m=T[1, 3] * -1, x_m=T[0, 3] * -1))  # inside the base


def test_a_linear_move_out_of_reach_is_refused_and_the_arm_stands(arm, setup):
    T = arm.tcp_pose()
    with pytest.raises(UnreachablePose):
        arm.move_linear(moved(T, y_m=-1.0), **LINE)
    np.testing.assert_allclose(arm.tcp_pose(), T, atol=1e-6)
    arm.move_linear(moved(T, z_m=-0.02), **LINE)


@pytest.mark.parametrize("joints", [[0.0] * 5, [np.nan] * 6, [0.0] * 5 + [np.inf]])
def test_joints_that_are_none_are_refused(arm, joints):
    with pytest.raises(ValueError, match="six finite"):
        arm.move_joints(np.array(joints), **JOINTS)


def test_a_matrix_that_is_no_pose_is_refused(arm):
    with pytest.raises(ValueError, match="T_base_tcp"):
        arm.move_linear(2.0 * np.eye(4), **LINE)
    with pytest.raises(ValueError, match="T_base_tcp"):
        arm.is_reachable(np.full((4, 4), np.nan))


def test_stop_halts_within_a_tenth_of_a_second(arm, setup):
    taken_s = []
    for _ in range(3):  # the best of three: other processes may hold up one
        arm.clear_stop()
        arm.move_joints(HOME, **JOINTS)
        mover, errors = start(
            arm.move_joints, np.add(HOME, [2.0, 0, 0, 0, 0, 0]), speed_rad_s=1.0, acceleration_rad_s2=8.0
        )
        wait_until(lambda: setup.speed_rad_s() > 0.9)
        begin_s, wall_s = setup.time_s(), time.monotonic()
        arm.stop()
        assert time.monotonic() - wall_s < 0.05
        wait_until(lambda: setup.speed_rad_s() < 1e-3)
        taken_s.append(setup.time_s() - begin_s)
        mover.join(5.0)
        assert time.monotonic() - wall_s < 2.0
        (error,) = errors
        assert isinstance(error, ArmStopped)
        assert "clear_stop" in str(error)
    assert min(taken_s) < 0.1


def test_moves_are_refused_after_stop_until_it_is_cleared(arm):
    arm.stop()
    with pytest.raises(ArmStopped, match="clear_stop"):
        arm.move_joints(HOME + 0.1, **JOINTS)
    with pytest.raises(ArmStopped, match="clear_stop"):
        arm.move_linear(moved(arm.tcp_pose(), z_m=-0.05), **LINE)
    np.testing.assert_allclose(arm.joint_positions(), HOME, atol=1e-6)
    arm.clear_stop()
    arm.move_joints(HOME + 0.1, **JOINTS)
    np.testing.assert_allclose(arm.joint_positions(), HOME + 0.1, atol=1e-4)


def test_two_moves_at_once_are_refused(arm, setup):
    mover, errors = start(arm.move_joints, np.add(HOME, [0.8, 0, 0, 0, 0, 0]), **JOINTS)
    wait_until(lambda: setup.speed_rad_s() > 0.1)
    with pytest.raises(ArmError, match="already"):
        arm.move_joints(HOME, **JOINTS)
    mover.join(10.0)
    assert errors == []
    np.testing.assert_allclose(arm.joint_positions()[0], HOME[0] + 0.8, atol=1e-4)


def test_state_can_be_read_from_other_threads_during_a_move(arm, setup):
    mover, errors = start(arm.move_joints, np.add(HOME, [0.8, 0, 0, 0, 0, 0]), **JOINTS)
    seen = []
    while mover.is_alive():
        seen.append(arm.joint_positions()[0])
        assert arm.state() is ArmState.RUNNING
    assert errors == []
    assert np.all(np.diff(seen) >= -1e-6)
    assert len(seen) > 5


@pytest.mark.parametrize("name", ["joint_positions", "tcp_pose"])
def test_a_closed_arm_says_that_it_must_be_connected(setup, name):
    setup.arm.close()
    try:
        assert setup.arm.state() is ArmState.DISCONNECTED
        with pytest.raises(ArmLost, match="connect"):
            getattr(setup.arm, name)()
        with pytest.raises(ArmLost, match="connect"):
            setup.arm.move_joints(HOME, **JOINTS)
        setup.arm.close()
    finally:
        setup.arm.connect()


# Only in lock-step: time stands while nothing is commanded, and the robot's safety is heard of


@pytest.mark.parametrize("setup", ["lockstep"], indirect=True)
def test_time_goes_on_with_commands_alone(arm, setup):
    begin_s = setup.time_s()
    T = arm.tcp_pose()
    arm.state()
    assert setup.time_s() == begin_s
    arm.is_reachable(moved(T, z_m=-0.1))  # the controller works it out
    assert 0.0 < setup.time_s() - begin_s < 0.1


@pytest.mark.parametrize("setup", ["lockstep"], indirect=True)
def test_a_protective_stop_is_reported_and_unlocked_after_five_seconds(arm, setup):
    assert setup.lockstep is not None
    setup.lockstep.robot.protective_stop("a test")
    assert arm.state() is ArmState.PROTECTIVE_STOP
    with pytest.raises(ArmStopped, match="protective stop"):
        arm.move_joints(HOME + 0.1, **JOINTS)
    with pytest.raises(ArmStopped, match="5 s"):
        arm.recover()
    setup.lockstep.wait_until(setup.time_s() + 5.1)
    assert "unlocked" in arm.recover()
    arm.move_joints(HOME + 0.1, **JOINTS)


@pytest.mark.parametrize("setup", ["lockstep"], indirect=True)
def test_servoing_takes_the_time_of_its_steps_and_ends_at_rest(arm, setup):
    T, begin_s = arm.tcp_pose(), setup.time_s()
    for step in range(1, 11):
        arm.servo(moved(T, z_m=-0.002 * step), duration_s=0.04)
    assert setup.time_s() - begin_s == pytest.approx(10 * 0.04)
    assert -0.02 < arm.tcp_pose()[2, 3] - T[2, 3] < -0.01  # follows with a lag
    arm.end_servo()
    assert setup.speed_rad_s() < 0.01


@pytest.mark.parametrize("setup", ["lockstep"], indirect=True)
def test_servoing_out_of_reach_ends(arm):
    with pytest.raises(ArmStopped, match="control program"):
        arm.servo(moved(arm.tcp_pose(), z_m=5.0), duration_s=0.04)


# Only of the UR: that the motion went over the network


def established_connections(port: int) -> int:
    """Connections of this machine to HOST:port that the kernel calls established."""
    address = socket.inet_aton(HOST)[::-1].hex().upper() + f":{port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2] == address and row[3] == "01" for row in rows)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc/net/tcp")
@pytest.mark.parametrize("setup", ["ur_rtde"], indirect=True)
def test_all_motion_went_through_tcp_connections_of_ur_rtde(arm, setup):
    assert setup.emulator is not None
    assert established_connections(30004) == 2  # receive and control interface
    assert established_connections(30003) == 1  # the uploaded control program
    assert setup.emulator.ask("connections")[30004] == 2
    before = setup.emulator.ask("rtde_commands")
    arm.move_linear(moved(arm.tcp_pose(), z_m=-0.05), **LINE)
    arm.move_joints(HOME, **JOINTS)
    after = setup.emulator.ask("rtde_commands")
    assert after[3] - before.get(3, 0) == 1  # moveL
    assert after[1] - before.get(1, 0) == 1  # moveJ
