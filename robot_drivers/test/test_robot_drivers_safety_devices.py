# SPDX-License-Identifier: Apache-2.0
"""Watchdog, dry run, steering thread and the gripper's limit, each on the arm or gripper without hardware."""

import logging
import threading
import time

import numpy as np
import pytest
import rclpy
from std_msgs.msg import Empty
from std_srvs.srv import Trigger

from anygrasp_bringup.nodes.executors import SingleThreadedExecutor
from anygrasp_sim.emulators.robot_backend import HOME_JOINTS_RAD
from anygrasp_sim.emulators.ur_kinematics import UrKinematics
from robot_drivers.arms.arm import ArmStopped, UnreachablePose
from robot_drivers.arms.kinematic import KinematicArm
from robot_drivers.grippers.gripper import GripperLost
from robot_drivers.grippers.kinematic import KinematicGripper
from robot_drivers.nodes.safety_services import SafetyServices
from robot_drivers.safety import LimitViolation, SafeArm, SafetyLimits
from robot_drivers.safety.dry_run import DryRunArm, DryRunGripper
from robot_drivers.safety.safe_gripper import SafeGripper
from robot_drivers.safety.steering import Steering, SteppedSteering
from robot_drivers.safety.watchdog import Watchdog, WatchdogConfig

LINE = {"speed_m_s": 0.5, "acceleration_m_s2": 1.0}
HOME = np.array(HOME_JOINTS_RAD)


def real_arm() -> KinematicArm:
    arm = KinematicArm(UrKinematics("ur5e"), HOME, time_scale=0.0)
    arm.connect()
    return arm


def moved(T: np.ndarray, x_m: float = 0.0, y_m: float = 0.0, z_m: float = 0.0) -> np.ndarray:
    T = T.copy()
    T[:3, 3] += [x_m, y_m, z_m]
    return T


