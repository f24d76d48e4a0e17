# SPDX-License-Identifier: Apache-2.0
"""Outcomes of attempts by the true places of the fish, and what a series of trials adds up to."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anygrasp_perception.se3 import make_transform
from robot_drivers.dynamic_grasping.catch_record import CatchRecord, TrackedPose
from robot_drivers.executors.pick_errors import PickError
from robot_drivers.fish_trials.contact_sheet import save_catch_sheet
from robot_drivers.report.catch_attribution import CatchCause, judge_catches
from robot_drivers.report.catch_statistics import TrialSummary, build_catch_report, format_catch_table
from robot_drivers.report.ground_truth import CellSnapshot, ObjectState, Place

LENGTH_M = 0.14
SPEED_M_S = 0.05
DECIDED_S, CLOSED_S, ENDED_S = 2.0, 3.0, 6.0


def at(position, yaw=0.0):
    return make_transform(Rotation.from_euler("z", yaw).as_matrix(), position)


def snapshot(time_s, place=Place.ON_PLATE):
    """A carp that swims along x, and a tang beside it that stands."""
    carp = at((0.4 + SPEED_M_S * time_s, 0.0, -0.09))
    if place is Place.IN_BIN:
        carp = at((0.1, -0.48, -0.15))
    return CellSnapshot(
        time_s,
        (
            ObjectState("carp_0", "carp", place, carp, (LENGTH_M, 0.025, 0.04)),
            ObjectState("tang_1", "tang", Place.ON_PLATE, at((0.45, 0.1, -0.09)), (0.11, 0.02, 0.05)),
        ),
    )


def history(places=()):
    """Snapshots of 10 s; `places` are (from, place of the carp)."""
    shots = []
    for time_s in np.arange(0, 10, 0.05):
        place = Place.ON_PLATE
        for start_s, later in places:
            place = later if time_s >= start_s else place
        shots.append(snapshot(time_s, place))
    return shots


def record(along_m=0.0, aside_m=0.0, **changes):
    """Fingers that closed so far along and beside the carp, after it was followed for 2 s."""
    track = tuple(
        TrackedPose(t, at((0.4 + SPEED_M_S * t, 0.0, -0.08)), 1.0) for t in np.arange(0.2, DECIDED_S, 0.2)
    )
    closed = at((0.4 + SPEED_M_S * CLOSED_S + along_m, aside_m, -0.1))
    base = CatchRecord(1, 1, track, 0.2, DECIDED_S, closed, CLOSED_S, ENDED_S)
    return replace(base, **changes)


def only(*arguments):
    (outcome,) = judge_catches(*arguments)
    return outcome


def test_a_fish_that_comes_into_the_bin_is_caught():
    outcome = only([record()], history([(CLOSED_S, Place.HELD), (5.0, Place.IN_BIN)]))
    assert outcome.success
    assert outcome.cause is None
    assert (outcome.fish, outcome.kind) == ("carp_0", "carp")


def test_what_both_fingers_had_has_slipped():
    outcome = only([record(0.01)], history([(CLOSED_S, Place.HELD), (4.0, Place.ON_PLATE)]))
    assert outcome.cause is CatchCause.SLIP


@pytest.mark.parametrize(
    ("along_m", "aside_m", "cause"),
    [
        (0.08, 0.0, CatchCause.AHEAD),
        (-0.08, 0.0, CatchCause.BEHIND),
        (0.01, 0.03, CatchCause.BAD_GRASP),
    ],
)
def test_where_the_fingers_closed_tells_the_cause(along_m, aside_m, cause):
    outcome = only([record(along_m, aside_m)], history())
    assert outcome.cause is cause
    assert outcome.offset_m == pytest.approx(along_m, abs=SPEED_M_S * 0.05 + 1e-9)
    assert not outcome.success


def test_a_track_that_went_from_fish_to_fish_is_a_switch():
    track = record().track
    switched = (*track[:-2], *(replace(pose, T_base_grasp=at((0.45, 0.1, -0.08))) for pose in track[-2:]))
    outcome = only([record(track=switched)], history())
    assert outcome.cause is CatchCause.SWITCH
    assert outcome.fish == "tang_1"


def test_a_switch_before_the_buffer_of_ten_does_not_count():
    early = tuple(TrackedPose(0.01 * i, at((0.45, 0.1, -0.08)), 1.0) for i in range(3))
    steps = tuple(
        TrackedPose(t, at((0.4 + SPEED_M_S * t, 0.0, -0.08)), 1.0) for t in np.arange(0.1, DECIDED_S, 0.1)
    )
    assert only([record(0.08, track=early + steps)], history()).cause is CatchCause.AHEAD


def test_blocked_and_interrupted_are_told_apart():
    assert only([record(error_msg="did not arrive")], history()).cause is CatchCause.BLOCKED
    stopped = record().failed(PickError.EMERGENCY_STOP, "stop", 2.5)
    assert only([stopped], history()).cause is CatchCause.INTERRUPTED


def test_a_fish_counts_for_the_attempt_that_threw_it():
    second = record(attempt=2, decided_s=7.0, closed_s=7.5, ended_s=9.0)
    outcomes = judge_catches([record(), second], history([(5.0, Place.IN_BIN)]))
    assert [outcome.success for outcome in outcomes] == [True, False]


def test_without_history_nobody_knows():
    with pytest.raises(ValueError, match="history"):
        judge_catches([record()], [])


def series():
    caught = judge_catches([record()], history([(5.0, Place.IN_BIN)]))
    missed = judge_catches([record(0.08), record(-0.08, attempt=2, decided_s=7.0)], history())
    stopped = judge_catches([record().failed(PickError.CANCELED, "stop", 2.5)], history())
    return build_catch_report(
        [
            TrialSummary(0, caught, 2, 30.0, {"frames": 10}),
            TrialSummary(1, missed + stopped, 2, 40.0, {"frames": 20}, "stop"),
        ],
        {"policy": "nearest"},
    )


def test_report_adds_up_and_leaves_interrupted_attempts_out(tmp_path):
    report = series()
    assert (report.total.attempts, report.total.catches) == (3, 1)
    assert report.total.success_rate == pytest.approx(1 / 3)
    assert report.kinds["carp"].attempts == 3
    assert report.causes == {"slip": 0, "ahead": 1, "bad_grasp": 0, "behind": 1, "switch": 0}
    assert report.tracking_s == pytest.approx(DECIDED_S - 0.2)
    report.save(tmp_path / "r.json")
    saved = json.loads((tmp_path / "r.json").read_text())
    assert saved["run"] == {"policy": "nearest"}
    assert saved["fish"] == 4
    assert saved["caught_share"] == pytest.approx(0.25)
    assert [trial["seed"] for trial in saved["trials"]] == [0, 1]
    assert saved["trials"][1]["attempts_list"][0]["cause"] == "ahead"


def test_table_names_kinds_and_the_paper_s_causes():
    table = format_catch_table(series())
    assert "Carp            1 /  3   33.3 %" in table
    for cause in ("Slip", "Ahead", "Bad grasp", "Behind", "Switch"):
        assert cause in table
    assert "2 trials, 1 of 4 fish caught" in table
    assert "All" in format_catch_table(build_catch_report([], {}))


def test_contact_sheet_has_a_tile_an_attempt(tmp_path):
    outcomes = series().outcomes
    image = np.full((60, 80, 3), 200, np.uint8)
    save_catch_sheet(tmp_path / "sheet.png", [(outcome, image) for outcome in outcomes], "title")
    assert (tmp_path / "sheet.png").stat().st_size > 2000
    with pytest.raises(ValueError, match="no attempts"):
        save_catch_sheet(tmp_path / "none.png", [], "title")
