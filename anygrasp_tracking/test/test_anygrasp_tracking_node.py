# SPDX-License-Identifier: Apache-2.0
"""The tracking node over real DDS: it follows, predicts, and says what is wrong with what it is given."""

import math

import numpy as np
import pytest
from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion
from sensor_msgs.msg import Image
from tracking_bench import FRAME, TrackingBench, grasps_at, mask_of, seconds

from anygrasp_msgs.msg import Grasp, GraspArray, TrackedGrasp
from anygrasp_msgs.srv import SelectTrack

LEFT, RIGHT = (-0.10, 0.0, 0.5), (0.10, 0.0, 0.5)
WITHIN_S = 2.0  # of the stamps after which a target that is not seen is lost


@pytest.fixture(scope="module")
def bench():
    bench = TrackingBench(
        source="grasps",
        policy="nearest",
        look_ahead_s=0.5,
        **{
            "tracker.workspace_min": "[-0.3, -0.3, 0.0]",
            "tracker.workspace_max": "[0.3, 0.3, 1.0]",
        },
    )
    yield bench
    bench.close()


@pytest.fixture(autouse=True)
def node_lives_on(bench):
    """After whatever a test did, grasps can be followed again."""
    yield
    assert bench.reset().error_code == ""
    assert bench.show(LEFT, after_s=5.0).grasps == []
    assert bench.select(mode=SelectTrack.Request.BEST, count=1).error_code == ""
    assert bench.show(LEFT).grasps[0].state == TrackedGrasp.TRACKED
    bench.reset()


def position(grasp):
    return (grasp.pose.position.x, grasp.pose.position.y, grasp.pose.position.z)


def follow(bench, *positions):
    """The only target, once chosen and seen in two frames."""
    bench.show(*positions, after_s=2.0)
    response = bench.select(mode=SelectTrack.Request.BEST, count=1)
    assert response.error_code == ""
    (target,) = bench.show(*positions).grasps
    return target


def test_nothing_is_followed_until_it_is_chosen(bench):
    assert bench.show(LEFT, RIGHT).grasps == []


def test_best_targets_keep_their_ids_while_they_move(bench):
    bench.show(LEFT, RIGHT)
    response = bench.select(mode=SelectTrack.Request.BEST, count=2)
    ids = [target.track_id for target in response.targets]
    assert len(set(ids)) == 2
    for step in range(1, 4):
        moved = [(x + 0.01 * step, y, z) for x, y, z in (LEFT, RIGHT)]
        told = bench.show(*moved)
        assert [target.track_id for target in told.grasps] == ids
        assert told.header.frame_id == FRAME
        for target, expected in zip(told.grasps, moved, strict=True):
            assert position(target.grasp) == pytest.approx(expected, abs=1e-6)


def test_predicted_pose_and_frames_go_where_the_motion_leads(bench):
    follow(bench, LEFT)
    for step in range(1, 6):  # 0.2 m/s along x
        at = (LEFT[0] + 0.02 * step, *LEFT[1:])
        bench.show(at)
    later_s = bench.time_s + 0.5
    predicted = bench.predicted.find(lambda m: abs(seconds(m.header.stamp) - later_s) < 1e-6)
    assert predicted.header.frame_id == FRAME
    assert predicted.pose.position.x == pytest.approx(at[0] + 0.5 * 0.2, abs=0.01)
    sent = bench.tf.find(lambda m: abs(seconds(m.transforms[-1].header.stamp) - later_s) < 1e-6)
    frames = {t.child_frame_id: t for t in sent.transforms}
    assert set(frames) == {"grasp_target", "grasp_predicted"}
    assert frames["grasp_target"].transform.translation.x == pytest.approx(at[0], abs=1e-6)
    assert frames["grasp_predicted"].transform.translation.x == pytest.approx(predicted.pose.position.x)


def test_selection_by_region_and_by_the_nearest_pose(bench):
    bench.show(LEFT, RIGHT)
    inside = bench.select(
        mode=SelectTrack.Request.IN_REGION,
        count=1,
        region_min=Point(x=0.0, y=-1.0, z=0.0),
        region_max=Point(x=1.0, y=1.0, z=1.0),
    )
    assert position(inside.targets[0].grasp) == pytest.approx(RIGHT, abs=1e-6)
    pose = Pose(position=Point(x=-0.08, y=0.0, z=0.5), orientation=Quaternion(w=1.0))
    near = bench.select(mode=SelectTrack.Request.NEAREST, count=1, frame=FRAME, pose=pose)
    assert position(near.targets[0].grasp) == pytest.approx(LEFT, abs=1e-6)
    assert near.targets[0].track_id != inside.targets[0].track_id


