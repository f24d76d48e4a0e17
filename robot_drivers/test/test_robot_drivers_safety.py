# SPDX-License-Identifier: Apache-2.0
"""No move outside the limits ever reaches the arm, and every refusal says value and limit."""

import contextlib
import logging
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anygrasp_sim.emulators.robot_backend import HOME_JOINTS_RAD
from anygrasp_sim.emulators.rotation_vector import vector_to_rotation
from anygrasp_sim.emulators.ur_kinematics import UrKinematics
from robot_drivers.arms.arm import ArmError, ArmState, ArmStopped, UnreachablePose
from robot_drivers.arms.kinematic import KinematicArm
from robot_drivers.arms.straight_line import StraightLine
from robot_drivers.safety import LimitViolation, SafeArm, SafetyLimits

LIMITS = SafetyLimits()
LINE = {"speed_m_s": 0.5, "acceleration_m_s2": 1.0}
JOINTS = {"speed_rad_s": 1.0, "acceleration_rad_s2": 2.0}
DOWN = np.diag([1.0, -1.0, -1.0])

everything = st.floats(allow_nan=True, allow_infinity=True, width=32)
coordinates = st.floats(-1.5, 1.5)
speeds = st.floats(1e-3, 1e3)


class RecordingArm(KinematicArm):
    """A kinematic arm that remembers what it was told."""

    def __init__(self) -> None:
        super().__init__(UrKinematics("ur5e"), HOME_JOINTS_RAD, time_scale=0.0)
        self.linear_moves: list[tuple[np.ndarray, float, float]] = []
        self.joint_moves: list[tuple[np.ndarray, float, float]] = []

    def move_linear(self, T_base_tcp, *, speed_m_s, acceleration_m_s2):
        self.linear_moves.append((T_base_tcp, speed_m_s, acceleration_m_s2))
        super().move_linear(T_base_tcp, speed_m_s=speed_m_s, acceleration_m_s2=acceleration_m_s2)

    def move_joints(self, q_rad, *, speed_rad_s, acceleration_rad_s2):
        self.joint_moves.append((q_rad, speed_rad_s, acceleration_rad_s2))
        super().move_joints(q_rad, speed_rad_s=speed_rad_s, acceleration_rad_s2=acceleration_rad_s2)


def connected(limits: SafetyLimits = LIMITS) -> tuple[RecordingArm, SafeArm]:
    recorder = RecordingArm()
    arm = SafeArm(recorder, limits)
    arm.connect()
    return recorder, arm


def pose(x: float, y: float, z: float, R: np.ndarray = DOWN) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, (x, y, z)
    return T


def tilted(angle_rad: float) -> np.ndarray:
    return vector_to_rotation([angle_rad, 0.0, 0.0]) @ DOWN


def inside(position: np.ndarray, low, high) -> bool:
    return bool(np.all(position >= np.array(low) - 1e-6) and np.all(position <= np.array(high) + 1e-6))


@settings(max_examples=200, deadline=None)
@given(st.tuples(*[coordinates] * 3), st.tuples(*[st.floats(-3.2, 3.2)] * 3), speeds, speeds)
def test_no_linear_move_outside_the_limits_reaches_the_arm(position, turn, speed, acceleration):
    recorder, arm = connected()
    T_base_tcp = pose(*position, vector_to_rotation(turn) @ DOWN)
    with contextlib.suppress(LimitViolation, UnreachablePose):
        arm.move_linear(T_base_tcp, speed_m_s=speed, acceleration_m_s2=acceleration)
    for T, sent_speed, sent_acceleration in recorder.linear_moves:
        assert inside(T[:3, 3], LIMITS.workspace_min, LIMITS.workspace_max)
        assert T[2, 3] >= LIMITS.min_height_m - 1e-6
        assert -T[2, 2] >= math.cos(LIMITS.max_tilt_rad) - 1e-6
        assert sent_speed <= LIMITS.max_speed_m_s
        assert sent_acceleration <= LIMITS.max_acceleration_m_s2


@settings(max_examples=200, deadline=None)
@given(st.lists(everything, min_size=16, max_size=16))
def test_no_matrix_that_is_not_a_pose_reaches_the_arm(entries):
    recorder, arm = connected()
    T = np.array(entries).reshape(4, 4)
    with pytest.raises(LimitViolation):
        arm.move_linear(T, **LINE)
    assert recorder.linear_moves == []


