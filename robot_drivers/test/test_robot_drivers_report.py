# SPDX-License-Identifier: Apache-2.0
"""Judging attempts against the truth, the statistics, the table and the contact sheet."""

import json

import cv2
import numpy as np
import pytest

from anygrasp_perception.atomic_files import write_atomically
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.se3 import make_transform
from robot_drivers.executors.pick_errors import PickError
from robot_drivers.executors.pick_record import PickRecord
from robot_drivers.report.attribution import AttemptOutcome, judge_attempts
from robot_drivers.report.contact_sheet import PickPicture, render_contact_sheet, save_contact_sheet
from robot_drivers.report.ground_truth import CellSnapshot, ObjectState, Place, bin_entries, snapshot_at
from robot_drivers.report.statistics import build_report
from robot_drivers.report.table import format_table

T_WORLD_CAMERA = make_transform(np.diag([1.0, -1.0, -1.0]), [0.0, 0.0, 1.0])  # one metre up, looking down
POSITIONS = {"can": (0.0, 0.0, 0.05), "bear": (0.1, 0.0, 0.05), "nut": (0.0, 0.1, 0.01)}
CATEGORIES = {"can": "snack", "bear": "ragdoll", "nut": "hardware"}


def snapshot(stamp_s, **places):
    """The three objects, on the plate unless told otherwise."""
    return CellSnapshot(
        stamp_s,
        tuple(
            ObjectState(
                name,
                CATEGORIES[name],
                places.get(name, Place.ON_PLATE),
                make_transform(np.eye(3), position),
                (0.04, 0.04, 0.04),
            )
            for name, position in POSITIONS.items()
        ),
    )


def grasp_at(x, y):
    """Straight down at a place of the world, in the camera's frame."""
    return GraspGroup.from_arrays(
        rotation_matrices=[[[0, 0, -1], [0, 1, 0], [1, 0, 0]]],
        translations=[[x, -y, 0.96]],
        widths=[0.05],
        scores=[0.5],
        depths=[0.01],
    )


def attempt(number, started_s, closed_s, ended_s, at=(0.0, 0.0), **fields):
    return PickRecord(
        attempt=number,
        grasp=grasp_at(*at),
        started_s=started_s,
        closed_s=closed_s,
        ended_s=ended_s,
        decision_s=0.1,
        stages_s={"perceive": 1.0},
        **fields,
    )


def test_distance_to_an_oriented_box():
    turned = make_transform([[0, -1, 0], [1, 0, 0], [0, 0, 1]], [1.0, 0.0, 0.0])  # its x axis points along y
    state = ObjectState("bar", "hardware", Place.ON_PLATE, turned, (0.4, 0.1, 0.1))
    assert state.distance_m([1.0, 0.15, 0.0]) == 0.0
    assert state.distance_m([1.35, 0.0, 0.0]) == pytest.approx(0.30)
    assert state.distance_m([1.05 + 0.03, 0.2 + 0.04, 0.0]) == pytest.approx(0.05)


def test_bin_entries_takes_the_first_arrival_of_what_stayed():
    history = [
        snapshot(0.0, nut=Place.IN_BIN),
        snapshot(1.0, nut=Place.IN_BIN, can=Place.IN_BIN, bear=Place.IN_BIN),
        snapshot(2.0, nut=Place.IN_BIN, can=Place.OUTSIDE, bear=Place.OUTSIDE),
        snapshot(3.0, nut=Place.IN_BIN, can=Place.IN_BIN, bear=Place.OUTSIDE),
    ]
    assert bin_entries(history) == {"can": 1.0}  # the nut was there before, the bear jumped out


def test_bin_entries_of_no_history():
    assert bin_entries([]) == {}


@pytest.mark.parametrize(("stamp_s", "expected"), [(0.5, 1.0), (1.0, 1.0), (1.9, 1.0), (5.0, 2.0)])
def test_snapshot_at_is_the_last_one_before(stamp_s, expected):
    assert snapshot_at([snapshot(1.0), snapshot(2.0)], stamp_s).stamp_s == expected


