# SPDX-License-Identifier: Apache-2.0
"""The run that clears a bin: when it goes on, when it ends, and how it stops."""

import threading
import time

import numpy as np
import pytest
from pick_rig import LIMITS, Rig, fails, grasps, perception

from anygrasp_perception.grasp_group import GraspGroup
from robot_drivers.arms.arm import ArmLost, ArmStopped, UnreachablePose
from robot_drivers.executors.bin_picking import BinPickingConfig, BinPickingExecutor
from robot_drivers.executors.failure_memory import FailureMemoryConfig
from robot_drivers.executors.grasp_target import TargetConfig
from robot_drivers.executors.motion import MotionConfig
from robot_drivers.executors.perception import Perception, PerceptionError
from robot_drivers.executors.pick import GripConfig
from robot_drivers.executors.pick_errors import PickError, PickFailed
from robot_drivers.grippers.gripper import GripperLost
from robot_drivers.safety import SafetyLimits

SHORT = BinPickingConfig(max_empty_perceptions=3)
NOTHING = GraspGroup.empty()


class BinRig(Rig):
    """Perceives the objects that still lie at their places, and closes the fingers on what is there."""

    def __init__(self, objects=(), config=SHORT, limits=LIMITS):
        super().__init__()
        self.objects = [np.array(place) for place in objects]
        self.asked_s = []  # newer_than_s of each perception
        self.failures = []  # exceptions that the next perceptions raise; None: no failure
        self.misses = set()  # numbers of the finger moves that miss the object
        self.look = self.perceive
        self.gripper.find_object = self.take_object
        self.executor = BinPickingExecutor(
            config,
            self.safe_arm,
            self.gripper,
            lambda newer_than_s: self.look(newer_than_s),
            self.clock,
            limits,
            self.on_event,
        )

    def perceive(self, newer_than_s):
        self.asked_s.append(newer_than_s)
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        self.clock.now_s = max(self.clock.now_s, newer_than_s + 0.1)
        group = grasps(*self.objects) if self.objects else NOTHING
        return perception(group, stamp_s=self.clock(), decision_s=0.05, rejected={"collision": 4})

    def take_object(self):
        """Width of the object between the fingers, which is no longer on the plate."""
        tip = self.arm.tcp_pose()[:3, 3]
        for index, place in enumerate(self.objects):
            if np.linalg.norm(place - tip) < 0.02 and len(self.gripper.widths) - 1 not in self.misses:
                self.objects.pop(index)
                return 0.03
        return None


PLACES = ((0.0, -0.5, 0.05), (0.1, -0.45, 0.05), (-0.1, -0.4, 0.05))


# Runs that end by themselves


def test_a_run_clears_the_bin_and_ends_after_empty_perceptions():
    rig = BinRig(PLACES)
    result = rig.executor.clear_bin()
    assert (result.error_code, result.error_msg) == (None, "")
    assert [record.attempt for record in result.records] == [1, 2, 3]
    assert all(record.placed for record in result.records)
    assert result.empty_perceptions == 3
    assert len(rig.asked_s) == 6
    assert rig.objects == []
    assert rig.at_home()
    assert result.duration_s == pytest.approx(rig.clock() - 100.0)


def test_the_default_is_ten_empty_perceptions_as_in_the_paper():
    rig = BinRig(config=BinPickingConfig())
    result = rig.executor.clear_bin()
    assert (len(rig.asked_s), result.empty_perceptions, result.records) == (10, 10, ())


def test_only_empty_perceptions_in_a_row_count():
    rig = BinRig()
    script = iter([NOTHING, NOTHING, grasps(PLACES[0]), NOTHING, NOTHING, NOTHING])
    rig.objects = [np.array(PLACES[0])]
    rig.look = lambda newer_than_s: perception(next(script))
    result = rig.executor.clear_bin()
    assert (len(result.records), result.empty_perceptions) == (1, 3)


def test_a_run_stops_after_max_attempts_and_goes_home():
    rig = BinRig(PLACES)
    result = rig.executor.clear_bin(max_attempts=2)
    assert (len(result.records), result.error_code, result.empty_perceptions) == (2, None, 0)
    assert rig.at_home()