@settings(max_examples=200, deadline=None)
@given(st.tuples(*[st.floats(-3.2, 3.2)] * 6), speeds, speeds)
def test_no_joint_move_outside_the_limits_reaches_the_arm(q, speed, acceleration):
    recorder, arm = connected()
    try:
        arm.move_joints(np.array(q), speed_rad_s=speed, acceleration_rad_s2=acceleration)
    except LimitViolation:
        assert recorder.joint_moves == []
    for joints, sent_speed, sent_acceleration in recorder.joint_moves:
        position = UrKinematics("ur5e").forward(joints)[:3, 3]
        assert inside(position, LIMITS.transit_min, LIMITS.transit_max)
        assert sent_speed <= LIMITS.max_joint_speed_rad_s
        assert sent_acceleration <= LIMITS.max_joint_acceleration_rad_s2


def test_a_move_within_the_limits_arrives_unchanged():
    recorder, arm = connected()
    T = pose(0.0, -0.5, 0.2, tilted(math.radians(10.0)))
    arm.move_linear(T, **LINE)
    np.testing.assert_array_equal(recorder.linear_moves[0][0], T)
    assert recorder.linear_moves[0][1:] == (0.5, 1.0)
    np.testing.assert_allclose(arm.tcp_pose(), T, atol=1e-9)


@pytest.mark.parametrize("corner", [LIMITS.workspace_min, (0.3, -0.3, 0.3)])
def test_the_limits_themselves_are_allowed(corner):
    limits = SafetyLimits(workspace_max=(0.3, -0.3, 0.3), max_tilt_rad=math.radians(25.0))
    recorder, arm = connected(limits)
    with contextlib.suppress(UnreachablePose):  # the arm's own opinion
        arm.move_linear(pose(*corner, tilted(math.radians(25.0))), **LINE)
    assert len(recorder.linear_moves) == 1


def test_a_position_outside_the_workspace_is_refused_with_value_and_limit():
    recorder, arm = connected()
    with pytest.raises(LimitViolation, match=r"0\.900.*workspace.*0\.7") as violation:
        arm.move_linear(pose(0.9, -0.4, 0.2), **LINE)
    assert violation.value.code == "OUTSIDE_WORKSPACE"
    assert isinstance(violation.value, ArmError)
    assert recorder.linear_moves == []


def test_a_tilted_tool_is_refused_with_value_and_limit():
    _, arm = connected()
    with pytest.raises(LimitViolation, match=r"30\.0 deg.*25\.0 deg") as violation:
        arm.move_linear(pose(0.0, -0.5, 0.2, tilted(math.radians(30.0))), **LINE)
    assert violation.value.code == "TILT_TOO_LARGE"


def test_a_tool_that_points_up_is_refused():
    _, arm = connected()
    with pytest.raises(LimitViolation, match=r"180\.0 deg"):
        arm.move_linear(pose(0.0, -0.5, 0.2, np.eye(3)), **LINE)


def test_the_minimum_height_holds_inside_the_workspace():
    _, arm = connected(SafetyLimits(min_height_m=0.05))
    with pytest.raises(LimitViolation, match=r"minimum height 0\.05"):
        arm.move_linear(pose(0.0, -0.5, 0.04), **LINE)


def test_the_minimum_height_holds_for_joint_moves():
    recorder, arm = connected(SafetyLimits(min_height_m=0.6))
    with pytest.raises(LimitViolation, match="minimum height"):
        arm.move_joints(np.array(HOME_JOINTS_RAD), **JOINTS)
    assert recorder.joint_moves == []


def test_joints_that_leave_the_transit_box_are_refused():
    _, arm = connected()
    with pytest.raises(LimitViolation, match="transit box") as violation:
        arm.move_joints(np.array([np.pi / 2, *HOME_JOINTS_RAD[1:]]), **JOINTS)
    assert violation.value.code == "OUTSIDE_WORKSPACE"


@pytest.mark.parametrize("joints", [[0.0] * 5, [np.nan] * 6, [np.inf, 0, 0, 0, 0, 0]])
def test_joints_that_are_none_are_refused(joints):
    recorder, arm = connected()
    with pytest.raises(LimitViolation, match="6 finite"):
        arm.move_joints(np.array(joints), **JOINTS)
    assert recorder.joint_moves == []


def test_speeds_are_cut_down_to_the_limits_and_logged(caplog):
    recorder, arm = connected()
    with caplog.at_level(logging.INFO, "robot_drivers.safety.safe_arm"):
        arm.move_linear(pose(0.0, -0.5, 0.2), speed_m_s=5.0, acceleration_m_s2=50.0)
        arm.move_joints(np.array(HOME_JOINTS_RAD), speed_rad_s=9.0, acceleration_rad_s2=0.5)
    assert recorder.linear_moves[0][1:] == (LIMITS.max_speed_m_s, LIMITS.max_acceleration_m_s2)
    assert recorder.joint_moves[0][1:] == (LIMITS.max_joint_speed_rad_s, 0.5)
    assert "speed_m_s cut down from 5.00 to its limit 1.00" in caplog.text


