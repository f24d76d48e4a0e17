# SPDX-License-Identifier: Apache-2.0
"""From perceived grasps to the one executed, and why the others are not."""

import dataclasses

import numpy as np
import pytest
from pick_rig import LIMITS, Rig, grasps

from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.se3 import rotation_angle
from robot_drivers.arms.arm import ArmLost
from robot_drivers.executors.failure_memory import FailureMemory, FailureMemoryConfig
from robot_drivers.executors.finger_reach import FingerReach
from robot_drivers.executors.grasp_selection import FAILED_BEFORE, select_grasp
from robot_drivers.executors.grasp_target import R_GRASP_TCP, TargetConfig, aim_grasp
from robot_drivers.executors.pick_errors import PickError, PickFailed
from robot_drivers.safety import SafetyLimits

STRAIGHT = FingerReach(link_m=0.0)  # fingers that do not swing keep the numbers simple
CONFIG = TargetConfig(fingers=STRAIGHT)
PLACE = (0.05, -0.45, 0.05)
HALF_TURN_Z = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.fixture
def arm():
    return Rig().safe_arm


def aim(group, arm, config=CONFIG, limits=LIMITS):
    return aim_grasp(group, arm, limits, config)


def refusal(group, arm, config=CONFIG, limits=LIMITS):
    with pytest.raises(PickFailed) as caught:
        aim(group, arm, config, limits)
    return caught.value


# Fingers


def test_tips_of_the_2f85_are_13_mm_further_out_when_closed():
    reach = FingerReach()
    assert reach.short_m(0.085) - reach.short_m(0.0) == pytest.approx(0.0134, abs=2e-4)
    assert reach.short_m(0.0105) == 0.0


def test_tips_lie_at_the_tcp_at_its_width():
    assert FingerReach(tcp_width_m=0.03).beyond_tcp_m(0.03) == 0.0
    assert FingerReach(tcp_width_m=0.0).beyond_tcp_m(0.085) == pytest.approx(-0.0134, abs=2e-4)


def test_straight_fingers_reach_as_far_at_any_width():
    assert STRAIGHT.short_m(0.085) == 0.0


def test_finger_reach_refuses_negative_lengths():
    with pytest.raises(ValueError, match=r"link_m is -0\.1"):
        FingerReach(link_m=-0.1)


# Aiming


def test_tool_axes_are_those_of_the_grasp():
    group = grasps(PLACE, tilt_rad=0.2, yaw_rad=0.7)
    R_base_tcp = group.rotation_matrices[0] @ R_GRASP_TCP
    assert np.allclose(R_base_tcp[:, 2], group.approaches[0])
    assert np.allclose(R_base_tcp[:, 1], group.closing_directions[0])
    assert np.linalg.det(R_GRASP_TCP) == pytest.approx(1.0)


def test_tcp_goes_to_the_fingertips_and_the_fingers_open_wider_than_the_grasp(arm):
    target = aim(grasps(PLACE, tilt_rad=0.2, width_m=0.04), arm)
    assert np.allclose(target.T_base_tcp[:3, 3], PLACE)
    assert target.opening_m == pytest.approx(0.045)


def test_fingers_open_no_wider_than_they_can(arm):
    assert aim(grasps(PLACE, width_m=0.084), arm).opening_m == LIMITS.max_width_m


def test_waypoint_is_back_along_the_approach(arm):
    config = TargetConfig(fingers=STRAIGHT, transit_height_m=0.10)
    target = aim(grasps(PLACE, tilt_rad=0.3), arm, config)
    back = target.T_base_waypoint[:3, 3] - target.T_base_tcp[:3, 3]
    assert np.allclose(back, -0.10 * np.array([np.sin(0.3), 0.0, -np.cos(0.3)]))
    assert np.allclose(target.T_base_waypoint[:3, :3], target.T_base_tcp[:3, :3])


def test_waypoint_is_never_below_travel_height(arm):
    target = aim(grasps(PLACE, tilt_rad=0.3), arm, TargetConfig(fingers=STRAIGHT, transit_height_m=0.22))
    back = target.T_base_waypoint[:3, 3] - target.T_base_tcp[:3, 3]
    assert target.T_base_waypoint[2, 3] == pytest.approx(0.22)
    assert np.allclose(np.cross(back, target.T_base_tcp[:3, 2]), 0.0)  # still on the line of approach


