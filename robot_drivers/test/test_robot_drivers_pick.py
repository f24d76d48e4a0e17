# SPDX-License-Identifier: Apache-2.0
"""One pick, from the approach to the release, and every way in which it fails."""

import numpy as np
import pytest
from pick_rig import LIMITS, Rig, fails, grasps

from robot_drivers.arms.arm import ArmError, ArmLost, ArmState, ArmStopped, UnreachablePose
from robot_drivers.executors.grasp_target import TargetConfig, aim_grasp
from robot_drivers.executors.motion import MotionConfig, PickMotion
from robot_drivers.executors.pick import GripConfig, PickSequence
from robot_drivers.executors.pick_errors import PickError, PickFailed, as_pick_failure
from robot_drivers.executors.pick_record import PickRecord
from robot_drivers.executors.stop_switch import StopSwitch
from robot_drivers.grippers.gripper import GripperLost, GripperTimeout
from robot_drivers.safety import LimitViolation

TRANSIT_M = 0.20
MOTION = MotionConfig()
# Moves of a pick that begins at home, by their number in the log.
WAYPOINT, NEAR, GRASP, LIFT, DROP = range(5)
# Finger moves likewise.
PRESHAPE, CLOSE, RELEASE = range(3)


class PickRig(Rig):
    """A rig with a pick ready to run, and an object of 30 mm between the fingers."""

    def __init__(self):
        super().__init__()
        self.stop = StopSwitch()
        self.motion = PickMotion(self.safe_arm, MOTION, TRANSIT_M, self.stop)
        self.sequence = PickSequence(
            GripConfig(),
            self.safe_arm,
            self.gripper,
            self.motion,
            self.stop,
            self.clock,
            self.on_event,
        )
        self.gripper.find_object = lambda: 0.03
        self.target = aim_grasp(
            grasps((0.05, -0.45, 0.05), tilt_rad=0.2), self.safe_arm, LIMITS, TargetConfig()
        )

    def run(self):
        return self.sequence.run(self.target, PickRecord(attempt=1, started_s=self.clock()))


@pytest.fixture
def rig():
    return PickRig()


# The pick that works


def test_a_pick_goes_through_its_stages(rig):
    record = rig.run()
    assert rig.stages == ["approach", "close", "lift", "place"]
    assert (record.error_code, record.gripper_holds, record.placed) == (None, True, True)


def test_a_pick_moves_over_down_up_and_to_the_bin(rig):
    rig.run()
    kinds = [kind for kind, _, _ in rig.arm.moves]
    goals = [goal for _, goal, _ in rig.arm.moves]
    assert kinds == ["joints", "linear", "linear", "linear", "joints"]
    assert np.allclose(rig.arm.forward_kinematics(goals[WAYPOINT]), rig.target.T_base_waypoint)
    assert np.allclose(goals[GRASP], rig.target.T_base_tcp)
    back_m = np.linalg.norm(goals[NEAR][:3, 3] - goals[GRASP][:3, 3])
    assert back_m == pytest.approx(MOTION.final_distance_m)
    lift = goals[LIFT][:3, 3] - goals[GRASP][:3, 3]
    assert np.allclose(lift[:2], 0.0)  # straight up
    assert goals[LIFT][2, 3] == pytest.approx(TRANSIT_M)
    assert np.allclose(goals[LIFT][:3, :3], goals[GRASP][:3, :3])


def test_speeds_fall_towards_the_object(rig):
    rig.run()
    speeds = [speed for _, _, speed in rig.arm.moves]
    assert speeds == [
        MOTION.joint_speed_rad_s,
        MOTION.approach_speed_m_s,
        MOTION.final_speed_m_s,
        MOTION.lift_speed_m_s,
        MOTION.joint_speed_rad_s,
    ]


def test_the_fingers_open_to_the_grasp_close_and_open_at_the_bin(rig):
    rig.run()
    assert rig.gripper.widths == [rig.target.opening_m, 0.0, 0.085]


def test_the_fingers_are_open_before_the_arm_goes_down(rig):
    widths_at = {}
    for number in (WAYPOINT, NEAR):
        rig.arm.before_move[number] = lambda n=number: widths_at.update({n: rig.gripper.state().width_m})
    rig.run()
    assert widths_at == {WAYPOINT: 0.085, NEAR: pytest.approx(rig.target.opening_m)}


def test_a_tool_that_stands_low_goes_straight_up_first(rig):
    rig.leave_low()
    before = rig.arm.tcp_pose()
    rig.run()
    first = rig.arm.moves[0][1]
    assert np.allclose(first[:2], before[:2])
    assert first[2, 3] == pytest.approx(TRANSIT_M)


