# SPDX-License-Identifier: Apache-2.0
"""Algorithm 1 on an arm without hardware, over grasps that move as a test says."""

import itertools
import threading
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anygrasp_perception.grasp import HALF_TURN_X
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.se3 import make_transform, rotation_angle
from anygrasp_tracking.correspondence import NearestPolicy
from anygrasp_tracking.tracking_frame import TrackingFrame
from robot_drivers.arms.arm import ArmError, UnreachablePose
from robot_drivers.arms.kinematic import KinematicArm
from robot_drivers.dynamic_grasping.catch_config import CatchConfig, CatchMotionConfig, ServoConfig
from robot_drivers.dynamic_grasping.catch_executor import CatchExecutor, CatchLimits, without_prediction
from robot_drivers.dynamic_grasping.catch_record import CatchStage
from robot_drivers.dynamic_grasping.foresight import Foresight
from robot_drivers.dynamic_grasping.servo_geometry import (
    across_body,
    closeness,
    fingers_inside,
    pregrasp_pose,
    tool_pose,
    upright,
)
from robot_drivers.dynamic_grasping.way_out import WayOut
from robot_drivers.dynamic_grasping.within_reach import WithinReach
from robot_drivers.executors.grasp_target import R_GRASP_TCP
from robot_drivers.executors.perception import PerceptionError
from robot_drivers.executors.pick_errors import PickError, PickFailed
from robot_drivers.grippers.kinematic import KinematicGripper
from robot_drivers.safety import LimitViolation, SafetyLimits

PERIOD_S = 0.2
DOWN = np.diag([1.0, -1.0, -1.0])  # of the tool: x along base x, z down
READY = (0.5, 0.0, 0.2, np.pi, 0.0, 0.0)
THROW = (0.1, -0.48, 0.15, np.pi, 0.0, 0.0)


class FloatingKinematics:
    """Joints that are the flange's position and rotation vector; nothing beyond a metre is reached."""

    def forward(self, q):
        return make_transform(Rotation.from_rotvec(q[3:]).as_matrix(), q[:3])

    def inverse(self, T_base_flange, q_near):
        if np.linalg.norm(T_base_flange[:3, 3]) > 1.0:
            return None
        return np.concatenate([T_base_flange[:3, 3], Rotation.from_matrix(T_base_flange[:3, :3]).as_rotvec()])


def grasp(position, yaw=0.0, tilt=0.0):
    """T_base_grasp straight down but for a tilt, closing along y turned by yaw."""
    R = Rotation.from_euler("z", yaw) * Rotation.from_euler("y", tilt)
    return make_transform(R.as_matrix() @ DOWN @ R_GRASP_TCP.T, position)


def frame(time_s, poses):
    poses = np.asarray(poses, dtype=float).reshape(-1, 4, 4)
    grasps = GraspGroup.from_arrays(
        rotation_matrices=poses[:, :3, :3],
        translations=poses[:, :3, 3],
        widths=0.03,
        scores=np.linspace(1, 0.5, len(poses)),
        depths=0.02,
    )
    return TrackingFrame(time_s, grasps)


