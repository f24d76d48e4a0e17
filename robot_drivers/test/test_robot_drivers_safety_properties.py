# SPDX-License-Identifier: Apache-2.0
"""No command outside the limits reaches the wire, whatever is asked for.

Each test tries some hundreds of commands; SAFETY_CASES=5000 in the environment tries tens of thousands.
"""

import contextlib
import math
import os

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_sim.emulators.robot_backend import HOME_JOINTS_RAD
from anygrasp_sim.emulators.rotation_vector import vector_to_rotation
from anygrasp_sim.emulators.ur_kinematics import UrKinematics
from robot_drivers.arms.arm import ArmError
from robot_drivers.arms.kinematic import KinematicArm
from robot_drivers.arms.straight_line import StraightLine
from robot_drivers.executors.grasp_target import R_GRASP_TCP, TargetConfig, aim_grasp
from robot_drivers.executors.motion import MotionConfig, PickMotion
from robot_drivers.executors.pick_errors import PickFailed
from robot_drivers.executors.stop_switch import StopSwitch
from robot_drivers.grippers.kinematic import KinematicGripper
from robot_drivers.safety import SafeArm, SafetyLimits
from robot_drivers.safety.safe_gripper import SafeGripper
from robot_drivers.safety.steering import ServoStepper

CASES = int(os.environ.get("SAFETY_CASES", "150"))
POST = (0.2, -0.7, 0.0, 0.3, -0.3, 0.3)
LIMITS = SafetyLimits(min_height_m=0.01, keep_out_boxes=POST)
DOWN = np.diag([1.0, -1.0, -1.0])
PERIOD_S = 0.05

anything = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True), st.floats(-1.0, 1.0), st.sampled_from([0.0, -1.0, 1e308])
)
poses = st.tuples(
    st.floats(-0.8, 0.9), st.floats(-1.2, 0.5), st.floats(-0.3, 1.2), *[st.floats(-3.2, 3.2)] * 3
)
near = st.tuples(
    st.floats(-0.45, 0.75), st.floats(-0.85, -0.05), st.floats(-0.1, 0.85), *[st.floats(-0.5, 0.5)] * 3
)
speeds = st.floats(1e-3, 1e3)


def transform(numbers) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = vector_to_rotation(numbers[3:]) @ DOWN, numbers[:3]
    return T


class Wire(KinematicArm):
    """Checks every command as it arrives, with the way that the arm will take to it, and is there at once.

    Any pose can be reached: what stays out of the limits is not to depend on the arm's own opinion.
    """

    def __init__(self) -> None:
        super().__init__(UrKinematics("ur5e"), HOME_JOINTS_RAD, time_scale=0.0)
        self.connect()
        self.commands = 0
        self.T = transform((-0.1, -0.5, 0.3, 0.0, 0.0, 0.0))

    def tcp_pose(self):
        return self.T

    def is_reachable(self, T_base_tcp):
        return True

    def move_linear(self, T_base_tcp, *, speed_m_s, acceleration_m_s2):
        self.commands += 1
        assert 0 < speed_m_s <= LIMITS.max_speed_m_s
        assert 0 < acceleration_m_s2 <= LIMITS.max_acceleration_m_s2
        assert_within(StraightLine(self.T, T_base_tcp))
        self.T = T_base_tcp

    def move_joints(self, q_rad, *, speed_rad_s, acceleration_rad_s2):
        self.commands += 1
        assert 0 < speed_rad_s <= LIMITS.max_joint_speed_rad_s
        assert 0 < acceleration_rad_s2 <= LIMITS.max_joint_acceleration_rad_s2
        q = self.joint_positions()
        assert np.abs(q_rad - q).max() <= LIMITS.max_joint_change_rad
        for done in (0.23, 0.5, 0.77, 1.0):
            T = self.forward_kinematics(q + done * (q_rad - q))
            assert_inside(T[:3, 3], LIMITS.transit_min, LIMITS.transit_max, 0.01)
        assert not LIMITS.enters_keep_out(T[None]).any()
        self._q, self.T = np.array(q_rad), T

    def servo(self, T_base_tcp, *, duration_s):
        self.commands += 1
        assert 0 < duration_s <= LIMITS.max_servo_period_s
        assert_within(StraightLine(self.T, T_base_tcp))
        self.T = T_base_tcp


def assert_inside(position, low, high, slack_m=1e-6) -> None:
    assert np.all(position >= np.array(low) - slack_m)
    assert np.all(position <= np.array(high) + slack_m)
    assert position[2] >= LIMITS.min_height_m - slack_m


def assert_within(line: StraightLine) -> None:
    T = line.poses(np.array([0.0, 0.31, 0.64, 1.0]))
    for position in T[:, :3, 3]:
        assert_inside(position, LIMITS.workspace_min, LIMITS.workspace_max)
    assert np.all(-T[:, 2, 2] >= math.cos(LIMITS.max_tilt_rad) - 1e-5)
    assert not LIMITS.enters_keep_out(T).any()


def started() -> tuple[Wire, SafeArm]:
    wire = Wire()
    return wire, SafeArm(wire, LIMITS)