@pytest.mark.parametrize("seed", range(8))
def test_nothing_travels_over_the_plate_below_travel_height(rig, seed):
    """The joint moves, from home or over the bin to the waypoint and from the lift to the bin."""
    rng = np.random.default_rng(seed)
    tip = rng.uniform([-0.16, -0.64, 0.02], [0.16, -0.32, 0.08])
    grasp = grasps(tip, tilt_rad=rng.uniform(-0.4, 0.4), yaw_rad=rng.uniform(0.0, 2 * np.pi))
    rig.target = aim_grasp(grasp, rig.safe_arm, LIMITS, TargetConfig())
    begins = []
    rig.arm.before_move = dict.fromkeys(range(10), lambda: begins.append(rig.arm.joint_positions()))
    rig.run()
    rig.run()
    moves = zip(begins, rig.arm.moves, strict=True)
    ways = [(begin, goal) for begin, (kind, goal, _) in moves if kind == "joints"]
    assert len(ways) == 4
    for begin, goal in ways:
        for done in np.linspace(0.0, 1.0, 20):
            assert rig.arm.forward_kinematics(begin + done * (goal - begin))[2, 3] > TRANSIT_M - 1e-3


def test_the_record_tells_when_and_how_long(rig):
    record = rig.run()
    assert record.started_s == 100.0
    assert record.closed_s == 103.0  # a second a move of the arm, none of the fingers
    assert record.ended_s == 105.0
    assert record.stages_s == {"approach": 3.0, "close": 0.0, "lift": 1.0, "place": 1.0}


def test_drops_are_spread_by_the_base_joint_alike_in_every_run(rig):
    for attempt in range(1, 40):
        rig.motion.to_drop(attempt)
    goals = np.array([goal for _, goal, _ in rig.arm.moves])
    offsets = goals - MOTION.drop_joints_rad
    assert np.allclose(offsets[:, 1:], 0.0)
    assert np.all(np.abs(offsets[:, 0]) <= MOTION.drop_spread_rad)
    assert np.ptp(offsets[:, 0]) > 1.9 * MOTION.drop_spread_rad
    again = PickRig()
    again.motion.to_drop(7)
    assert np.allclose(again.arm.moves[0][1], goals[6])


def test_without_a_slow_part_the_arm_goes_down_in_one_move():
    rig = PickRig()
    motion = PickMotion(rig.safe_arm, MotionConfig(final_distance_m=0.0), TRANSIT_M, rig.stop)
    motion.to_waypoint(rig.target)
    motion.to_grasp(rig.target)
    assert len(rig.arm.moves) == 2


# Picks that fail, after which the run goes on


def assert_recovered(rig):
    """At home, fingers open, and on the way there first straight up."""
    assert rig.at_home()
    assert rig.gripper.state().width_m == pytest.approx(0.085)


def test_nothing_between_the_fingers(rig):
    rig.gripper.find_object = lambda: None
    record = rig.run()
    assert record.error_code is PickError.NOTHING_GRASPED
    assert "0.000 m" in record.error_msg
    assert (record.closed_s, record.gripper_holds, record.placed) == (103.0, False, False)
    assert rig.stages == ["approach", "close"]
    assert_recovered(rig)


def test_fingers_that_meet_are_not_an_object(rig):
    rig.gripper.find_object = lambda: 0.0005
    assert rig.run().error_code is PickError.NOTHING_GRASPED


def test_the_fingers_stay_closed_until_they_are_home_again(rig):
    rig.gripper.find_object = lambda: None
    places = {}
    rig.gripper.before_move[2] = lambda: places.update(home=rig.at_home())
    rig.run()
    assert rig.gripper.widths == [rig.target.opening_m, 0.0, 0.085]
    assert places == {"home": True}


def test_object_lost_while_lifting(rig):
    rig.arm.before_move[LIFT] = rig.gripper.lose_object
    record = rig.run()
    assert record.error_code is PickError.OBJECT_LOST
    assert "lifting" in record.error_msg
    assert (record.gripper_holds, record.placed) == (False, False)
    assert_recovered(rig)


def test_object_lost_on_the_way_to_the_bin(rig):
    rig.arm.before_move[DROP] = rig.gripper.lose_object
    record = rig.run()
    assert record.error_code is PickError.OBJECT_LOST
    assert "moving to the bin" in record.error_msg
    assert (record.gripper_holds, record.placed) == (True, False)
    assert_recovered(rig)