class World:
    """Time that passes with each image, and one grasp that moves with it."""

    def __init__(self, path, config=None, edit=lambda frame: frame):
        self.time_s, self.path, self.edit = 0.0, path, edit
        self.arm = KinematicArm(FloatingKinematics(), np.array(READY), time_scale=0.0)
        self.gripper = KinematicGripper(time_scale=0.0)
        self.stages, self.moves, self.servos = [], [], []
        self.arm.connect()
        self.gripper.connect()
        self.gripper.activate()
        self._watch()
        motion = CatchMotionConfig(ready_joints_rad=READY, throw_joints_rad=THROW)
        self.config = replace(config or CatchConfig(), motion=motion)
        self.executor = CatchExecutor(
            self.config,
            self.arm,
            self.gripper,
            self.perceive,
            NearestPolicy(),
            lambda: self.time_s,
            lambda stage, track_id, left: self.stages.append(stage),
        )

    def perceive(self, newer_than_s, about):
        self.time_s += PERIOD_S
        seen = self.edit(frame(self.time_s, [self.path(self.time_s)]))
        if isinstance(seen, Exception):
            raise seen
        return seen

    def catch(self, frames=60, **limits):
        end_s = self.time_s + (frames - 0.5) * PERIOD_S
        return self.executor.catch(CatchLimits(**limits), lambda: self.time_s >= end_s)

    def _watch(self):
        move_linear, servo = self.arm.move_linear, self.arm.servo

        def recorded_move(T, **speeds):
            self.moves.append((self.time_s, T))
            move_linear(T, **speeds)

        def recorded_servo(T, *, duration_s):
            self.servos.append((self.time_s, T, duration_s))
            servo(T, duration_s=duration_s)

        self.arm.move_linear, self.arm.servo = recorded_move, recorded_servo


def still(time_s):
    return grasp((0.5, 0.05, -0.08), yaw=0.4)


def swimming(time_s):
    return grasp((0.40 + 0.04 * time_s, 0.05, -0.08), yaw=0.2)


def test_tool_pose_takes_the_nearer_half_turn_and_reaches_beyond():
    T_now = make_transform(DOWN, (0.5, 0, 0))
    for turn in (np.eye(4), np.block([[HALF_TURN_X, np.zeros((3, 1))], [np.zeros((1, 3)), 1.0]])):
        T = tool_pose(grasp((0.5, 0.1, -0.1), yaw=0.3) @ turn, 0.03, T_now, T_now, np.radians(110))
        np.testing.assert_allclose(T[:3, 3], (0.5, 0.1, -0.13), atol=1e-12)
        assert rotation_angle(T[:3, :3], DOWN) == pytest.approx(0.3)


def test_a_tool_that_follows_a_circling_grasp_does_not_wind_up():
    ready = T_now = make_transform(DOWN, (0.5, 0, 0))
    for yaw in np.arange(0.2, 4 * np.pi, 0.2):
        before, T_now = T_now, tool_pose(grasp((0.5, 0, 0), yaw), 0.0, T_now, ready, np.radians(110))
        y = T_now[:2, 1] @ np.diag([1.0, -1.0])  # of a tool turned by yaw: (sin, cos)
        heading = np.arctan2(y[0], y[1])
        assert abs(heading) <= np.radians(110) + 1e-9
        turned = rotation_angle(before[:3, :3], T_now[:3, :3])
        assert turned == pytest.approx(0.2, abs=1e-6) or turned > np.pi - 0.3  # turned back


def test_only_grasps_with_a_way_out_are_chosen():
    arm = KinematicArm(FloatingKinematics(), np.array(READY), time_scale=0.0)
    arm.connect()
    motion = CatchMotionConfig(ready_joints_rad=READY, throw_joints_rad=THROW)
    limits = SafetyLimits(
        workspace_min=(0.0, -0.6, -0.2), workspace_max=(0.9, 0.6, 0.5), transit_min=(0.0, -0.6, 0.1),
        transit_max=(0.9, 0.6, 0.9), keep_out_boxes=(0.42, -0.27, 0.1, 0.52, -0.2, 0.3), tool_radius_m=0.01,
        min_height_m=-0.2,
    )  # fmt: skip
    here, behind = make_transform(DOWN, (0.5, 0.0, -0.1)), make_transform(DOWN, (0.8, 0.0, -0.1))
    far = make_transform(DOWN, (0.99, 0.0, -0.1))
    assert WayOut(arm, motion, limits).leads_from(here)
    assert not WayOut(arm, motion, limits).leads_from(behind)  # the box that is to be kept out of
    assert WayOut(arm, motion, None).leads_from(behind)
    assert not WayOut(arm, motion, None).leads_from(far)  # reached, but not lifted
    seen = frame(0.0, [grasp((0.5, 0.0, -0.1)), grasp((0.5, 0.05, -0.1))])
    wanted = WithinReach(ServoConfig(), passable=lambda one: bool(one.translations[0, 1] > 0.01))
    assert list(wanted.rank(seen)) == [1]
    assert list(replace(wanted, passable=lambda one: False).rank(seen)) == []