def test_refused_moves_are_logged(caplog):
    _, arm = connected()
    with caplog.at_level(logging.WARNING, "robot_drivers.safety.safe_arm"), pytest.raises(LimitViolation):
        arm.move_linear(pose(0.0, -0.5, -0.1), **LINE)
    assert "move refused" in caplog.text


@pytest.mark.parametrize("speed", [0.0, -1.0, math.nan])
def test_a_speed_that_is_none_is_refused(speed):
    recorder, arm = connected()
    with pytest.raises(ValueError, match="speed_m_s"):
        arm.move_linear(pose(0.0, -0.5, 0.2), speed_m_s=speed, acceleration_m_s2=1.0)
    with pytest.raises(ValueError, match="acceleration_rad_s2"):
        arm.move_joints(np.array(HOME_JOINTS_RAD), speed_rad_s=1.0, acceleration_rad_s2=speed)
    assert recorder.linear_moves == recorder.joint_moves == []


# Whole ways, not only their ends


def test_a_turn_that_tilts_the_tool_on_the_way_is_refused_although_its_ends_are_steep():
    recorder, arm = connected()
    R_start = tilted(math.radians(22.0))
    recorder._q = recorder.inverse_kinematics(pose(0.0, -0.5, 0.3, R_start))
    # Half a turn about an axis between two directions that both lean by 22 degrees: the way leans by 31.
    axis = vector_to_rotation([math.radians(11.0), math.radians(11.0), 0.0]) @ [0.0, 0.0, -1.0]
    one_way, other_way = (vector_to_rotation(turn_rad * axis) @ R_start for turn_rad in (3.1, -3.1))
    assert max(math.acos(-R[2, 2]) for R in (one_way, other_way)) < math.radians(23.0)
    with pytest.raises(LimitViolation, match=r"on the way the tool would tilt 30\.9 deg") as violation:
        arm.move_linear(pose(0.0, -0.5, 0.3, other_way), **LINE)
    assert violation.value.code == "TILT_TOO_LARGE"
    assert recorder.linear_moves == []
    arm.move_linear(pose(0.0, -0.5, 0.3, one_way), **LINE)
    assert len(recorder.linear_moves) == 1


@pytest.mark.parametrize("seed", range(20))
def test_the_highest_tilt_of_a_way_is_that_of_its_points(seed):
    rng = np.random.default_rng(seed)
    start, goal = (pose(0, 0, 0, vector_to_rotation(rng.uniform(-3, 3, 3))) for _ in range(2))
    line = StraightLine(start, goal)
    tilts = [math.acos(np.clip(-line.at(done)[2, 2], -1, 1)) for done in np.linspace(0, 1, 2001)]
    assert line.highest_tilt_rad() == pytest.approx(max(tilts), abs=1e-5)
    np.testing.assert_allclose(line.at(1.0), goal, atol=1e-12)


def test_a_way_from_outside_leads_back_in_and_nowhere_else():
    recorder, arm = connected(SafetyLimits(max_tilt_rad=math.radians(10.0)))
    recorder._q = recorder.inverse_kinematics(pose(0.0, -0.5, 0.3, tilted(math.radians(20.0))))
    arm.move_linear(pose(0.0, -0.5, 0.4, tilted(math.radians(10.0))), **LINE)
    recorder._q = recorder.inverse_kinematics(pose(0.0, -0.5, -0.02))
    arm.move_linear(pose(0.0, -0.5, 0.1), **LINE)
    recorder._q = recorder.inverse_kinematics(pose(0.0, -0.5, -0.02))
    with pytest.raises(LimitViolation, match="workspace"):
        arm.move_linear(pose(0.1, -0.5, -0.02), **LINE)


POST = (-0.05, -0.55, 0.0, 0.05, -0.45, 0.4)  # between left and right