@pytest.mark.parametrize("number", [WAYPOINT, NEAR, GRASP, LIFT, DROP])
def test_unreachable_on_the_way(rig, number):
    rig.arm.before_move[number] = fails(UnreachablePose("out of reach"))
    record = rig.run()
    assert (record.error_code, record.error_msg) == (PickError.UNREACHABLE, "out of reach")
    assert_recovered(rig)


@pytest.mark.parametrize("code", ["OUTSIDE_WORKSPACE", "TILT_TOO_LARGE"])
def test_a_move_that_the_limits_refuse(rig, code):
    rig.arm.before_move[NEAR] = fails(LimitViolation(code, "beyond the limit"))
    record = rig.run()
    assert record.error_code is PickError(code)
    assert record.closed_s == 0.0
    assert_recovered(rig)


def test_the_failed_stage_is_timed_and_the_way_home_counts_for_the_attempt(rig):
    rig.gripper.find_object = lambda: None
    record = rig.run()
    assert record.stages_s == {"approach": 3.0, "close": 0.0}
    assert record.ended_s == 105.0  # up and home: two moves


# Failures after which nothing may move


@pytest.mark.parametrize(
    ("error", "state", "code"),
    [
        (ArmLost("no data"), ArmState.RUNNING, PickError.ROBOT_LOST),
        (ArmStopped("protective stop"), ArmState.PROTECTIVE_STOP, PickError.ROBOT_STOPPED),
        (ArmStopped("safeguard"), ArmState.SAFEGUARD_STOP, PickError.ROBOT_STOPPED),
        (ArmStopped("red button"), ArmState.EMERGENCY_STOP, PickError.EMERGENCY_STOP),
        (ArmStopped("gone"), ArmState.DISCONNECTED, PickError.ROBOT_LOST),
        (ArmError("something in the way"), ArmState.RUNNING, PickError.ROBOT_STOPPED),
    ],
)
@pytest.mark.parametrize("number", [WAYPOINT, GRASP, LIFT, DROP])
def test_an_arm_that_fails_ends_the_run(rig, number, error, state, code):
    rig.arm.before_move[number] = fails(error)
    rig.arm.reported_state = state
    record = rig.run()
    assert (record.error_code, record.error_msg) == (code, str(error))
    assert record.error_code.ends_run
    assert len(rig.arm.moves) == number + 1  # and no further
    assert len(rig.gripper.widths) == (0, 1, 1, 2, 2)[number]


@pytest.mark.parametrize("number", [PRESHAPE, CLOSE, RELEASE])
@pytest.mark.parametrize("error", [GripperLost("connection broke"), GripperTimeout("no answer")])
def test_a_gripper_that_fails_ends_the_run(rig, number, error):
    rig.gripper.before_move[number] = fails(error)
    record = rig.run()
    assert record.error_code is PickError.GRIPPER_LOST
    assert record.error_code.ends_run
    assert not record.placed
    assert len(rig.arm.moves) == (1, 3, 5)[number]
    assert len(rig.gripper.widths) == number + 1


def test_a_gripper_that_goes_with_the_arm_is_a_lost_arm(rig):
    def lose_both():
        rig.arm.reported_state = ArmState.DISCONNECTED  # whoever noticed has closed the gripper, too
        raise GripperLost("connection broke")

    rig.gripper.before_move[CLOSE] = lose_both
    record = rig.run()
    assert record.error_code is PickError.ROBOT_LOST
    assert "connection to the arm broke" in record.error_msg


def test_a_gripper_lost_while_lifting_ends_the_run(rig):
    rig.arm.before_move[LIFT] = rig.gripper.close
    record = rig.run()
    assert record.error_code is PickError.GRIPPER_LOST
    assert len(rig.arm.moves) == LIFT + 1


def test_an_arm_lost_on_the_way_home_ends_the_run(rig):
    rig.gripper.find_object = lambda: None
    rig.arm.before_move[4] = fails(ArmLost("no data"))  # up is 3, home is 4
    record = rig.run()
    assert (record.error_code, record.error_msg) == (PickError.ROBOT_LOST, "no data")
    assert rig.gripper.widths == [rig.target.opening_m, 0.0]


def test_an_arm_that_finds_no_way_home_ends_the_run(rig):
    rig.gripper.find_object = lambda: None
    rig.arm.before_move[3] = fails(UnreachablePose("blocked"))
    record = rig.run()
    assert record.error_code is PickError.ROBOT_STOPPED
    assert "after NOTHING_GRASPED: blocked" in record.error_msg


