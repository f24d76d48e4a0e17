# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.grasp import HALF_TURN_X
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.se3 import make_transform
from anygrasp_tracking.correspondence import AssociationPolicy, NearestPolicy
from anygrasp_tracking.pose_smoothing import SmoothingConfig
from anygrasp_tracking.selection import Best, InRegion, NearestTo, NoGrasps, OnMask
from anygrasp_tracking.switch_guard import SwitchGuardConfig
from anygrasp_tracking.target import TrackState
from anygrasp_tracking.tracker import GraspTracker, TrackerConfig, UnknownTarget
from anygrasp_tracking.tracking_frame import TrackingFrame

STEP_S = 0.2


def frame(time_s, positions, scores=None, yaws=0.0, ids=None):
    positions = np.asarray(positions, dtype=float).reshape(-1, 3)
    count = len(positions)
    yaws = np.broadcast_to(yaws, count)
    down = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    grasps = GraspGroup.from_arrays(
        rotation_matrices=np.array([Rotation.from_euler("z", a).as_matrix() @ down for a in yaws]).reshape(
            -1, 3, 3
        ),
        translations=positions,
        widths=0.03,
        depths=0.01,
        scores=np.linspace(1, 0.5, count) if scores is None else scores,
        object_ids=np.arange(count) if ids is None else ids,
    )
    return TrackingFrame(time_s, grasps)


def by_object(frame):
    """Features that tell objects apart as well as can be: one axis an object."""
    return np.eye(8)[frame.grasps.object_ids]


def twins(frame):
    """Features in which every grasp looks the same."""
    return np.ones((len(frame.grasps), 4))


def tracker(policy=None, **config):
    return GraspTracker(policy or AssociationPolicy(by_object), TrackerConfig(**config))


def only(result):
    (target,) = result.targets
    return target


def test_follows_the_best_by_its_features_under_one_id():
    follower = tracker()
    follower.update(frame(0.0, [[0, 0, 0], [0.1, 0, 0]]))
    (chosen,) = follower.select(Best())
    for step in range(1, 8):
        x = 0.02 * step
        target = only(follower.update(frame(STEP_S * step, [[0.1 - x, 0, 0], [x, 0, 0]], ids=[1, 0])))
        assert target.track_id == chosen.track_id
        assert target.state is TrackState.TRACKED
        assert target.correspondence == pytest.approx(1.0)
        np.testing.assert_allclose(target.grasp.translations[0], [x, 0, 0])


def test_nearest_takes_the_other_of_two_that_pass_each_other_association_does_not():
    ends = {}
    for policy in (NearestPolicy(), AssociationPolicy(by_object)):
        follower = tracker(policy)
        for step in range(12):
            x = 0.02 * step
            seen = [[x, 0, 0], [0.2 - x, 0.012, 0]]
            if step in (5, 6):
                seen = seen[1:]  # the target is hidden while the other passes
            result = follower.update(frame(STEP_S * step, seen, ids=[0, 1][-len(seen) :]))
            if step == 0:
                follower.select(Best())
        ends[policy.name] = int(only(result).grasp.object_ids[0])
    assert ends == {"nearest": 1, "association": 0}


def test_prediction_goes_on_with_the_momentum():
    follower = tracker()
    for step in range(6):
        follower.update(frame(STEP_S * step, [[0.02 * step, 0, 0]]))
        if step == 0:
            (chosen,) = follower.select(Best())
    np.testing.assert_allclose(follower.velocity(chosen.track_id), [0.1, 0, 0], atol=1e-9)
    T = follower.predict(chosen.track_id, STEP_S * 5 + 0.5)
    np.testing.assert_allclose(T[:3, 3], [0.15, 0, 0], atol=1e-9)


def test_several_targets_keep_grasps_of_their_own():
    follower = tracker(NearestPolicy())
    start = np.array([[0.0, 0, 0], [0.08, 0, 0], [0.16, 0, 0]])
    follower.update(frame(0.0, start))
    first = follower.select(Best(count=3))
    assert [target.track_id for target in first] == [1, 2, 3]
    for step in range(1, 6):
        moved = start + np.array([0, 0.015 * step, 0])
        result = follower.update(frame(STEP_S * step, moved[::-1]))
    np.testing.assert_allclose([t.grasp.translations[0] for t in result.targets], moved)