def test_what_cannot_be_lifted_is_let_go_and_the_run_goes_on():
    world = World(still)
    world.gripper.object_width_m = 0.02
    real, tries = world.arm.move_linear, []

    def once_unreachable(T, **speeds):
        tries.append(T[2, 3])
        if tries[-1] > 0 and sum(height > 0 for height in tries) <= 2:  # the lift, and that to the ready pose
            raise UnreachablePose("no joint angles")
        real(T, **speeds)

    world.arm.move_linear = once_unreachable
    result = world.catch(max_attempts=2)
    assert result.error_code is None
    assert result.counts["let go"] == result.counts["not initialised"] == 1
    first, second = result.records
    assert "no joint angles" in first.error_msg
    assert not first.kept
    assert second.kept


def test_a_target_from_which_no_way_leads_out_is_not_grasped():
    world = World(still)
    answers = iter([True] + [False] * 99)
    world.executor._way_out.leads_from = lambda T: next(answers)
    result = world.catch(frames=8)
    assert result.records == ()
    assert result.counts["no way out"] == 1


def foresight(**config):
    return Foresight(ServoConfig(**{"proof_s": 0.55, **config}))


def test_only_what_went_where_it_was_foreseen_is_believed():
    believed = foresight(max_surprise_m=0.02, max_surprise_rad=0.3)
    here = grasp((0.5, 0.0, -0.1))
    assert not believed.came_true(1.0, here)  # nothing was foreseen for now
    believed.note(1.5, here)
    assert not believed.came_true(1.0, here)
    assert believed.came_true(1.55, grasp((0.515, 0.0, -0.1), yaw=0.2))
    assert not believed.came_true(1.5, grasp((0.525, 0.0, -0.1)))
    assert not believed.came_true(1.5, grasp((0.5, 0.0, -0.1), yaw=0.4))
    half_turned = here @ np.block([[HALF_TURN_X, np.zeros((3, 1))], [np.zeros((1, 3)), 1.0]])
    assert believed.came_true(1.5, half_turned)
    believed.clear()
    assert not believed.came_true(1.5, here)
    assert foresight(proof_s=0.0).came_true(1.0, here)


def test_new_targets_are_rather_far_from_the_walls():
    servo = ServoConfig()
    seen = frame(0.0, [grasp((0.34, 0.0, -0.1)), grasp((0.50, 0.0, -0.1))])  # the first scores higher
    seen = replace(seen, grasps=seen.grasps.replace(scores=np.array([0.7, 0.6])))
    assert list(WithinReach(servo).rank(seen)) == [1, 0]
    assert list(WithinReach(replace(servo, middle_weight=0.0)).rank(seen)) == [0, 1]


def test_pregrasp_is_upright_back_along_z_and_turned_as_the_grasp():
    T_ready = make_transform(DOWN, (0, 0, 0))
    T_target = tool_pose(grasp((0.5, 0.1, -0.1), yaw=0.3, tilt=0.2), 0.0, T_ready, T_ready, 2.0)
    T = pregrasp_pose(T_target, 0.035)
    np.testing.assert_allclose(T[:3, 3], (0.5, 0.1, -0.065), atol=1e-12)
    np.testing.assert_allclose(T[:3, 2], (0, 0, -1), atol=1e-12)
    assert rotation_angle(T[:3, :3], T_target[:3, :3]) == pytest.approx(0.2, abs=1e-6)