def wait_until(condition, timeout_s: float = 20.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "the condition did not come about"
        threading.Event().wait(0.005)


# Watchdog


class Time:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_the_watchdog_names_what_is_quiet_for_how_long_and_what_to_do():
    clock = Time()
    watchdog = Watchdog(WatchdogConfig(perception_s=2.0, heartbeat_s=0.0, controller_s=1.0), clock)
    watchdog.beat("perception")
    watchdog.beat("controller")
    clock.now_s += 50.0
    assert watchdog.quiet() is None  # nothing moves
    watchdog.watch(True)
    assert watchdog.quiet() is None  # silence before does not count
    clock.now_s += 0.9
    watchdog.beat("controller")
    clock.now_s += 0.9
    assert watchdog.quiet() is None
    clock.now_s += 0.3
    message = watchdog.quiet()
    assert message is not None
    assert message.startswith("the perception has been quiet for 2.1 s (limit 2.0 s): check the camera")
    watchdog.beat("perception")
    message = watchdog.quiet()
    assert message is not None
    assert "controller has been quiet for 1.2 s" in message
    watchdog.watch(False)
    assert watchdog.quiet() is None


def test_a_heartbeat_is_asked_for_from_the_start_and_other_sources_once_they_were_heard():
    clock = Time()
    watchdog = Watchdog(WatchdogConfig(heartbeat_s=0.5), clock)
    watchdog.watch(True)
    clock.now_s += 0.6
    message = watchdog.quiet()
    assert message is not None
    assert "heartbeat" in message
    watchdog.beat("heartbeat")
    assert watchdog.quiet() is None
    with pytest.raises(KeyError, match="choose from"):
        watchdog.beat("cat")
    with pytest.raises(ValueError, match="controller_s"):
        WatchdogConfig(controller_s=-1.0)


def test_a_missing_heartbeat_stops_the_node_and_the_services_answer():
    rclpy.init()
    node, executor = rclpy.create_node("cell"), SingleThreadedExecutor()
    stopped: list[str] = []
    busy = threading.Event()
    arm = real_arm()
    watchdog = Watchdog(WatchdogConfig(heartbeat_s=0.5))
    SafetyServices(node, arm, watchdog, stopped.append, lambda: None, busy.is_set)
    publisher = node.create_publisher(Empty, "heartbeat", 1)
    timer = node.create_timer(0.05, lambda: publisher.publish(Empty()))
    client = node.create_client(Trigger, "robot/recover")
    executor.add_node(node)
    thread = threading.Thread(target=executor.spin)
    thread.start()
    try:
        busy.set()
        wait_until(lambda: watchdog._heard_s.get("heartbeat", 0.0) > time.monotonic() - 0.4)
        timer.cancel()
        wait_until(lambda: len(stopped) == 1)
        assert stopped[0].startswith("watchdog: the heartbeat has been quiet")
        assert stopped[0].endswith("call emergency_stop/reset to go on")
        busy.clear()
        future = client.call_async(Trigger.Request())
        wait_until(future.done)
        assert (future.result().success, future.result().message) == (True, "the arm is ready")
        assert len(stopped) == 1
    finally:
        executor.shutdown()
        thread.join()
        node.destroy_node()
        rclpy.shutdown()


# Dry run


def test_a_dry_run_logs_what_would_move_and_moves_nothing(caplog):
    arm = real_arm()
    dry = SafeArm(DryRunArm(arm), SafetyLimits())
    T = moved(dry.tcp_pose(), z_m=-0.1)
    with caplog.at_level(logging.INFO, "robot_drivers"):
        dry.move_linear(T, **LINE)
        np.testing.assert_allclose(dry.tcp_pose(), T)
        dry.move_joints(HOME + 0.1, speed_rad_s=1.0, acceleration_rad_s2=2.0)
    np.testing.assert_allclose(dry.joint_positions(), HOME + 0.1)
    np.testing.assert_array_equal(arm.joint_positions(), HOME)
    assert "dry run: would move 0.100 m in a line to (" in caplog.text
    assert "turning by 0 deg, at 0.50 m/s: 0.6 s" in caplog.text
    assert "dry run: would move the joints to (" in caplog.text
    dry.clear_stop()
    np.testing.assert_array_equal(dry.joint_positions(), HOME)


def test_a_dry_run_refuses_what_the_real_run_would():
    dry = SafeArm(DryRunArm(real_arm()), SafetyLimits())
    with pytest.raises(LimitViolation):
        dry.move_linear(moved(dry.tcp_pose(), z_m=-1.0), **LINE)
    with pytest.raises(UnreachablePose):
        DryRunArm(real_arm()).move_linear(moved(dry.tcp_pose(), y_m=-2.0), **LINE)
    dry.stop()
    with pytest.raises(ArmStopped, match="clear_stop"):
        dry.move_linear(moved(dry.tcp_pose(), z_m=-0.1), **LINE)
    with pytest.raises(ArmStopped, match="dry run"):
        dry.recover()


def test_a_dry_gripper_closes_on_what_is_not_there_and_does_without_a_gripper(caplog):
    class Unplugged(KinematicGripper):
        def connect(self) -> None:
            raise GripperLost("no gripper")

    gripper = DryRunGripper(Unplugged())
    with caplog.at_level(logging.INFO, "robot_drivers"), gripper:
        gripper.activate()
        assert gripper.move(0.06, speed=1.0, force=0.0).width_m == 0.06
        assert gripper.move(0.0, speed=1.0, force=1.0).object_detected
        assert gripper.state().width_m > 0.0
    assert "dry run without the gripper" in caplog.text
    assert "would move the fingers to 0.000 m with 235 N" in caplog.text


# Gripper


def test_the_force_is_cut_down_to_the_limit():
    forces: list[float] = []

    class Noting(KinematicGripper):
        def move(self, width_m, *, speed, force):
            forces.append(force)
            return super().move(width_m, speed=speed, force=force)

    inner = Noting(time_scale=0.0)
    with SafeGripper(inner, SafetyLimits(max_grip_force_n=127.5)) as gripper:
        gripper.activate()
        gripper.move(0.05, speed=1.0, force=1.0)
        gripper.move(0.02, speed=1.0, force=0.2)
    assert forces == [0.5, 0.2]
    with pytest.raises(ValueError, match="at least 20"):
        SafeGripper(inner, SafetyLimits(max_grip_force_n=10.0)).move(0.05, speed=1.0, force=1.0)


# Steering


def test_steering_goes_to_its_goal_and_rests_there():
    arm = SafeArm(real_arm(), SafetyLimits())
    goal = moved(arm.tcp_pose(), x_m=0.05, z_m=-0.05)
    with Steering(arm, arm.limits, goal_timeout_s=5.0) as steering:
        steering.towards(goal, speed_m_s=1.0, acceleration_m_s2=3.0)
        wait_until(lambda: np.abs(arm.tcp_pose() - goal).max() < 1e-6)
    np.testing.assert_allclose(arm.tcp_pose(), goal, atol=1e-6)


def test_steering_stops_for_a_goal_that_is_not_renewed_and_at_the_limits():
    arm = SafeArm(real_arm(), SafetyLimits())
    begin = arm.tcp_pose()
    with Steering(arm, arm.limits, goal_timeout_s=0.1) as steering:
        steering.towards(moved(begin, x_m=0.6), speed_m_s=0.1, acceleration_m_s2=3.0)
        wait_until(lambda: arm.tcp_pose()[0, 3] > begin[0, 3])
    stopped = arm.tcp_pose()
    assert stopped[0, 3] - begin[0, 3] < 0.5
    with pytest.raises(LimitViolation):
        steering.towards(np.full((4, 4), np.nan), speed_m_s=1.0, acceleration_m_s2=1.0)
    with pytest.raises(ValueError, match="speed_m_s"):
        steering.towards(begin, speed_m_s=0.0, acceleration_m_s2=1.0)


def test_steering_hands_on_what_the_arm_raised():
    arm = SafeArm(real_arm(), SafetyLimits())
    goal = moved(arm.tcp_pose(), x_m=0.3)
    with Steering(arm, arm.limits, goal_timeout_s=5.0) as steering:
        steering.towards(goal, speed_m_s=0.05, acceleration_m_s2=1.0)
        arm.stop()
        steering._thread.join(20.0)
        with pytest.raises(ArmStopped, match="clear_stop"):
            steering.towards(goal, speed_m_s=0.05, acceleration_m_s2=1.0)


class PassingTime:
    """Time that passes only while somebody waits."""

    def __init__(self):
        self.time_s = 0.0

    def now_s(self):
        return self.time_s

    def wait(self, stop, timeout_s):
        self.time_s += timeout_s
        return stop.is_set()


def test_stepped_steering_goes_as_far_as_time_passes_and_ends_at_rest():
    clock = PassingTime()
    arm = SafeArm(real_arm(), SafetyLimits(), clock)
    begin = arm.tcp_pose()
    goal = moved(begin, x_m=0.2)
    with SteppedSteering(arm, arm.limits, 0.02, 5.0, clock) as steering:
        steering.towards(goal, speed_m_s=0.3, acceleration_m_s2=2.0)
        for _ in range(20):
            steering.step()
            clock.wait(threading.Event(), 0.02)
        under_way = arm.tcp_pose()[0, 3] - begin[0, 3]
        assert 0.02 < under_way < 0.15
    rested = arm.tcp_pose()[0, 3] - begin[0, 3]
    assert under_way < rested < 0.2
    steering.step()  # after the end nothing moves
    assert arm.tcp_pose()[0, 3] - begin[0, 3] == rested


def test_stepped_steering_hands_on_what_the_arm_raised():
    arm = SafeArm(real_arm(), SafetyLimits())
    with SteppedSteering(arm, arm.limits, 0.02, 5.0, PassingTime()) as steering:
        goal = moved(arm.tcp_pose(), x_m=0.3)
        steering.towards(goal, speed_m_s=0.3, acceleration_m_s2=2.0)
        arm.stop()
        steering.step()
        with pytest.raises(ArmStopped):
            steering.towards(goal, speed_m_s=0.3, acceleration_m_s2=2.0)


def test_wrong_steering_settings_are_refused():
    with pytest.raises(ValueError, match="period_s"):
        Steering(real_arm(), SafetyLimits(), period_s=0.5)