def test_selection_on_a_mask_of_the_image(bench):
    bench.show(LEFT, RIGHT)
    bench.show_camera(fx=0.0)
    mask = mask_of(slice(33, 64))
    without_camera = bench.select(mode=SelectTrack.Request.ON_MASK, count=1, mask=mask)
    assert (without_camera.error_code, without_camera.targets) == ("BAD_REQUEST", [])
    assert "camera_info" in without_camera.error_msg
    bench.show_camera()
    (right,) = bench.select(mode=SelectTrack.Request.ON_MASK, count=2, mask=mask).targets
    assert position(right.grasp) == pytest.approx(RIGHT, abs=1e-6)
    nothing = mask_of(slice(0, 0))
    assert bench.select(mode=SelectTrack.Request.ON_MASK, count=1, mask=nothing).error_code == "NO_GRASPS"


@pytest.mark.parametrize(
    ("change", "word"),
    [({}, "no pixels"), ({"width": 32, "height": 48}, "(48, 64)"), ({"encoding": "rgb8"}, "rgb8")],
)
def test_a_mask_that_is_none_is_refused_with_the_fix(bench, change, word):
    bench.show(LEFT)
    bench.show_camera()
    mask = mask_of(slice(0, 64)) if change else Image()
    for name, value in change.items():
        setattr(mask, name, value)
    response = bench.select(mode=SelectTrack.Request.ON_MASK, count=1, mask=mask)
    assert (response.error_code, response.targets) == ("BAD_REQUEST", [])
    assert word in response.error_msg


def test_one_of_several_targets_is_kept_by_its_id(bench):
    bench.show(LEFT, RIGHT)
    targets = bench.select(mode=SelectTrack.Request.BEST, count=2).targets
    kept = bench.select(mode=SelectTrack.Request.BY_ID, track_id=targets[1].track_id)
    assert [target.track_id for target in kept.targets] == [targets[1].track_id]
    assert [target.track_id for target in bench.show(LEFT, RIGHT).grasps] == [targets[1].track_id]


def test_an_id_that_is_not_followed_is_refused_and_changes_nothing(bench):
    target = follow(bench, LEFT)
    response = bench.select(mode=SelectTrack.Request.BY_ID, track_id=4711)
    assert response.error_code == "UNKNOWN_ID"
    assert "4711" in response.error_msg
    assert str(target.track_id) in response.error_msg
    assert [kept.track_id for kept in bench.show(LEFT).grasps] == [target.track_id]


@pytest.mark.parametrize(
    ("fields", "code", "word"),
    [
        ({"mode": SelectTrack.Request.BEST, "count": 0}, "BAD_REQUEST", "count"),
        ({"mode": 9, "count": 1}, "BAD_REQUEST", "mode 9"),
        (
            {"mode": SelectTrack.Request.IN_REGION, "count": 1, "region_min": Point(x=1.0)},
            "BAD_REQUEST",
            "region",
        ),
        (
            {"mode": SelectTrack.Request.NEAREST, "count": 1, "pose": Pose(orientation=Quaternion(w=0.0))},
            "BAD_REQUEST",
            "norm",
        ),
        (
            {"mode": SelectTrack.Request.IN_REGION, "count": 1, "frame": "nowhere"},
            "TF_UNAVAILABLE",
            "nowhere",
        ),
        (
            {"mode": SelectTrack.Request.IN_REGION, "count": 1, "region_max": Point(x=0.01, y=0.01, z=0.01)},
            "NO_GRASPS",
            "widen",
        ),
    ],
)
def test_a_selection_that_makes_no_sense_is_refused_with_the_fix(bench, fields, code, word):
    bench.show(LEFT)
    response = bench.select(**fields)
    assert (response.error_code, response.targets) == (code, [])
    assert word in response.error_msg


def test_a_frame_out_of_order_is_dropped_and_counted(bench):
    target = follow(bench, LEFT)
    before = int(bench.diagnosis().get("dropped.out_of_order", 0))
    bench.publish(grasps_at(RIGHT), bench.time_s - 0.05)
    bench.diagnosis(dropped__out_of_order=before + 1)
    (kept,) = bench.show(LEFT).grasps
    assert (kept.track_id, kept.state) == (target.track_id, TrackedGrasp.TRACKED)