def test_a_run_begins_at_home_with_open_fingers():
    rig = BinRig()
    rig.gripper.move(0.01, speed=1.0, force=0.5)
    rig.leave_low()
    seen = {}
    rig.look = lambda newer_than_s: (
        seen.update(home=rig.at_home(), width_m=rig.gripper.state().width_m) or perception(NOTHING)
    )
    rig.executor.clear_bin()
    assert seen == {"home": True, "width_m": 0.085}


def test_the_arm_comes_home_when_it_sees_nothing_from_over_the_bin():
    rig = BinRig(PLACES[:1])
    homes = []
    rig.look = lambda newer_than_s: homes.append(rig.at_home()) or rig.perceive(newer_than_s)
    rig.executor.clear_bin()
    assert homes == [True, False, True, True]


def test_images_are_to_be_younger_than_the_settled_scene():
    rig = BinRig(config=BinPickingConfig(max_empty_perceptions=1, settle_s=0.7))
    rig.executor.clear_bin()
    assert rig.asked_s == [pytest.approx(101.7)]  # the way home took a second


def test_the_record_says_what_was_decided_on_and_how_long_that_took():
    rig = BinRig(PLACES[:1])
    record = rig.executor.clear_bin().records[0]
    assert record.frame_id == "camera_color_optical_frame"
    assert record.stamp_s == pytest.approx(101.3)
    assert np.allclose(record.grasp.fingertips[0], [0.0, 0.0, 0.70])  # in the camera's frame
    assert record.stages_s["perceive"] == pytest.approx(0.3)
    assert list(record.stages_s) == ["perceive", "approach", "close", "lift", "place"]
    assert record.started_s == pytest.approx(101.3)
    assert record.decision_s > 0.05


def test_events_of_an_attempt():
    rig = BinRig(PLACES[:1])
    rig.executor.clear_bin(max_attempts=1)
    assert rig.stages == ["perceive", "check", "approach", "close", "lift", "place", "done"]
    assert [record.attempt for _, record in rig.events] == [1] * 7
    assert rig.events[-1][1].placed


def test_why_no_grasp_names_refusals_and_the_detectors_reasons():
    rig = BinRig([(0.4, -0.5, 0.05), (0.5, -0.5, 0.05)])
    result = rig.executor.clear_bin()
    assert result.why_no_grasp == "2 perceived: 2 OUTSIDE_WORKSPACE; the detector dropped 4 collision"
    assert result.records == ()


# Failures that a run survives


def test_a_failed_pick_is_recorded_and_the_run_goes_on():
    rig = BinRig(PLACES)
    rig.misses = {2}  # open at home, open to the grasp, and then the fingers miss
    result = rig.executor.clear_bin()
    assert [record.error_code for record in result.records] == [PickError.NOTHING_GRASPED, None, None, None]
    assert result.error_code is None
    assert rig.objects == []


def test_a_grasp_that_fails_twice_is_not_repeated_for_ever():
    rig = BinRig(PLACES[:1])
    rig.misses = set(range(100))
    result = rig.executor.clear_bin()
    assert [record.error_code for record in result.records] == [PickError.NOTHING_GRASPED] * 2
    assert (result.error_code, result.empty_perceptions) == (None, 3)
    assert result.why_no_grasp.startswith("1 perceived: 1 FAILED_BEFORE")


def test_repeating_as_the_paper_did_can_be_had():
    config = BinPickingConfig(max_empty_perceptions=3, memory=FailureMemoryConfig(enabled=False))
    rig = BinRig(PLACES[:1], config)
    rig.misses = set(range(100))
    assert len(rig.executor.clear_bin(max_attempts=6).records) == 6


def test_the_other_object_comes_first_after_a_failure():
    rig = BinRig(PLACES[:2])
    rig.misses = {2}
    records = rig.executor.clear_bin().records
    places = [record.grasp.fingertips[0][0] for record in records]
    assert np.allclose(places, [0.0, 0.1, 0.0])


def test_an_unreachable_move_is_recorded_and_the_run_goes_on():
    rig = BinRig(PLACES[:1])
    rig.arm.before_move[2] = fails(UnreachablePose("out of reach"))
    result = rig.executor.clear_bin()
    assert [record.error_code for record in result.records] == [PickError.UNREACHABLE, None]