def test_targets_chosen_together_are_apart():
    follower = tracker()
    follower.update(frame(0.0, [[0, 0, 0], [0.01, 0, 0], [0.2, 0, 0]]))
    chosen = follower.select(Best(count=2))
    np.testing.assert_allclose([t.grasp.translations[0, 0] for t in chosen], [0, 0.2])


def test_occluded_is_carried_forward_then_found_again_then_lost():
    follower = tracker(max_occluded_s=0.5)
    for step in range(4):
        follower.update(frame(STEP_S * step, [[0.02 * step, 0, 0]]))
        if step == 0:
            follower.select(Best())
    hidden = only(follower.update(frame(0.8, np.zeros((0, 3)))))
    assert hidden.state is TrackState.OCCLUDED
    np.testing.assert_allclose(hidden.grasp.translations[0], [0.08, 0, 0], atol=1e-9)
    again = only(follower.update(frame(1.0, [[0.1, 0, 0]])))
    assert again.state is TrackState.TRACKED
    assert follower.counts["reacquired"] == 1
    for time_s in (1.2, 1.4, 1.6):
        gone = only(follower.update(frame(time_s, np.zeros((0, 3)))))
    assert gone.state is TrackState.LOST
    assert gone.lost_reason == "not seen for 0.60 s"
    assert follower.update(frame(1.8, [[0.1, 0, 0]])).targets == ()
    (new,) = follower.select(Best())
    assert new.track_id == 2  # ids are never used again


def follow_then(policy, positions, ids, **config):
    """A target at 0.1 m/s along x, then a frame with these grasps."""
    follower = tracker(policy, **config)
    for step in range(5):
        follower.update(frame(STEP_S * step, [[0.02 * step, 0, 0]], ids=[0]))
        if step == 0:
            follower.select(Best())
    return follower, only(follower.update(frame(1.0, positions, ids=ids)))


def almost_alike(similarity):
    """Object 1 looks like the target more than the target itself does in this frame."""

    def features(frame):
        angle = np.where(frame.grasps.object_ids == 0, np.arccos(similarity), 0.0)
        if len(frame.grasps) == 1:
            angle = np.zeros(1)
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)

    return features


def test_guard_keeps_the_target_when_a_jump_is_only_a_little_better():
    seen = [[0.10, 0, 0], [0.10, 0.05, 0]]
    follower, target = follow_then(AssociationPolicy(almost_alike(0.95)), seen, [0, 1])
    np.testing.assert_allclose(target.grasp.translations[0], seen[0])
    assert follower.counts["guarded"] == 1
    _, unguarded = follow_then(AssociationPolicy(almost_alike(0.95), guarded=False), seen, [0, 1])
    np.testing.assert_allclose(unguarded.grasp.translations[0], seen[1])


def test_of_like_grasps_that_are_no_jump_the_one_where_the_motion_leads_is_taken():
    seen = [[0.095, 0, 0], [0.10, 0.02, 0]]
    policy = AssociationPolicy(almost_alike(0.95))
    for weight, taken in ((0.5, seen[0]), (0.0, seen[1])):
        _, target = follow_then(policy, seen, [0, 1], motion_weight=weight)
        np.testing.assert_allclose(target.grasp.translations[0], taken)
        assert target.correspondence == pytest.approx(0.95 if taken is seen[0] else 1.0)


def test_of_like_grasps_the_better_is_taken_where_scores_count():
    seen = [[0.10, 0, 0], [0.105, 0, 0]]  # the scores are 1 and 0.5
    policy = AssociationPolicy(almost_alike(0.95))
    for weight, taken in ((0.2, seen[0]), (0.0, seen[1])):
        _, target = follow_then(policy, seen, [0, 1], score_weight=weight)
        np.testing.assert_allclose(target.grasp.translations[0], taken)
    with pytest.raises(ValueError, match="score_weight"):
        TrackerConfig(score_weight=-0.1)