@pytest.mark.parametrize("yaw_rad", np.linspace(0.0, 2 * np.pi, 9))
def test_of_the_two_turns_the_one_with_less_joint_motion_is_taken(arm, yaw_rad):
    group = grasps(PLACE, yaw_rad=yaw_rad)
    target = aim(group, arm)
    R_target = target.T_base_tcp[:3, :3]
    assert np.allclose(R_target[:, 2], group.approaches[0])
    assert abs(R_target[:, 1] @ group.closing_directions[0]) == pytest.approx(1.0)
    assert joint_change(arm, target.T_base_waypoint) <= joint_change(
        arm, target.T_base_waypoint @ HALF_TURN_Z
    )
    assert joint_change(arm, target.T_base_waypoint) < np.pi / 2 + 0.1


def joint_change(arm, T_base_tcp):
    return np.abs(arm.inverse_kinematics(T_base_tcp) - arm.joint_positions()).max()


def test_a_grasp_beside_a_singularity_is_refused(arm):
    # From a simulated bin: on the way up from here a UR5e made a protective stop.
    x = np.array([-0.115, -0.366, -0.923])
    x /= np.linalg.norm(x)
    y = np.array([0.276, 0.881, -0.384])
    y -= (x @ y) * x
    y /= np.linalg.norm(y)
    tip = np.array([-0.025, -0.351, 0.025])
    group = GraspGroup.from_arrays(
        rotation_matrices=[np.column_stack([x, y, np.cross(x, y)])],
        translations=[tip - 0.02 * x],
        widths=0.07,
        scores=1.0,
        depths=0.02,
    )
    error = refusal(group, arm)
    assert error.code is PickError.UNREACHABLE
    assert "singularity" in str(error)
    assert aim(group, arm, TargetConfig(fingers=STRAIGHT, max_joint_change_rad_m=20.0)) is not None


def test_the_way_to_the_waypoint_stays_in_the_transit_box(arm):
    group = grasps((-0.15, -0.35, 0.05))
    near = aim(group, arm).T_base_tcp
    # From over the bin the joints swing the tool out to y = -0.435 m, further than both ends; with the
    # other turn of the grasp less far.
    limits = dataclasses.replace(LIMITS, transit_min=(-0.60, -0.40, 0.05))
    assert np.allclose(aim(group, arm, limits=limits).T_base_tcp, near @ HALF_TURN_Z)
    limits = dataclasses.replace(LIMITS, keep_out_boxes=(0.1, -0.6, 0.0, 0.2, -0.1, 0.6))  # between
    error = refusal(group, arm, limits=limits)
    assert error.code is PickError.OUTSIDE_WORKSPACE
    assert "keep-out" in str(error)


def test_the_other_turn_is_taken_when_only_that_can_be_reached(arm, monkeypatch):
    near = aim(grasps(PLACE), arm).T_base_tcp
    monkeypatch.setattr(arm, "is_reachable", lambda T: rotation_angle(T[:3, :3], near[:3, :3]) > 1.0)
    assert np.allclose(aim(grasps(PLACE), arm).T_base_tcp, near @ HALF_TURN_Z)


def test_swinging_fingers_are_set_back_so_that_they_end_at_the_grasp(arm):
    fingers = FingerReach(link_m=0.05, upright_width_m=0.0, tcp_width_m=0.0)  # at 60 mm: 0.05 - 0.04 short
    target = aim(grasps(PLACE, width_m=0.06), arm, TargetConfig(fingers=fingers))
    assert np.allclose(target.T_base_tcp[:3, 3], np.array(PLACE) - [0.0, 0.0, 0.01])


def test_a_grasp_near_the_plate_is_drawn_back_to_the_floor(arm):
    config = TargetConfig(fingers=STRAIGHT, region_min_m=(-0.17, -0.65, 0.01), max_draw_back_m=0.02)
    target = aim(grasps((0.0, -0.5, -0.005)), arm, config)
    assert np.allclose(target.T_base_tcp[:3, 3], [0.0, -0.5, 0.01])


def test_fingers_that_would_close_on_nothing_stay_off_the_plate(arm):
    fingers = FingerReach(link_m=0.05, upright_width_m=0.0, tcp_width_m=0.0)
    config = TargetConfig(fingers=fingers, region_min_m=(-0.17, -0.65, 0.01))
    target = aim(grasps((0.0, -0.5, 0.012), width_m=0.06), arm, config)
    assert target.T_base_tcp[2, 3] == pytest.approx(0.01)  # closed tips, at the TCP, touch the floor