def test_an_object_counts_for_the_attempt_that_closed_last_before_it_arrived():
    history = [snapshot(0.0), snapshot(14.0), snapshot(15.0, bear=Place.IN_BIN)]
    records = [attempt(1, 1.0, 3.0, 8.0), attempt(2, 9.0, 11.0, 14.5), attempt(3, 20.0, 22.0, 25.0)]
    outcomes = judge_attempts(records, history, T_WORLD_CAMERA)
    assert [outcome.success for outcome in outcomes] == [False, True, False]
    assert outcomes[1].brought == ("bear",)
    assert outcomes[1].category == "ragdoll"  # what it brought, though the can was nearer to the grasp


def test_an_attempt_that_never_closed_takes_no_credit():
    history = [snapshot(0.0), snapshot(6.0, can=Place.IN_BIN)]
    records = [attempt(1, 1.0, 3.0, 4.0), attempt(2, 5.0, 0.0, 5.5, error_code=PickError.UNREACHABLE)]
    assert [outcome.success for outcome in judge_attempts(records, history, T_WORLD_CAMERA)] == [True, False]


def test_two_objects_at_once_are_one_success_and_both_cleared():
    history = [
        snapshot(0.0),
        snapshot(5.0, can=Place.IN_BIN),
        snapshot(5.1, can=Place.IN_BIN, nut=Place.IN_BIN),
    ]
    outcomes = judge_attempts([attempt(1, 1.0, 3.0, 6.0)], history, T_WORLD_CAMERA)
    assert outcomes[0].brought == ("can", "nut")
    report = build_report(outcomes, 10.0, history)
    assert (report.total.successes, report.total.cleared) == (1, 2)
    assert (report.categories["snack"].successes, report.categories["snack"].cleared) == (1, 1)
    assert (report.categories["hardware"].attempts, report.categories["hardware"].cleared) == (0, 1)


def test_the_category_of_a_lost_object_is_that_of_the_one_held():
    history = [snapshot(0.0), snapshot(4.0, nut=Place.HELD), snapshot(6.0, nut=Place.OUTSIDE)]
    outcome = judge_attempts([attempt(1, 1.0, 3.0, 6.0)], history, T_WORLD_CAMERA)[0]
    assert (outcome.category, outcome.success) == ("hardware", False)


@pytest.mark.parametrize(
    ("at", "category"), [((0.01, 0.0), "snack"), ((0.08, 0.0), "ragdoll"), ((0.0, 0.09), "hardware")]
)
def test_the_category_of_a_miss_is_that_of_the_nearest_object(at, category):
    records = [attempt(1, 1.0, 3.0, 6.0, at=at)]
    outcome = judge_attempts(records, [snapshot(0.0), snapshot(9.0)], T_WORLD_CAMERA)[0]
    assert outcome.category == category


def test_the_nearest_object_is_sought_where_the_objects_were_before_the_attempt():
    history = [snapshot(0.0), snapshot(2.0, can=Place.IN_BIN), snapshot(9.0, can=Place.IN_BIN)]
    outcome = judge_attempts([attempt(2, 5.0, 7.0, 8.0)], history, T_WORLD_CAMERA)[0]
    assert outcome.category == "ragdoll"  # the can at the grasp had left before


def test_judging_by_truth_needs_the_camera():
    with pytest.raises(ValueError, match="T_world_camera"):
        judge_attempts([attempt(1, 1.0, 3.0, 6.0)], [snapshot(0.0)])


def test_without_truth_the_gripper_is_believed():
    records = [
        attempt(1, 1.0, 3.0, 5.0, placed=True),
        attempt(2, 6.0, 8.0, 9.0, error_code=PickError.NOTHING_GRASPED),
    ]
    outcomes = judge_attempts(records)
    assert [(outcome.category, outcome.success) for outcome in outcomes] == [("all", True), ("all", False)]
    total = build_report(outcomes, 10.0).total
    assert (total.attempts, total.successes, total.objects, total.cleared) == (2, 1, None, 1)
    assert total.object_success_rate is None