def test_closeness_measures_turn_distance_and_its_horizontal_part():
    T = make_transform(Rotation.from_euler("z", 0.25).as_matrix() @ DOWN, (0.53, 0.04, 0.12))
    left = closeness(T, make_transform(DOWN, (0.5, 0.0, 0.0)))
    assert left == pytest.approx((0.25, 0.13, 0.05))


def test_fingers_that_would_meet_a_wall_are_outside():
    R = np.array([grasp((0, 0, 0))[:3, :3]] * 3)  # closing along y
    tips = np.array([[0.5, 0.2, -0.1], [0.5, 0.26, -0.1], [0.5, 0.2, -0.2]])
    inside = fingers_inside(tips, R, 0.05, 0.1, (0.3, -0.3, -0.16), (0.7, 0.3, 0.0))
    np.testing.assert_array_equal(inside, [True, False, False])


def test_a_swimming_grasp_is_met_where_it_will_be():
    world = World(swimming)
    world.gripper.object_width_m = 0.02
    result = world.catch(max_attempts=1)
    assert result.error_code is None
    (record,) = result.records
    assert record.held
    assert record.kept
    ahead = record.decided_s + world.config.servo.closing_latency_s
    np.testing.assert_allclose(record.T_base_target[:2, 3], swimming(ahead)[:2, 3], atol=1e-3)
    assert record.T_base_target[2, 3] == pytest.approx(-0.08 - world.config.servo.min_reach_m)
    assert len(record.track) >= world.config.servo.min_poses
    # Lines 20-22: down to the target, up, over the bin, and ready again with open fingers.
    np.testing.assert_allclose(world.moves[0][1], record.T_base_target)
    assert world.moves[1][1][2, 3] == pytest.approx(world.config.motion.lift_height_m)
    np.testing.assert_allclose(world.arm.joint_positions(), READY)
    assert world.gripper.state().width_m == pytest.approx(world.config.motion.open_width_m)
    order = list(dict.fromkeys(world.stages))
    assert order == [CatchStage.READY, CatchStage.TRACK, CatchStage.GRASP, CatchStage.THROW]


def test_fingertips_go_at_least_so_deep():
    for min_reach_m, reach_m in ((0.05, 0.05), (0.0, 0.03)):  # the grasp asks for 20 mm, and 10 are added
        world = World(still, CatchConfig(servo=ServoConfig(min_reach_m=min_reach_m)))
        (record,) = world.catch(max_attempts=1).records
        assert record.T_base_target[2, 3] == pytest.approx(-0.08 - reach_m)


def test_while_servoing_the_tool_waits_above_upright_and_within_its_speed():
    world = World(swimming)
    world.catch(max_attempts=1)
    for _, T, duration_s in world.servos:
        np.testing.assert_allclose(T[:3, 2], (0, 0, -1), atol=1e-9)
        assert T[2, 3] == pytest.approx(-0.135 + world.config.servo.pregrasp_m, abs=1e-6)
        assert duration_s >= world.config.motion.servo_period_s


def on_a_body(seen):
    """The grasp slides and turns on a body that swims along x; its outline, 120 by 24 mm, does not."""
    rng = np.random.default_rng(round(10 * seen.time_s))
    disc = rng.uniform(-1, 1, (3000, 2))
    disc = disc[np.linalg.norm(disc, axis=1) < 1] * (0.06, 0.012)
    middle = swimming(seen.time_s)[:2, 3]
    x, y = middle[0] + rng.uniform(-0.03, 0.03), middle[1]
    slid = grasp((x, y, -0.08), yaw=rng.uniform(-0.5, 0.5), tilt=0.12)
    points = np.column_stack([disc + middle, np.full(len(disc), -0.09)])
    return replace(frame(seen.time_s, [slid]), raised=points)