def test_an_arm_that_rests_a_little_beyond_the_tilt_it_was_sent_to_may_go_on_but_not_tilt_more():
    recorder, arm = connected(SafetyLimits(max_tilt_rad=math.radians(25.0)))
    at_rest = tilted(math.radians(25.02))
    recorder._q = recorder.inverse_kinematics(pose(0.0, -0.5, 0.2, at_rest))
    arm.move_linear(pose(0.0, -0.5, 0.3, at_rest), **LINE)  # the lift after a grasp at the limit
    with pytest.raises(LimitViolation, match="tool tilted"):
        arm.move_linear(pose(0.0, -0.5, 0.4, tilted(math.radians(25.03))), **LINE)
    recorder._q = recorder.inverse_kinematics(pose(0.0, -0.5, 0.2, tilted(math.radians(25.2))))
    with pytest.raises(LimitViolation, match="tool tilted"):  # more than a controller leaves
        arm.move_linear(pose(0.0, -0.5, 0.3, tilted(math.radians(25.2))), **LINE)


def test_a_keep_out_box_is_not_crossed_by_a_line_whose_ends_are_free():
    recorder, arm = connected(SafetyLimits(keep_out_boxes=POST))
    recorder._q = recorder.inverse_kinematics(pose(-0.25, -0.5, 0.2))
    with pytest.raises(LimitViolation, match=r"keep-out box \(-0\.05, .*go around") as violation:
        arm.move_linear(pose(0.25, -0.5, 0.2), **LINE)
    assert violation.value.code == "OUTSIDE_WORKSPACE"
    assert recorder.linear_moves == []
    arm.move_linear(pose(-0.25, -0.5, 0.5), **LINE)  # over it
    arm.move_linear(pose(0.25, -0.5, 0.5), **LINE)
    arm.move_linear(pose(0.25, -0.5, 0.2), **LINE)
    with pytest.raises(LimitViolation, match="keep-out"):
        arm.move_linear(pose(0.0, -0.5, 0.3), **LINE)


def test_the_whole_tool_stays_out_of_keep_out_boxes_with_its_radius():
    shelf = SafetyLimits(keep_out_boxes=(-0.1, -0.6, 0.4, 0.1, -0.4, 0.5))
    places = [(0.0, 0.2), (0.15, 0.2), (0.17, 0.2), (0.0, 0.08)]  # through it, 5 cm beside it, 7 cm, below it
    entered = shelf.enters_keep_out(np.array([pose(x, -0.5, z) for x, z in places]))
    np.testing.assert_array_equal(entered[:, 0], [True, True, False, False])


def test_an_arm_inside_a_keep_out_box_may_leave_it_once():
    recorder, arm = connected(SafetyLimits(keep_out_boxes=POST))
    recorder._q = recorder.inverse_kinematics(pose(0.0, -0.5, 0.3))
    arm.move_linear(pose(0.0, -0.5, 0.5), **LINE)
    assert len(recorder.linear_moves) == 1


def both_sides(y: float) -> tuple[RecordingArm, np.ndarray, np.ndarray]:
    """An arm at the left of the plate, its joints there, and those with joint 1 turned to the right."""
    recorder, _ = connected()
    left = recorder.inverse_kinematics(pose(-0.25, y, 0.2))
    angle = 2.0 * math.atan2(0.25, -y)
    return recorder, left, left + np.array([angle, 0, 0, 0, 0, 0])


def test_a_joint_move_is_looked_at_on_its_way():
    recorder, left, right = both_sides(-0.45)
    for limits, message in (
        (SafetyLimits(keep_out_boxes=POST), "keep-out"),
        # The arc bulges away from the base, beyond a box that holds both its ends.
        (SafetyLimits(transit_min=(-0.60, -0.48, 0.05)), r"on the way the TCP would pass .*transit box"),
    ):
        recorder._q = left
        with pytest.raises(LimitViolation, match=message):
            SafeArm(recorder, limits).move_joints(right, **JOINTS)
    assert recorder.joint_moves == []
    SafeArm(recorder, LIMITS).move_joints(right, **JOINTS)
    assert len(recorder.joint_moves) == 1


def test_a_joint_move_that_turns_a_joint_too_far_is_refused():
    recorder, arm = connected()
    with pytest.raises(LimitViolation, match=r"turn by 5\.00 rad \(limit 4\.70\)") as violation:
        arm.move_joints(np.add(HOME_JOINTS_RAD, [0, 0, 0, 0, 0, 5.0]), **JOINTS)
    assert violation.value.code == "UNREACHABLE"
    assert recorder.joint_moves == []


# Servoing