@settings(max_examples=CASES, deadline=None)
@given(st.lists(st.one_of(near, poses), min_size=1, max_size=4), speeds, speeds)
def test_no_linear_move_leaves_the_limits_anywhere_on_its_way(goals, speed, acceleration):
    _, arm = started()
    for goal in goals:
        with contextlib.suppress(ArmError):
            arm.move_linear(transform(goal), speed_m_s=speed, acceleration_m_s2=acceleration)


@settings(max_examples=CASES, deadline=None)
@given(st.tuples(*[st.floats(-6.5, 6.5)] * 6), st.floats(0.0, 1.0), speeds, speeds)
def test_no_joint_move_leaves_the_limits(q, share, speed, acceleration):
    wire, arm = started()
    goal = wire.joint_positions() + share**2 * (np.array(q) - wire.joint_positions())
    with contextlib.suppress(ArmError):
        arm.move_joints(goal, speed_rad_s=speed, acceleration_rad_s2=acceleration)


@settings(max_examples=CASES, deadline=None)
@given(st.lists(anything, min_size=16, max_size=16), st.lists(anything, max_size=8), anything, anything)
def test_nothing_that_is_no_pose_or_no_joints_reaches_the_wire(entries, joints, speed, duration_s):
    wire, arm = started()
    T = np.array(entries).reshape(4, 4)
    for command in (
        lambda: arm.move_linear(T, speed_m_s=speed, acceleration_m_s2=1.0),
        lambda: arm.servo(T, duration_s=duration_s),
        lambda: arm.move_joints(np.array(joints), speed_rad_s=math.nan, acceleration_rad_s2=1.0),
        lambda: arm.move_linear([joints], speed_m_s=0.1, acceleration_m_s2=speed),
    ):
        with contextlib.suppress(ArmError, ValueError):
            command()
    assert wire.commands == 0


@settings(max_examples=CASES, deadline=None)
@given(st.lists(st.tuples(near, st.floats(1e-3, 2.0)), min_size=1, max_size=5))
def test_no_servo_step_leaves_the_limits(steps):
    wire, arm = started()
    for goal, share in steps:
        # Steps of all sizes towards the goal, most of them too large.
        T = StraightLine(wire.tcp_pose(), transform(goal)).at(min(1.0, share**4))
        with contextlib.suppress(ArmError):
            arm.servo(T, duration_s=PERIOD_S)


@settings(max_examples=CASES // 8, deadline=None)
@given(
    st.lists(
        st.tuples(st.one_of(near, poses), st.floats(0.05, 5.0), st.floats(0.1, 20.0), st.integers(1, 12)),
        min_size=1,
        max_size=5,
    )
)
def test_steering_makes_steps_that_all_pass_and_comes_to_rest(goals):
    _, arm = started()
    stepper = ServoStepper(arm.tcp_pose(), LIMITS, PERIOD_S)
    for goal, speed, acceleration, count in goals:
        for _ in range(count):
            arm.servo(stepper.step(transform(goal), speed, acceleration), duration_s=PERIOD_S)
    for _ in range(20):
        if not stepper.rests:
            arm.servo(stepper.brake(), duration_s=PERIOD_S)
    assert stepper.rests


@settings(max_examples=CASES, deadline=None)
@given(
    st.tuples(anything, anything, anything),
    st.tuples(*[st.floats(-3.2, 3.2)] * 3),
    st.one_of(anything, st.floats(0.0, 0.1)),
    st.one_of(anything, st.floats(0.0, 0.05)),
    st.one_of(st.none(), near),
)
def test_no_grasp_whatever_it_says_moves_the_arm_out_of_its_limits(position, turn, width, depth, likely):
    _, arm = started()
    place = position if likely is None else likely[:3]  # every second time one that may pass
    R = transform((0.0, 0.0, 0.0, *(turn if likely is None else likely[3:])))[:3, :3] @ R_GRASP_TCP.T
    motion = PickMotion(arm, MotionConfig(), TargetConfig().transit_height_m, StopSwitch())
    with contextlib.suppress(ArmError, PickFailed, ValueError):
        grasp = GraspGroup.from_arrays(
            scores=[0.9], widths=[width], depths=[depth], rotation_matrices=[R], translations=[place]
        )
        target = aim_grasp(grasp, arm, LIMITS, TargetConfig())
        motion.to_waypoint(target)
        motion.to_grasp(target)
        motion.lift()
        motion.to_drop(1)
        motion.home()


class Fingers(KinematicGripper):
    """Remembers what it was told."""

    def __init__(self) -> None:
        super().__init__(time_scale=0.0)
        self.told: list[tuple[float, float, float]] = []
        self.connect()
        self.activate()

    def move(self, width_m, *, speed, force):
        self.told.append((width_m, speed, force))
        return super().move(width_m, speed=speed, force=force)


@settings(max_examples=CASES, deadline=None)
@given(anything, anything, anything)
def test_no_gripper_command_is_harder_than_the_limits(width, speed, force):
    fingers = Fingers()
    gripper = SafeGripper(fingers, SafetyLimits(max_grip_force_n=60.0))
    with contextlib.suppress(ValueError):
        gripper.move(width, speed=speed, force=force)
    for told_width, told_speed, told_force in fingers.told:
        assert 0.0 <= told_width < math.inf
        assert 0.0 <= told_speed <= 1.0
        assert 20.0 + told_force * (235.0 - 20.0) <= 60.0 + 1e-9