@pytest.mark.parametrize("reason", [PickError.CANCELED, PickError.EMERGENCY_STOP])
@pytest.mark.parametrize("number", [WAYPOINT, NEAR, GRASP, LIFT, DROP])
def test_a_stop_between_moves_ends_the_pick(rig, number, reason):
    rig.arm.before_move[number] = lambda: rig.stop.trip(reason, "told to")
    record = rig.run()
    assert (record.error_code, record.error_msg) == (reason, "told to")
    assert len(rig.arm.moves) == number + 1


@pytest.mark.parametrize("number", [PRESHAPE, CLOSE, RELEASE])
def test_a_stop_while_the_fingers_move_is_no_missed_grasp(rig, number):
    rig.gripper.before_move[number] = lambda: rig.stop.trip(PickError.CANCELED, "told to")
    record = rig.run()
    assert record.error_code is PickError.CANCELED
    assert not record.placed
    assert len(rig.gripper.widths) == number + 1


def test_our_own_stop_explains_an_arm_that_reports_being_stopped(rig):
    def stopped_mid_move():
        rig.stop.trip(PickError.CANCELED, "told to")
        raise ArmStopped("stopped by request")

    rig.arm.before_move[GRASP] = stopped_mid_move
    assert rig.run().error_code is PickError.CANCELED


def test_home_and_open_goes_up_first(rig):
    rig.leave_low()
    rig.sequence.home_and_open()
    assert [kind for kind, _, _ in rig.arm.moves] == ["linear", "joints"]
    assert_recovered(rig)


def test_home_and_open_reports_what_went_wrong(rig):
    rig.arm.before_move[0] = fails(ArmLost("no data"))
    with pytest.raises(PickFailed) as caught:
        rig.sequence.home_and_open()
    assert caught.value.code is PickError.ROBOT_LOST


# Codes and configs


def test_every_code_of_the_safety_limits_is_a_pick_error(rig):
    for code in ("OUTSIDE_WORKSPACE", "TILT_TOO_LARGE"):
        assert as_pick_failure(LimitViolation(code, "x"), rig.arm).code.value == code


def test_names_and_values_of_the_error_codes_agree():
    assert all(error.value == error.name for error in PickError)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"home_joints_rad": (0.0,) * 5}, "home_joints_rad"),
        ({"drop_joints_rad": (np.nan,) * 6}, "drop_joints_rad"),
        ({"drop_spread_rad": -0.1}, "drop_spread_rad is -0.1"),
        ({"lift_speed_m_s": 0.0}, "lift_speed_m_s is 0.0"),
        ({"joint_acceleration_rad_s2": -1.0}, "joint_acceleration_rad_s2 is -1.0"),
    ],
)
def test_motion_config_refuses(fields, message):
    with pytest.raises(ValueError, match=message):
        MotionConfig(**fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"min_held_width_m": 0.09}, "below open_width_m"), ({"close_force": 1.1}, "close_force is 1.1")],
)
def test_grip_config_refuses(fields, message):
    with pytest.raises(ValueError, match=message):
        GripConfig(**fields)


# The stop switch


def test_stop_switch_raises_its_reason_until_reset():
    switch = StopSwitch()
    switch.check()
    switch.trip(PickError.CANCELED, "told to")
    assert switch.event.is_set()
    with pytest.raises(PickFailed, match="told to") as caught:
        switch.check()
    assert caught.value.code is PickError.CANCELED
    switch.reset()
    assert (switch.reason, switch.event.is_set()) == (None, False)
    switch.check()


def test_an_emergency_stop_outranks_a_cancel():
    switch = StopSwitch()
    switch.trip(PickError.CANCELED)
    switch.trip(PickError.EMERGENCY_STOP)
    switch.trip(PickError.CANCELED)
    assert switch.reason is PickError.EMERGENCY_STOP
    assert not switch.yields_to(PickError.CANCELED)
    assert switch.yields_to(PickError.EMERGENCY_STOP)


def test_the_first_message_of_a_stop_stays():
    switch = StopSwitch()
    switch.trip(PickError.EMERGENCY_STOP, "first")
    switch.trip(PickError.EMERGENCY_STOP, "second")
    with pytest.raises(PickFailed, match="first"):
        switch.check()


def test_stop_switch_takes_no_other_reason():
    with pytest.raises(ValueError, match="NOTHING_GRASPED"):
        StopSwitch().trip(PickError.NOTHING_GRASPED)