def test_time_that_begins_anew_loses_the_target_and_goes_on(bench):
    target = follow(bench, LEFT)
    before = int(bench.diagnosis().get("dropped.out_of_order", 0))
    bench.time_s -= 8.0
    bench.publish(grasps_at(LEFT), bench.time_s)  # one early frame may be a straggler
    bench.diagnosis(dropped__out_of_order=before + 1)
    (lost,) = bench.show(LEFT).grasps
    assert (lost.track_id, lost.state) == (target.track_id, TrackedGrasp.LOST)
    assert "jumped back" in lost.lost_reason


def test_a_camera_that_stops_for_longer_than_a_second_loses_the_target(bench):
    target = follow(bench, LEFT)
    (lost,) = bench.show(LEFT, after_s=1.2).grasps
    assert (lost.track_id, lost.state) == (target.track_id, TrackedGrasp.LOST)
    assert "no frame for 1.2" in lost.lost_reason
    assert bench.show(LEFT).grasps == []


def test_a_silent_camera_is_a_warning(bench):
    warning = bench.diagnostics.find(lambda m: "does the camera run" in m.status[0].message)
    assert warning.status[0].level != b"\0"


def test_empty_frames_occlude_the_target_which_is_found_again_or_lost(bench):
    target = follow(bench, LEFT)
    (unseen,) = bench.show().grasps
    assert (unseen.track_id, unseen.state) == (target.track_id, TrackedGrasp.OCCLUDED)
    (found,) = bench.show(LEFT).grasps
    assert (found.track_id, found.state) == (target.track_id, TrackedGrasp.TRACKED)
    states = [bench.show(after_s=0.3).grasps[0] for _ in range(4)]
    assert [told.state for told in states] == [TrackedGrasp.OCCLUDED] * 3 + [TrackedGrasp.LOST]
    assert "not seen" in states[-1].lost_reason
    response = bench.select(mode=SelectTrack.Request.BEST, count=1)
    assert response.error_code == "NO_GRASPS"


def test_a_target_that_leaves_the_workspace_is_lost(bench):
    bench.show((0.28, 0.0, 0.5))
    bench.select(mode=SelectTrack.Request.BEST, count=1)
    bench.show((0.295, 0.0, 0.5))
    (lost,) = bench.show((0.31, 0.0, 0.5)).grasps
    assert lost.state == TrackedGrasp.LOST
    assert "left the workspace" in lost.lost_reason


def test_grasps_that_are_none_are_dropped_and_counted(bench):
    target = follow(bench, LEFT)
    before = int(bench.diagnosis().get("dropped.bad_grasps", 0))
    bad = Grasp(width=0.04)
    bad.pose.position.x = math.nan
    bench.publisher.publish(GraspArray(grasps=[bad]))
    bench.diagnosis(dropped__bad_grasps=before + 1)
    assert [kept.track_id for kept in bench.show(LEFT).grasps] == [target.track_id]


def test_the_newest_frame_wins(bench):
    target = follow(bench, LEFT)
    begin_s = bench.time_s
    for step in range(1, 41):  # faster than they can be tracked
        bench.time_s = round(begin_s + 0.02 * step, 3)
        bench.publish(grasps_at((LEFT[0] + 0.001 * step, *LEFT[1:])), bench.time_s)
    last = bench.tracked.find(lambda m: abs(seconds(m.header.stamp) - bench.time_s) < 1e-6)
    assert [told.track_id for told in last.grasps] == [target.track_id]
    assert position(last.grasps[0].grasp) == pytest.approx((LEFT[0] + 0.04, *LEFT[1:]), abs=1e-6)


def test_diagnostics_tell_what_the_loop_costs(bench):
    follow(bench, LEFT)
    values = bench.values(bench.diagnostics.find(lambda m: "tracking_ms" in bench.values(m)))
    assert 0 < float(values["tracking_ms"]) <= float(values["tracking_worst_ms"])
    assert {"total_ms", "followed", "tracked", "tracker.frames"} <= set(values)


def test_after_a_reset_nothing_is_followed(bench):
    follow(bench, LEFT)
    assert bench.reset().error_code == ""
    assert bench.show(LEFT).grasps == []
    told = len(bench.predicted.messages)
    bench.show(LEFT)
    assert len(bench.predicted.messages) == told
    assert isinstance(bench.predicted.messages[-1], PoseStamped)
    assert np.isfinite(bench.predicted.messages[-1].pose.position.x)