@pytest.fixture
def outcomes():
    """Four attempts: the can at the second try, the bear, and a cancel."""
    return [
        AttemptOutcome(attempt(1, 1.0, 3.0, 8.0, error_code=PickError.OBJECT_LOST), "snack", False),
        AttemptOutcome(attempt(2, 9.0, 11.0, 18.0), "snack", True, ("can",)),
        AttemptOutcome(attempt(3, 19.0, 21.0, 28.0), "ragdoll", True, ("bear",)),
        AttemptOutcome(attempt(4, 29.0, 0.0, 30.0, error_code=PickError.CANCELED), "hardware", False),
    ]


@pytest.fixture
def report(outcomes):
    history = [snapshot(0.0), snapshot(40.0, can=Place.IN_BIN, bear=Place.IN_BIN)]
    return build_report(outcomes, 40.0, history, {"seed": 3})


def test_rates_count_attempts_and_objects(report):
    assert report.total.attempt_success_rate == pytest.approx(2 / 3)  # the canceled one is no attempt
    assert report.total.object_success_rate == pytest.approx(2 / 3)
    assert report.categories["snack"].attempt_success_rate == pytest.approx(1 / 2)
    assert report.categories["snack"].object_success_rate == 1.0
    assert report.categories["hardware"].attempt_success_rate is None
    assert report.categories["hardware"].object_success_rate == 0.0


def test_picks_per_hour_of_the_run_and_of_the_time_spent_on_a_category(report):
    assert report.total.picks_per_hour == pytest.approx(2 * 3600 / 40.0)
    assert report.categories["snack"].picks_per_hour == pytest.approx(3600 / 18.0)  # looking began at 0 s
    assert report.categories["ragdoll"].picks_per_hour == pytest.approx(3600 / 10.0)
    assert report.categories["hardware"].picks_per_hour is None


def test_decision_time_is_the_mean_over_attempts(report):
    assert report.total.decision_ms == pytest.approx(100.0)


def test_run_entry_tells_set_up_and_failures(report):
    assert report.run == {
        "seed": 3,
        "duration_s": 40.0,
        "interrupted": 1,
        "failures": {"OBJECT_LOST": 1, "CANCELED": 1},
    }


def test_an_attempt_without_error_that_missed_the_bin_has_a_reason_of_its_own():
    outcome = AttemptOutcome(attempt(1, 1.0, 3.0, 8.0, placed=True), "toy", False)
    assert build_report([outcome], 10.0).run["failures"] == {"NOT_IN_BIN": 1}


def test_categories_come_in_the_order_of_the_paper(outcomes):
    extra = AttemptOutcome(attempt(5, 31.0, 33.0, 35.0), "adversarial", True)
    assert list(build_report([*outcomes, extra], 40.0).categories) == ["snack", "ragdoll", "adversarial"]


def test_report_of_a_run_without_attempts():
    report = build_report([], 12.0, [snapshot(0.0), snapshot(12.0)])
    assert (report.total.attempts, report.total.objects, report.total.cleared) == (0, 3, 0)
    assert report.total.picks_per_hour is None
    assert report.total.decision_ms is None