def test_servo_steps_pass_within_speed_and_acceleration():
    _, arm = connected()
    x = y = 0.0
    T = arm.tcp_pose()
    speed = 0.0
    for _ in range(20):
        speed = min(0.5, speed + 3.0 * 0.02)
        x += speed * 0.02
        arm.servo(moved(T, x), duration_s=0.02)
    assert arm.tcp_pose()[0, 3] - T[0, 3] == pytest.approx(x)
    with pytest.raises(LimitViolation, match=r"change its speed by 25\.00 m/s in a second, limit 3\.00"):
        arm.servo(moved(T, x, y), duration_s=0.02)  # a sudden halt
    arm.end_servo()
    arm.servo(moved(T, x, y), duration_s=0.02)  # begun anew, from rest


def moved(T: np.ndarray, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> np.ndarray:
    T = T.copy()
    T[:3, 3] += (x, y, z)
    return T


@pytest.mark.parametrize(
    ("way", "duration_s", "message"),
    [
        ((0.5, 0.0, 0.0), 0.1, "do 5.00 m/s, limit 1.00"),
        ((0.09, 0.0, 0.0), 0.1, "speed by 9.00 m/s"),
        ((0.0, 0.0, 0.0), 0.5, "steps take 0 to 0.2 s"),
        ((0.0, 0.0, 0.0), 0.0, "steps take"),
        ((0.0, 0.0, 0.0), math.nan, "steps take"),
        ((0.0, 0.5, 0.0), 0.1, "workspace"),
        ((math.nan, 0.0, 0.0), 0.1, "not a pose"),
    ],
)
def test_a_servo_step_beyond_the_limits_is_refused(way, duration_s, message):
    recorder, arm = connected()
    before = recorder.joint_positions()
    with pytest.raises(LimitViolation, match=message):
        arm.servo(moved(arm.tcp_pose(), *way), duration_s=duration_s)
    np.testing.assert_array_equal(recorder.joint_positions(), before)


def test_a_servo_step_that_turns_too_fast_is_refused():
    _, arm = connected()
    T = arm.tcp_pose()
    T[:3, :3] = vector_to_rotation([0.0, 0.0, 0.5]) @ T[:3, :3]
    with pytest.raises(LimitViolation, match=r"5\.00 rad/s"):
        arm.servo(T, duration_s=0.1)


def test_everything_else_is_the_arms_own():
    recorder = RecordingArm()
    arm = SafeArm(recorder, LIMITS)
    assert arm.state() is ArmState.DISCONNECTED
    with arm:
        assert arm.state() is ArmState.RUNNING
        np.testing.assert_array_equal(arm.joint_positions(), HOME_JOINTS_RAD)
        np.testing.assert_array_equal(arm.forward_kinematics(arm.joint_positions()), arm.tcp_pose())
        assert arm.is_reachable(arm.tcp_pose())
        arm.stop()
        with pytest.raises(ArmStopped):
            arm.move_linear(pose(0.0, -0.5, 0.2), **LINE)
        arm.clear_stop()
        arm.move_linear(pose(0.0, -0.5, 0.2), **LINE)
    assert arm.state() is ArmState.DISCONNECTED


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"workspace_min": (0.0, -0.5, 0.0), "workspace_max": (0.0, 0.5, 0.5)}, "workspace box"),
        ({"transit_max": (0.5, 0.5)}, "transit box"),
        ({"workspace_max": (math.nan, 0.5, 0.5)}, "workspace box"),
        ({"max_tilt_rad": 0.0}, "max_tilt_rad"),
        ({"max_speed_m_s": -1.0}, "max_speed_m_s"),
        ({"max_acceleration_m_s2": math.nan}, "max_acceleration_m_s2"),
        ({"max_joint_speed_rad_s": 0.0}, "max_joint_speed_rad_s"),
        ({"max_joint_acceleration_rad_s2": 0.0}, "max_joint_acceleration_rad_s2"),
        ({"max_width_m": 0.0}, "max_width_m"),
        ({"min_height_m": math.nan}, "min_height_m"),
        ({"keep_out_boxes": (0.0, 0.0, 0.0, 1.0, 1.0)}, "keep_out_boxes"),
        ({"keep_out_boxes": (0.0, 0.0, 0.0, 1.0, 1.0, math.nan)}, "keep_out_boxes"),
        ({"keep_out_boxes": (1.0, 0.0, 0.0, 0.0, 1.0, 1.0)}, "keep_out_boxes"),
        ({"tool_radius_m": -0.1}, "tool_radius_m"),
        ({"max_servo_period_s": 0.0}, "max_servo_period_s"),
        ({"max_joint_change_rad": math.nan}, "max_joint_change_rad"),
        ({"max_grip_force_n": 0.0}, "max_grip_force_n"),
    ],
)
def test_limits_that_make_no_sense_are_refused_by_name(values, message):
    with pytest.raises(ValueError, match=message):
        SafetyLimits(**values)