def test_a_perception_that_fails_now_and_then_is_asked_again():
    rig = BinRig(PLACES[:1])
    rig.failures = [
        PerceptionError("no image"),
        PerceptionError("no image"),
        None,
        PerceptionError("no image"),
    ]
    result = rig.executor.clear_bin()
    assert (len(result.records), result.error_code) == (1, None)


# Failures that end a run


@pytest.mark.parametrize("code", [PickError.NO_PERCEPTION, PickError.TF_UNAVAILABLE])
def test_a_perception_that_keeps_failing_ends_the_run(code):
    rig = BinRig(PLACES)
    rig.failures = [PerceptionError("no answer", code)] * 9
    result = rig.executor.clear_bin()
    assert result.error_code is code
    assert result.error_msg == "3 perceptions in a row failed, the last: no answer"
    assert len(rig.asked_s) == 3
    assert len(rig.arm.moves) == 1  # home, and there it stands


def test_a_lost_arm_ends_the_run_with_what_was_done():
    rig = BinRig(PLACES)
    rig.arm.before_move[8] = fails(ArmLost("no data for 2 s"))  # during the second pick
    result = rig.executor.clear_bin()
    assert (result.error_code, result.error_msg) == (PickError.ROBOT_LOST, "no data for 2 s")
    assert [record.error_code for record in result.records] == [None, PickError.ROBOT_LOST]
    assert len(rig.arm.moves) == 9
    assert rig.stages[-1] == "done"


def test_a_lost_gripper_ends_the_run():
    rig = BinRig(PLACES)
    rig.gripper.before_move[1] = fails(GripperLost("connection broke"))
    result = rig.executor.clear_bin()
    assert result.error_code is PickError.GRIPPER_LOST
    assert len(result.records) == 1


def test_an_arm_lost_before_the_first_pick_ends_the_run():
    rig = BinRig(PLACES)
    rig.arm.close()
    result = rig.executor.clear_bin()
    assert (result.error_code, result.records) == (PickError.ROBOT_LOST, ())


def test_an_arm_lost_while_selecting_ends_the_run():
    rig = BinRig(PLACES)

    def perceive_and_lose_the_arm(newer_than_s):
        rig.arm.close()
        return rig.perceive(newer_than_s)

    rig.look = perceive_and_lose_the_arm
    result = rig.executor.clear_bin()
    assert (result.error_code, result.records) == (PickError.ROBOT_LOST, ())


# Stops, on an arm that takes its time


def run_in_background(executor, **arguments):
    results = []
    thread = threading.Thread(target=lambda: results.append(executor.clear_bin(**arguments)))
    thread.start()
    return thread, results


def wait_until(condition, limit_s=10.0):
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s, "never happened"
        time.sleep(0.001)


@pytest.mark.parametrize("reason", [PickError.CANCELED, PickError.EMERGENCY_STOP])
@pytest.mark.parametrize("number", [1, 2, 4, 5])  # home, over to the waypoint, down, lift
def test_a_stop_from_another_thread_halts_the_arm_within_100_ms(reason, number):
    rig = BinRig(PLACES)
    rig.leave_low()
    rig.arm.before_move[number] = rig.arm.in_real_time
    thread, results = run_in_background(rig.executor)
    wait_until(lambda: len(rig.arm.moves) == number + 1)
    begin_s = time.monotonic()
    rig.executor.stop(reason, "told to")
    thread.join(timeout=5.0)
    assert rig.arm.rested_s - begin_s < 0.1
    assert (results[0].error_code, results[0].error_msg) == (reason, "told to")
    assert len(rig.arm.moves) == number + 1

    # Nothing moves until the stop is cleared, neither through the executor nor past it.
    rested = rig.arm.joint_positions()
    assert rig.executor.clear_bin().error_code is reason
    assert_standing(rig)
    assert np.array_equal(rig.arm.joint_positions(), rested)


def assert_standing(rig):
    """Whoever asks the arm to move is refused."""
    with pytest.raises(ArmStopped):
        rig.safe_arm.move_joints(MotionConfig().home_joints_rad, speed_rad_s=1.0, acceleration_rad_s2=1.0)