def test_saved_report_has_the_promised_keys(report, tmp_path):
    path = tmp_path / "report.json"
    report.save(path)
    content = json.loads(path.read_text())
    assert list(content) == ["run", "total", "hardware", "snack", "ragdoll"]
    for name in ("total", "hardware", "snack", "ragdoll"):
        assert {"attempts", "successes", "objects", "cleared", "picks_per_hour", "decision_ms"} <= set(
            content[name]
        )
    assert content["total"]["cleared"] == 2
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    path.write_bytes(b"old")

    def full_disk(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("anygrasp_perception.atomic_files.os.replace", full_disk)
    with pytest.raises(OSError, match="no space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


def test_writing_into_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "missing" / "report.json", b"new")


def words(line):
    return " ".join(line.split())


def test_table_shows_both_rates(report):
    lines = format_table(report).splitlines()
    assert words(lines[0]) == "Object Attempt-centric Object-centric Picks/h Decision"
    assert [line.split()[0] for line in lines[2:5]] == ["Hardware", "Snack", "Ragdoll"]
    assert lines[3].split() == [
        "Snack",
        "1",
        "/",
        "2",
        "50.0",
        "%",
        "1",
        "/",
        "1",
        "100.0",
        "%",
        "200",
        "100",
        "ms",
    ]
    assert lines[-1].split() == [
        "All",
        "2",
        "/",
        "3",
        "66.7",
        "%",
        "2",
        "/",
        "3",
        "66.7",
        "%",
        "180",
        "100",
        "ms",
    ]


def test_table_without_truth_leaves_the_objects_open():
    outcomes = judge_attempts([attempt(1, 1.0, 3.0, 5.0, placed=True)])
    lines = format_table(build_report(outcomes, 36.0)).splitlines()
    assert len(lines) == 3
    assert words(lines[-1]) == "All 1 / 1 100.0 % 1 of ? 100 100 ms"


def test_table_of_a_run_without_attempts():
    assert format_table(build_report([], 12.0)).splitlines()[-1].split() == [
        "All",
        "-",
        "0",
        "of",
        "?",
        "-",
        "-",
    ]


CAMERA = CameraIntrinsics(600.0, 600.0, 319.5, 239.5, 640, 480)


def picture(outcome):
    return PickPicture(outcome, np.full((480, 640, 3), 90, np.uint8), CAMERA)


def test_contact_sheet_has_a_tile_a_pick(outcomes):
    one = render_contact_sheet([picture(outcomes[0])], "one")
    five = render_contact_sheet([picture(outcome) for outcome in [*outcomes, outcomes[0]]], "five", columns=3)
    tile_height, tile_width = one.shape[0] - 64 - 12, one.shape[1] - 12
    assert five.shape == (2 * tile_height + 64 + 12, 3 * tile_width + 12, 3)


def test_contact_sheet_draws_the_grasp_and_the_verdict(outcomes):
    good = render_contact_sheet([picture(outcomes[1])], "good")
    bad = render_contact_sheet([picture(outcomes[0])], "bad")

    def has_color(image, color):
        return bool((image == np.array(color, np.uint8)).all(axis=-1).any())

    assert has_color(good, (22, 140, 70))
    assert not has_color(good, (200, 46, 40))
    assert has_color(bad, (200, 46, 40))
    tile = good[64 : 64 + 300, 12 : 12 + 400]
    assert (tile != 90).any(axis=-1).sum() > 500  # the wireframe


def test_a_grasp_at_the_edge_of_the_image_is_still_drawn_within_it(outcomes):
    record = attempt(1, 1.0, 3.0, 6.0, at=(0.5, 0.38))  # projects into the image's corner
    sheet = render_contact_sheet([picture(AttemptOutcome(record, "toy", True))], "edge")
    assert (sheet[64 : 64 + 300, 12 : 12 + 400] != 90).any()


def test_an_image_smaller_than_a_tile_fills_it(outcomes):
    camera = CameraIntrinsics(100.0, 100.0, 79.5, 59.5, 160, 120)
    small = PickPicture(outcomes[1], np.full((120, 160, 3), 90, np.uint8), camera)
    assert (
        render_contact_sheet([small], "small").shape == render_contact_sheet([picture(outcomes[1])], "").shape
    )


def test_saved_contact_sheet_is_a_png_in_true_colours(outcomes, tmp_path):
    path = tmp_path / "sheet.png"
    save_contact_sheet(path, [picture(outcomes[1])], "run")
    saved = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    assert np.array_equal(saved, render_contact_sheet([picture(outcomes[1])], "run"))


def test_contact_sheet_of_no_picks_is_refused():
    with pytest.raises(ValueError, match="no picks"):
        render_contact_sheet([], "none")


def test_contact_sheet_without_columns_is_refused(outcomes):
    with pytest.raises(ValueError, match="columns is 0"):
        render_contact_sheet([picture(outcomes[0])], "none", columns=0)