def test_the_body_under_a_sliding_grasp_is_met_across_its_middle():
    servo = ServoConfig(min_poses=6)
    world = World(swimming, CatchConfig(servo=servo), edit=on_a_body)
    world.gripper.object_width_m = 0.02
    (record,) = world.catch(max_attempts=1).records
    ahead = record.decided_s + servo.closing_latency_s
    np.testing.assert_allclose(record.T_base_target[:2, 3], swimming(ahead)[:2, 3], atol=0.008)
    np.testing.assert_allclose(record.T_base_target[:3, 2], (0, 0, -1), atol=1e-9)
    assert abs(record.T_base_target[1, 1]) > np.cos(np.radians(4))  # closes along y, across the body
    assert record.T_base_target[2, 3] == pytest.approx(-0.135)
    # Where it is now, without prediction.
    still_aimed = World(swimming, without_prediction(CatchConfig(servo=servo)), edit=on_a_body)
    (record,) = still_aimed.catch(max_attempts=1).records
    np.testing.assert_allclose(
        record.T_base_target[:2, 3], swimming(record.track[-1].time_s)[:2, 3], atol=0.004
    )


def test_without_a_body_in_sight_the_grasp_is_aimed_at():
    servo = ServoConfig()
    bare = World(swimming, CatchConfig(servo=servo), edit=lambda seen: replace(seen, raised=np.zeros((0, 3))))
    (record,) = bare.catch(max_attempts=1).records
    ahead = record.decided_s + servo.closing_latency_s
    np.testing.assert_allclose(record.T_base_target[:2, 3], swimming(ahead)[:2, 3], atol=1e-3)


def test_a_grasp_across_a_body_takes_the_shorter_turn_and_keeps_its_tilt():
    T = grasp((0.5, 0.1, -0.08), yaw=0.3, tilt=0.2)
    for angle in (0.7, 0.7 + np.pi, 0.7 - np.pi):  # an axis has no sign; straight down it closes across 0
        across = across_body(T, np.array([0.52, 0.1, -0.07]), angle)
        np.testing.assert_allclose(across[:3, 3], (0.52, 0.1, -0.07))
        assert abs(across[:2, 1] @ (np.cos(0.7), np.sin(0.7))) < 1e-9
        assert rotation_angle(across[:3, :3], T[:3, :3]) == pytest.approx(0.4)
        assert across[2, 0] == pytest.approx(T[2, 0])
    down = upright(T)
    np.testing.assert_allclose(down[:3, 0], (0, 0, -1), atol=1e-12)
    assert down[:2, 1] @ T[:2, 1] == pytest.approx(np.linalg.norm(T[:2, 1]))


def test_without_prediction_it_goes_where_the_grasp_was_seen():
    world = World(swimming, without_prediction(CatchConfig()))
    (record,) = world.catch(max_attempts=1).records
    np.testing.assert_allclose(record.T_base_target[:2, 3], swimming(record.decided_s)[:2, 3], atol=1e-9)


def test_no_grasp_sends_the_arm_to_ready_with_an_empty_buffer():
    def empty_later(seen):
        return frame(seen.time_s, []) if seen.time_s > 0.5 else seen

    world = World(still, edit=empty_later)
    result = world.catch(frames=6)
    assert result.records == ()
    assert result.counts["no grasp"] == 4
    np.testing.assert_allclose(world.arm.joint_positions(), READY, atol=1e-9)


def test_the_paper_s_thresholds_decide():
    def caught(tilt_deg, servo):
        world = World(lambda t: grasp((0.5, 0.0, -0.08), tilt=np.radians(tilt_deg)), CatchConfig(servo=servo))
        return world.catch(frames=20).records

    into_the_tilt = ServoConfig(upright=False)
    assert caught(24, into_the_tilt) == ()  # 20 degrees are the limit, and the tool waits upright
    (record, *_) = caught(15, into_the_tilt)
    assert np.degrees(np.arccos(-record.T_base_target[2, 2])) == pytest.approx(15)
    (record, *_) = caught(24, ServoConfig())
    assert record.T_base_target[2, 2] == pytest.approx(-1)
    servo = ServoConfig()
    assert (servo.pregrasp_m, servo.max_distance_m, servo.max_distance_xy_m) == (0.035, 0.055, 0.02)
    assert np.degrees(servo.max_rotation_rad) == pytest.approx(20.0)
    assert CatchConfig().tracker.motion.buffer == 10