def test_the_lower_finger_of_a_grasp_tilted_sideways_stays_off_the_plate(arm):
    config = TargetConfig(fingers=STRAIGHT, region_min_m=(-0.17, -0.65, 0.01), opening_margin_m=0.0)
    # The closing direction of this grasp leans with the approach.
    group = grasps((0.0, -0.5, 0.012), tilt_rad=0.3, yaw_rad=np.pi / 2, width_m=0.06)
    target = aim(group, arm, config)
    lower_tip_z = target.T_base_tcp[2, 3] - 0.03 * abs(target.T_base_tcp[2, 1])
    assert abs(target.T_base_tcp[2, 1]) == pytest.approx(np.sin(0.3))
    assert lower_tip_z == pytest.approx(0.01)


def test_too_wide_names_value_and_limit(arm):
    failure = refusal(grasps(PLACE, width_m=0.09), arm)
    assert failure.code is PickError.TOO_WIDE
    assert "0.090 m" in str(failure)
    assert "0.085 m" in str(failure)


@pytest.mark.parametrize(("tilt_deg", "refused"), [(24.9, False), (25.0, False), (25.2, True), (170.0, True)])
def test_tilt_limit(arm, tilt_deg, refused):
    group = grasps((0.0, -0.45, 0.05), tilt_rad=np.deg2rad(tilt_deg))
    if refused:
        assert refusal(group, arm).code is PickError.TILT_TOO_LARGE
    else:
        aim(group, arm)


@pytest.mark.parametrize(
    "tip",
    [(0.171, -0.5, 0.05), (-0.171, -0.5, 0.05), (0.0, -0.309, 0.05), (0.0, -0.651, 0.05), (0.0, -0.5, 0.26)],
)
def test_fingertips_outside_the_region(arm, tip):
    failure = refusal(grasps(tip), arm)
    assert failure.code is PickError.OUTSIDE_WORKSPACE
    assert "region" in str(failure)


def test_a_grasp_too_far_below_the_floor_is_outside(arm):
    failure = refusal(grasps((0.0, -0.5, -0.02)), arm)
    assert failure.code is PickError.OUTSIDE_WORKSPACE
    assert "drawn back by 0.028 m" in str(failure)


def test_a_waypoint_outside_the_safety_workspace_is_refused_before_anything_moves(arm):
    low_ceiling = SafetyLimits(workspace_max=(0.7, -0.05, 0.15))
    failure = refusal(grasps(PLACE), arm, limits=low_ceiling)
    assert failure.code is PickError.OUTSIDE_WORKSPACE
    assert "workspace" in str(failure)


def test_a_tcp_below_the_minimum_height_is_refused(arm):
    failure = refusal(grasps(PLACE), arm, limits=SafetyLimits(min_height_m=0.06))
    assert failure.code is PickError.OUTSIDE_WORKSPACE


def test_out_of_reach(arm):
    config = TargetConfig(fingers=STRAIGHT, region_min_m=(-2.0, -2.0, 0.0), region_max_m=(2.0, 2.0, 0.5))
    limits = SafetyLimits(workspace_min=(-2.0, -2.0, 0.0), workspace_max=(2.0, 2.0, 1.0))
    assert refusal(grasps((0.0, -1.2, 0.05)), arm, config, limits).code is PickError.UNREACHABLE


def test_a_lost_arm_is_no_refusal():
    rig = Rig()
    rig.arm.close()
    with pytest.raises(ArmLost):
        aim(grasps(PLACE), rig.safe_arm)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"region_min_m": (0.2, -0.6, 0.0)}, "is empty"),
        ({"retreat_m": 0.0}, "retreat_m is 0.0"),
        ({"transit_height_m": 0.005}, "transit_height_m 0.005 is not above"),
        ({"opening_margin_m": -0.01}, "opening_margin_m is -0.01"),
        ({"max_draw_back_m": -0.01}, "max_draw_back_m is -0.01"),
    ],
)
def test_target_config_refuses(fields, message):
    with pytest.raises(ValueError, match=message):
        TargetConfig(**fields)


# Selection


def select(group, arm, memory=None, config=CONFIG):
    return select_grasp(group, arm, LIMITS, config, memory or FailureMemory())


def test_the_best_possible_grasp_is_chosen(arm):
    group = GraspGroup.concatenate(
        [
            grasps((0.0, -0.5, 0.05), scores=0.4),
            grasps((0.1, -0.5, 0.05), scores=0.7),
            grasps((0.5, -0.5, 0.05), scores=0.9),
        ]
    )
    selection = select(group, arm)
    assert selection.index == 1
    assert np.allclose(selection.target.T_base_tcp[:3, 3], (0.1, -0.5, 0.05))
    assert selection.refused == {"OUTSIDE_WORKSPACE": 1}
    assert selection.summary() == "3 perceived: 1 OUTSIDE_WORKSPACE"