def test_guard_yields_to_a_jump_that_is_clearly_better():
    seen = [[0.10, 0, 0], [0.10, 0.05, 0]]
    _, target = follow_then(AssociationPolicy(almost_alike(0.5)), seen, [0, 1])
    np.testing.assert_allclose(target.grasp.translations[0], seen[1])


def test_guard_waits_when_like_grasps_jump_both_ways():
    _, target = follow_then(AssociationPolicy(twins), [[0.1, 0.05, 0], [0.1, -0.05, 0]], [1, 2])
    assert target.state is TrackState.OCCLUDED
    np.testing.assert_allclose(target.grasp.translations[0], [0.1, 0, 0], atol=1e-9)


def test_out_of_reach_is_not_the_target_however_alike():
    _, target = follow_then(AssociationPolicy(twins), [[0.4, 0, 0]], [1])
    assert target.state is TrackState.OCCLUDED


def test_leaving_the_workspace_loses_the_target():
    follower = tracker(workspace_min=(-0.1, -0.1, -0.1), workspace_max=(0.1, 0.1, 0.1))
    for step in range(7):
        result = follower.update(frame(STEP_S * step, [[0.02 * step, 0, 0]]))
        if step == 0:
            follower.select(Best())
    assert only(result).state is TrackState.LOST
    assert "left the workspace" in only(result).lost_reason


def test_frames_out_of_order_are_dropped_and_counted():
    follower = tracker()
    follower.update(frame(1.0, [[0, 0, 0]]))
    follower.select(Best())
    for time_s in (1.0, 0.5):
        result = follower.update(frame(time_s, [[0.03, 0, 0]]))
        assert "not later" in result.dropped
        np.testing.assert_allclose(only(result).grasp.translations[0], [0, 0, 0])
    assert follower.counts["out_of_order"] == 2
    assert only(follower.update(frame(1.2, [[0.01, 0, 0]]))).state is TrackState.TRACKED


def test_a_camera_that_stops_for_longer_loses_the_targets():
    follower = tracker()
    follower.update(frame(0.0, [[0, 0, 0]]))
    follower.select(Best())
    target = only(follower.update(frame(1.5, [[0, 0, 0]])))
    assert target.state is TrackState.LOST
    assert target.lost_reason == "no frame for 1.50 s"


def test_time_that_begins_anew_loses_the_targets_once_two_frames_say_so():
    follower = tracker()
    follower.update(frame(100.0, [[0, 0, 0]]))
    (chosen,) = follower.select(Best())
    assert "not later" in follower.update(frame(3.0, [[0, 0, 0]])).dropped
    assert only(follower.update(frame(100.2, [[0, 0, 0]]))).state is TrackState.TRACKED  # it was a straggler
    assert follower.update(frame(3.0, [[0, 0, 0]])).dropped
    lost = only(follower.update(frame(3.2, [[0, 0, 0]])))
    assert (lost.track_id, lost.state) == (chosen.track_id, TrackState.LOST)
    assert "jumped back by 97.00 s" in lost.lost_reason
    assert not follower.update(frame(3.4, [[0, 0, 0]])).dropped
    assert (follower.counts["out_of_order"], follower.counts["restarts"]) == (2, 1)


def test_motion_tells_which_of_two_like_grasps_on_one_object_it_is():
    def last_place(weight):
        follower = tracker(AssociationPolicy(twins), motion_weight=weight)
        for step in range(6):  # then a second grasp appears beside it, as alike
            places = [[0.02 * step - 0.02, 0, 0], [0.02 * step, 0, 0]]
            told = follower.update(frame(step * STEP_S, places[0 if step == 5 else 1 :]))
            if step == 0:
                follower.select(Best())
        return only(told).grasp.translations[0, 0]

    assert last_place(0.0) == pytest.approx(0.08)  # the one that comes first
    assert last_place(1.0) == pytest.approx(0.10)


def test_guard_looks_no_further_than_its_reach_once_the_motion_is_known():
    def follow(reach_m):
        follower = tracker(guard=SwitchGuardConfig(reach_m=reach_m, reach_speed_m_s=0.0))
        follower.update(frame(0.0, [[0, 0, 0]]))
        follower.select(Best())
        for step in range(1, 4):
            follower.update(frame(step * STEP_S, [[0, 0, 0]]))
        return only(follower.update(frame(0.8, [[0, 0.04, 0]]))).state

    assert follow(0.035) is TrackState.OCCLUDED
    assert follow(0.045) is TrackState.TRACKED