def test_a_prediction_out_of_the_tank_is_let_go():
    world = World(
        lambda t: grasp((0.58 + 0.08 * t, 0.05, -0.08)), CatchConfig(servo=ServoConfig(min_poses=6))
    )
    result = world.catch(frames=14)
    assert result.records == ()
    assert result.counts["outside"] >= 1
    np.testing.assert_allclose(world.arm.joint_positions(), READY, atol=1e-9)


def test_a_camera_that_stops_for_longer_than_a_second_loses_the_target():
    world = World(still, CatchConfig(servo=ServoConfig(min_poses=50)))
    world.catch(frames=3)
    world = World(still, CatchConfig(servo=ServoConfig(min_poses=50)))
    stops = iter([0.0] * 3 + [1.3] + [0.0] * 30)

    def pausing(seen):
        world.time_s += next(stops)
        return frame(world.time_s, [still(world.time_s)])

    world.edit = pausing
    result = world.catch(frames=12)
    assert result.counts["lost"] == 1
    assert world.stages[-1] is CatchStage.TRACK  # and it starts anew


def test_images_a_second_are_counted_while_one_target_is_followed(monkeypatch):
    wall = itertools.count(0, 0.125)
    monkeypatch.setattr("robot_drivers.dynamic_grasping.catch_run.time.monotonic", lambda: next(wall))
    assert World(still).catch(max_attempts=1).loop_hz == pytest.approx(8.0)
    assert World(still, edit=lambda seen: frame(seen.time_s, [])).catch(frames=3).loop_hz == 0.0


def test_frames_out_of_order_are_dropped():
    world = World(still, CatchConfig(servo=ServoConfig(min_poses=50)))
    world.edit = lambda seen: frame(
        seen.time_s - (1.0 if 0.9 < seen.time_s < 1.1 else 0.0), seen.grasps.poses
    )
    result = world.catch(frames=8)
    assert result.counts["dropped"] == 1
    assert "lost" not in result.counts


def test_perception_that_fails_now_and_then_is_borne_but_not_forever():
    def fails(from_s, until_s):
        return lambda seen: PerceptionError("no image") if from_s < seen.time_s < until_s else seen

    world = World(still, edit=fails(0.3, 0.9))
    result = world.catch(max_attempts=1)
    assert result.error_code is None
    assert result.counts["no perception"] == 3
    assert len(result.records) == 1
    world = World(still, edit=fails(0.3, 99.0))
    result = world.catch()
    assert result.error_code is PickError.NO_PERCEPTION
    assert "5 perceptions in a row failed" in result.error_msg


def test_out_of_the_arm_s_reach_is_let_go():
    servo = ServoConfig(workspace_max_m=(5.0, 5.0, 0.0), min_poses=50)
    world = World(lambda t: grasp((0.85 + 0.1 * t, 0.0, -0.08)), CatchConfig(servo=servo))
    result = world.catch(frames=15)
    assert result.counts["unreachable"] == 1
    assert result.counts["none to select"] >= 1  # and not chosen again


def test_a_servo_that_stutters_stands_for_a_frame_and_goes_on():
    world = World(still)
    real, tries = world.arm.servo, []

    def stutters(T, *, duration_s):
        tries.append(T)
        if len(tries) == 2:
            raise LimitViolation("TOO_FAST", "take smaller steps")
        real(T, duration_s=duration_s)

    world.arm.servo = stutters
    result = world.catch(max_attempts=1)
    assert result.counts == {"frames": len(result.records[0].track), "stuttered": 1}
    assert result.error_code is None