def test_why_no_grasp_counts_every_reason(arm):
    group = GraspGroup.concatenate(
        [
            grasps(*[(0.0, -0.45, 0.05)] * 3, tilt_rad=0.6),
            grasps(*[(0.4, -0.45, 0.05)] * 4),
            grasps((0.0, -0.45, 0.05), width_m=0.095),
        ]
    )
    selection = select(group, arm)
    assert selection.target is None
    assert selection.index == -1
    assert selection.summary() == "8 perceived: 4 OUTSIDE_WORKSPACE, 3 TILT_TOO_LARGE, 1 TOO_WIDE"


def test_nothing_perceived(arm):
    selection = select(GraspGroup.empty(), arm)
    assert selection.target is None
    assert selection.summary() == "0 perceived"


def test_equal_scores_keep_their_order(arm):
    assert select(grasps((0.1, -0.5, 0.05), (0.0, -0.5, 0.05)), arm).index == 0


# Failure memory


def test_a_grasp_that_failed_falls_behind_one_of_nearly_its_score(arm):
    group = grasps((0.0, -0.5, 0.05), (0.1, -0.5, 0.05), scores=[0.8, 0.5])
    memory = FailureMemory()
    memory.failed(group[0])
    assert select(group, arm, memory).index == 1  # 0.8 * 0.5 < 0.5


def test_a_grasp_that_failed_once_is_still_tried_when_it_is_far_better(arm):
    group = grasps((0.0, -0.5, 0.05), (0.1, -0.5, 0.05), scores=[0.8, 0.3])
    memory = FailureMemory()
    memory.failed(group[0])
    assert select(group, arm, memory).index == 0


def test_a_grasp_that_failed_twice_is_refused(arm):
    memory = FailureMemory()
    memory.failed(grasps((0.0, -0.5, 0.05)))
    memory.failed(grasps((0.01, -0.5, 0.05)))
    selection = select(grasps((0.005, -0.5, 0.05), scores=0.9), arm, memory)
    assert selection.target is None
    assert selection.refused == {FAILED_BEFORE: 1}


def test_memory_switched_off_repeats_the_failed_grasp(arm):
    memory = FailureMemory(FailureMemoryConfig(enabled=False))
    for _ in range(5):
        memory.failed(grasps(PLACE))
    assert select(grasps(PLACE), arm, memory).index == 0


@pytest.mark.parametrize(
    ("shift_m", "yaw_rad", "same"),
    [(0.019, 0.0, True), (0.021, 0.0, False), (0.0, 0.5, True), (0.0, 0.55, False), (0.0, np.pi - 0.1, True)],
)
def test_same_place_means_near_in_position_and_turn(shift_m, yaw_rad, same):
    memory = FailureMemory()
    memory.failed(grasps(PLACE))
    moved = grasps((PLACE[0] + shift_m, PLACE[1], PLACE[2]), yaw_rad=yaw_rad)
    assert memory.failures(moved).tolist() == [int(same)]


def test_success_clears_its_place_only():
    memory = FailureMemory()
    memory.failed(grasps((0.0, -0.5, 0.05)))
    memory.failed(grasps((0.1, -0.5, 0.05)))
    memory.succeeded(grasps((0.01, -0.5, 0.05)))
    assert memory.failures(grasps((0.0, -0.5, 0.05), (0.1, -0.5, 0.05))).tolist() == [0, 1]


def test_old_failures_are_forgotten():
    memory = FailureMemory(FailureMemoryConfig(length=2))
    for x in (0.0, 0.05, 0.1):
        memory.failed(grasps((x, -0.5, 0.05)))
    assert memory.failures(grasps((0.0, -0.5, 0.05), (0.05, -0.5, 0.05))).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"radius_m": 0.0}, "radius_m is 0.0"),
        ({"angle_rad": 4.0}, "angle_rad is 4.0"),
        ({"score_factor": 0.0}, "score_factor is 0.0"),
        ({"max_failures": 0}, "max_failures is 0"),
        ({"length": 0}, "length is 0"),
    ],
)
def test_failure_memory_config_refuses(fields, message):
    with pytest.raises(ValueError, match=message):
        FailureMemoryConfig(**fields)