def test_a_half_turned_grasp_is_the_same_one():
    follower = tracker(NearestPolicy())
    follower.update(frame(0.0, [[0, 0, 0]]))
    (start,) = follower.select(Best())
    turned = frame(STEP_S, [[0.01, 0, 0]])
    turned = TrackingFrame(
        STEP_S, turned.grasps.replace(rotation_matrices=turned.grasps.rotation_matrices @ HALF_TURN_X)
    )
    target = only(follower.update(turned))
    assert target.state is TrackState.TRACKED
    np.testing.assert_allclose(target.grasp.rotation_matrices, start.grasp.rotation_matrices, atol=1e-12)


def test_select_in_region_on_mask_and_nearest():
    follower = tracker()
    follower.update(frame(0.0, [[0, 0, 1.0], [0.1, 0, 1.0], [0.2, 0, 1.0]]))
    (target,) = follower.select(InRegion(np.array([0.05, -1, 0]), np.array([1.0, 1, 2])))
    assert target.grasp.translations[0, 0] == pytest.approx(0.1)
    (target,) = follower.select(NearestTo(make_transform(np.eye(3), [0.19, 0, 1.0])))
    assert target.grasp.translations[0, 0] == pytest.approx(0.2)
    camera = CameraIntrinsics(100, 100, 31.5, 23.5, 64, 48)
    mask = np.zeros((48, 64), dtype=bool)
    mask[:, 49:54] = True  # x = 0.175 to 0.225 m at 1 m
    (target,) = follower.select(OnMask(mask, camera))
    assert target.grasp.translations[0, 0] == pytest.approx(0.2)
    with pytest.raises(NoGrasps, match="OnMask"):
        follower.select(OnMask(np.zeros((48, 64), dtype=bool), camera))
    assert follower.target_ids == (target.track_id,)  # a refused selection changes nothing


def test_keep_and_unknown_ids():
    follower = tracker()
    follower.update(frame(0.0, [[0, 0, 0], [0.1, 0, 0]]))
    follower.select(Best(count=2))
    with pytest.raises(UnknownTarget, match="followed: 1, 2"):
        follower.keep([2, 7])
    (kept,) = follower.keep([2])
    assert kept.track_id == 2
    with pytest.raises(UnknownTarget):
        follower.predict(1, 1.0)


def test_nothing_to_select_and_reset():
    follower = tracker()
    with pytest.raises(NoGrasps, match="no frame yet"):
        follower.select(Best())
    follower.update(frame(5.0, [[0, 0, 0]]))
    follower.select(Best())
    follower.reset()
    assert follower.target_ids == ()
    assert follower.update(frame(0.0, [[0, 0, 0]])).dropped == ""  # time may start again


def test_smoothing_calms_the_pose_but_not_the_motion_buffer():
    rng = np.random.default_rng(0)
    spread = {}
    for method in ("none", "one_euro", "kalman"):
        follower = tracker(smoothing=SmoothingConfig(method=method))
        errors = []
        for step in range(40):
            seen = np.array([[0.01 * step, 0, 0]]) + rng.normal(0, 0.004, (1, 3))
            result = follower.update(frame(STEP_S * step, seen))
            if step == 0:
                follower.select(Best())
            elif step > 10:
                errors.append(only(result).grasp.translations[0] - [0.01 * step, 0, 0])
        spread[method] = np.std(np.array(errors)[:, 1:])  # across the motion: along it a filter lags
    assert spread["one_euro"] < 0.85 * spread["none"]
    assert spread["kalman"] < 0.85 * spread["none"]


@pytest.mark.parametrize(
    "config",
    [
        {"reach_m": 0.0},
        {"min_correspondence": 1.0},
        {"workspace_min": (0, 0, 0)},
        {"workspace_min": (0, 0, 0), "workspace_max": (1, 0, 1)},
    ],
)
def test_config_refuses(config):
    with pytest.raises(ValueError, match="TrackerConfig"):
        TrackerConfig(**config)