def test_after_a_cleared_stop_the_next_run_works():
    rig = BinRig(PLACES)
    rig.executor.stop(PickError.CANCELED)
    assert rig.executor.clear_bin().error_code is PickError.CANCELED
    assert rig.executor.clear_stop(PickError.CANCELED)
    assert rig.executor.stop_reason is None
    assert len(rig.executor.clear_bin().records) == 3


def test_a_new_goal_does_not_clear_an_emergency_stop():
    rig = BinRig(PLACES)
    rig.executor.stop(PickError.EMERGENCY_STOP)
    assert not rig.executor.clear_stop(PickError.CANCELED)
    result = rig.executor.clear_bin()
    assert (result.error_code, rig.arm.moves) == (PickError.EMERGENCY_STOP, [])
    assert_standing(rig)
    assert rig.executor.clear_stop()
    assert rig.executor.clear_bin(max_attempts=1).error_code is None


def test_an_arm_that_cannot_be_released_stays_stopped(monkeypatch):
    rig = BinRig(PLACES)
    rig.executor.stop(PickError.EMERGENCY_STOP)
    monkeypatch.setattr(rig.arm, "clear_stop", fails(ArmStopped("the red button is still pressed")))
    with pytest.raises(ArmStopped, match="still pressed"):
        rig.executor.clear_stop()
    assert rig.executor.stop_reason is PickError.EMERGENCY_STOP


def test_clearing_without_a_stop_of_ours_releases_the_arm():
    rig = BinRig(PLACES[:1])
    rig.arm.stop()  # somebody else's
    assert rig.executor.clear_bin().error_code is PickError.ROBOT_STOPPED
    assert rig.executor.clear_stop(PickError.CANCELED)
    assert len(rig.executor.clear_bin().records) == 1


def test_a_stop_halts_the_fingers():
    rig = BinRig(PLACES[:1])
    rig.gripper.before_move[2] = rig.gripper.slow_down
    thread, results = run_in_background(rig.executor)
    wait_until(lambda: len(rig.gripper.widths) == 3 and rig.gripper.state().moving)
    rig.executor.stop(PickError.EMERGENCY_STOP)
    thread.join(timeout=5.0)
    assert results[0].error_code is PickError.EMERGENCY_STOP
    assert rig.gripper.state().width_m > 0.03  # short of the object
    assert not results[0].records[0].placed


def test_fingers_told_to_move_at_the_moment_of_the_stop_are_halted_too():
    rig = BinRig(PLACES[:1])
    told, go_on = threading.Event(), threading.Event()

    def command_on_its_way():
        rig.gripper.slow_down()
        told.set()
        assert go_on.wait(5.0)

    rig.gripper.before_move[2] = command_on_its_way
    thread, results = run_in_background(rig.executor)
    assert told.wait(5.0)
    threading.Timer(0.01, go_on.set).start()  # the gripper hears of the command after the stop
    rig.executor.stop(PickError.CANCELED)
    thread.join(timeout=1.0)  # closing would take five
    assert results[0].error_code is PickError.CANCELED
    assert rig.gripper.state().width_m > 0.03


def test_a_stop_with_a_lost_gripper_still_halts_the_arm(caplog):
    rig = BinRig(PLACES)
    rig.gripper.close()
    rig.executor.stop(PickError.EMERGENCY_STOP)
    assert "did not take the stop" in caplog.text
    assert_standing(rig)


def test_a_stop_while_perceiving_ends_the_run():
    rig = BinRig(PLACES)

    def perceive(newer_than_s):
        assert rig.executor.stopped.wait(5.0)
        raise PerceptionError("interrupted")

    rig.look = perceive
    thread, results = run_in_background(rig.executor)
    wait_until(lambda: "perceive" in rig.stages)
    rig.executor.stop(PickError.CANCELED, "told to")
    thread.join(timeout=1.0)
    assert (results[0].error_code, results[0].error_msg) == (PickError.CANCELED, "told to")
    assert results[0].records == ()


def test_a_stop_for_another_reason_is_refused():
    with pytest.raises(ValueError, match="use CANCELED or EMERGENCY_STOP"):
        BinRig().executor.stop(PickError.BUSY)


# One goal at a time