def test_where_the_servo_is_refused_the_arm_moves_to_ready():
    world = World(still, edit=lambda seen: frame(seen.time_s, []))

    def refused(T, *, duration_s):
        raise LimitViolation("TOO_FAST", "take smaller steps")

    world.arm.servo = refused
    result = world.catch(frames=3)
    assert result.error_code is None
    np.testing.assert_allclose(world.arm.joint_positions(), READY, atol=1e-9)


def test_a_blocked_arm_is_a_failed_attempt_and_the_run_goes_on():
    world = World(still)
    real, tries = world.arm.move_linear, []

    def blocked(T, **speeds):
        tries.append(T)
        if len(tries) == 1:
            raise ArmError("the move did not arrive")
        real(T, **speeds)

    world.arm.move_linear = blocked
    result = world.catch(max_attempts=2)
    assert result.error_code is None
    assert [bool(record.error_msg) for record in result.records] == [True, False]


def test_a_target_that_never_comes_into_reach_is_given_up():
    config = CatchConfig(servo=ServoConfig(min_poses=500), give_up_s=2.0)
    result = World(still, config).catch(frames=30)
    assert result.counts["gave up"] >= 2


@pytest.mark.parametrize("reason", [PickError.CANCELED, PickError.EMERGENCY_STOP])
def test_a_stop_ends_the_run_and_nothing_moves_until_it_is_cleared(reason):
    world = World(still, CatchConfig(servo=ServoConfig(min_poses=500)))

    def stop_at_one_second(seen):
        if seen.time_s > 1.0:
            threading.Thread(target=world.executor.stop, args=(reason,)).run()
        return seen

    world.edit = stop_at_one_second
    result = world.catch()
    assert result.error_code is reason
    moved = len(world.servos)
    again = world.catch(frames=5)
    assert again.error_code is reason
    assert len(world.servos) == moved
    world.edit = lambda seen: seen
    assert world.executor.clear_stop(PickError.CANCELED) is (reason is PickError.CANCELED)
    assert world.executor.clear_stop(reason)
    assert world.catch(frames=5).error_code is None


def test_one_goal_at_a_time():
    world = World(still, CatchConfig(servo=ServoConfig(min_poses=500)))
    seen = []

    def second_goal(first):
        if not seen:
            seen.append(world.executor.catch())
            with pytest.raises(PickFailed, match="not ended"):
                world.executor.clear_stop()
        return first

    world.edit = second_goal
    assert world.catch(frames=4).error_code is None
    assert seen[0].error_code is PickError.BUSY


def test_a_lost_arm_ends_the_run():
    world = World(still)
    world.edit = lambda seen: (world.arm.close(), seen)[1] if seen.time_s > 0.5 else seen
    assert world.catch().error_code is PickError.ROBOT_LOST


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ServoConfig(pregrasp_m=0.06), "would never grasp"),
        (lambda: ServoConfig(max_rotation_rad=0.0), "max_rotation_rad"),
        (lambda: ServoConfig(closing_latency_s=-1.0), "closing_latency_s"),
        (lambda: ServoConfig(min_poses=0), "min_poses"),
        (lambda: ServoConfig(min_looks=0), "min_looks"),
        (lambda: ServoConfig(max_turn_rad=1.5), "max_turn_rad"),
        (lambda: ServoConfig(workspace_min_m=(1, 1, 1)), "workspace"),
        (lambda: CatchMotionConfig(ready_joints_rad=(0.0,)), "ready_joints_rad"),
        (lambda: CatchMotionConfig(closing_force=2.0), "closing_force"),
        (lambda: CatchMotionConfig(servo_speed_m_s=0.0), "servo_speed_m_s"),
        (lambda: CatchConfig(give_up_s=0.0), "give_up_s"),
        (lambda: CatchLimits(max_catches=-1), "limits"),
    ],
)
def test_values_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