def test_a_second_goal_is_refused_while_one_runs():
    rig = BinRig(PLACES[:1])
    answers = {}

    def perceive(newer_than_s):
        answers["clear_bin"] = rig.executor.clear_bin().error_code
        answers["pick"] = rig.executor.pick(perception(grasps(PLACES[0]))).error_code
        answers["clear_stop"] = rig.executor.clear_stop(PickError.CANCELED)
        return perception(NOTHING)

    rig.look = perceive
    result = rig.executor.clear_bin()
    assert answers == {"clear_bin": PickError.BUSY, "pick": PickError.BUSY, "clear_stop": True}
    assert result.error_code is None


def test_a_stop_is_not_cleared_under_the_run_that_it_ends():
    rig = BinRig(PLACES[:1])
    answers = []

    def perceive(newer_than_s):
        rig.executor.stop(PickError.CANCELED)
        with pytest.raises(PickFailed) as caught:
            rig.executor.clear_stop(PickError.CANCELED)
        answers.append(caught.value.code)
        return perception(NOTHING)

    rig.look = perceive
    assert rig.executor.clear_bin().error_code is PickError.CANCELED
    assert answers == [PickError.BUSY]


# The pick action


def test_pick_executes_one_grasp():
    rig = BinRig(PLACES)
    record = rig.executor.pick(perception(grasps(PLACES[1])))
    assert (record.error_code, record.placed, record.attempt) == (None, True, 1)
    assert rig.stages == ["check", "approach", "close", "lift", "place", "done"]
    assert len(rig.objects) == 2


@pytest.mark.parametrize(
    ("group", "code"),
    [
        (grasps((0.5, -0.5, 0.05)), PickError.OUTSIDE_WORKSPACE),
        (grasps(PLACES[0], tilt_rad=0.6), PickError.TILT_TOO_LARGE),
        (grasps(PLACES[0], width_m=0.09), PickError.TOO_WIDE),
    ],
)
def test_pick_of_an_impossible_grasp_moves_nothing(group, code):
    rig = BinRig(PLACES)
    record = rig.executor.pick(perception(group))
    assert record.error_code is code
    assert record.error_msg
    assert (rig.arm.moves, rig.gripper.widths) == ([], [])
    assert rig.stages == ["check", "done"]


def test_pick_while_stopped_moves_nothing():
    rig = BinRig(PLACES)
    rig.executor.stop(PickError.EMERGENCY_STOP)
    assert rig.executor.pick(perception(grasps(PLACES[0]))).error_code is PickError.EMERGENCY_STOP
    assert rig.arm.moves == []


def test_pick_that_misses_comes_home():
    rig = BinRig()
    assert rig.executor.pick(perception(grasps(PLACES[0]))).error_code is PickError.NOTHING_GRASPED
    assert rig.at_home()


@pytest.mark.parametrize("group", [NOTHING, grasps(PLACES[0], PLACES[1])])
def test_pick_takes_exactly_one_grasp(group):
    with pytest.raises(ValueError, match="give exactly one"):
        BinRig().executor.pick(perception(group))


# Set-up


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_empty_perceptions": 0}, "at least 1"),
        ({"max_failed_perceptions": 0}, "at least 1"),
        ({"settle_s": -1.0}, "settle_s is -1.0"),
        ({"target": TargetConfig(retreat_m=0.03)}, "must be less than target.retreat_m 0.03"),
    ],
)
def test_bin_picking_config_refuses(fields, message):
    with pytest.raises(ValueError, match=message):
        BinPickingConfig(**fields)


def test_executor_refuses_limits_wider_than_the_gripper():
    with pytest.raises(ValueError, match=r"max_width_m 0\.1 of the safety limits exceeds"):
        BinRig(limits=SafetyLimits(max_width_m=0.1))


def test_executor_refuses_sideways_approaches():
    with pytest.raises(ValueError, match="must be less than pi / 2"):
        BinRig(limits=SafetyLimits(max_tilt_rad=1.6))


def test_a_narrower_gripper_needs_narrower_limits():
    config = BinPickingConfig(grip=GripConfig(open_width_m=0.05))
    BinRig(config=config, limits=SafetyLimits(max_width_m=0.05))


def test_perception_needs_the_same_grasps_in_both_frames():
    with pytest.raises(ValueError, match="1 grasps in base but 0"):
        Perception(grasps(PLACES[0]), NOTHING, "camera", 0.0)
