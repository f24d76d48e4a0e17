# SPDX-License-Identifier: Apache-2.0
"""The Flexiv driver against the checked API of flexivrdk 1.9.1: motion, faults, stops, and its gripper."""

import re
import sys
import threading
import time
import types
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from rizon_rig import HOME, Fingers, Rizon

from robot_drivers.arms.arm import ArmError, ArmLost, ArmState, ArmStopped, UnreachablePose
from robot_drivers.arms.flexiv import FlexivArm, FlexivArmConfig
from robot_drivers.arms.flexiv_config import load_flexivrdk
from robot_drivers.grippers.flexiv import FlexivGripper, FlexivGripperConfig
from robot_drivers.grippers.gripper import GripperError, GripperLost, GripperTimeout
from robot_drivers.safety import SafeArm, SafetyLimits
from robot_drivers.safety.dry_run import DryRunArm, DryRunGripper

CONFIG = FlexivArmConfig(data_timeout_s=0.3, settle_timeout_s=60.0, command_hz=100.0)
LINE = {"speed_m_s": 0.5, "acceleration_m_s2": 4.0}
JOINTS = {"speed_rad_s": 2.0, "acceleration_rad_s2": 20.0}


@pytest.fixture
def rizon() -> Rizon:
    return Rizon(speed=2.0)


@pytest.fixture
def arm(rizon) -> Iterator[FlexivArm]:
    with FlexivArm(CONFIG, rizon.module) as arm:
        yield arm


def moved(T: np.ndarray, x_m: float = 0.0, y_m: float = 0.0, z_m: float = 0.0) -> np.ndarray:
    T = T.copy()
    T[:3, 3] += [x_m, y_m, z_m]
    return T


def during(move, disturb) -> ArmError:
    """The error of a move that is disturbed once it is under way."""
    errors: list[ArmError] = []

    def run() -> None:
        try:
            move()
        except ArmError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    threading.Event().wait(0.08)
    disturb()
    thread.join(5.0)
    assert not thread.is_alive(), "the move hangs"
    (error,) = errors
    return error


def test_connecting_enables_the_robot_and_sets_tool_and_payload(arm, rizon):
    assert arm.state() is ArmState.RUNNING
    tool = rizon.tools["anygrasp_tool"]
    assert tool.mass == 0.95
    assert tool.tcp_location[:3] == [0.0, 0.0, 0.1725]
    np.testing.assert_allclose(arm.tcp_pose(), arm.forward_kinematics(HOME), atol=1e-9)
    (made,) = [
        call for call in rizon.module.calls if call.method == "__init__" and call.class_name == "Robot"
    ]
    assert made.arguments["network_interface_whitelist"] == []


def test_a_linear_move_goes_along_its_line_at_its_speed(arm, rizon):
    T_start, T_goal = arm.tcp_pose(), moved(arm.tcp_pose(), 0.05, 0.1, -0.1)
    begin_s = arm._session.snapshot().time_s
    arm.move_linear(T_goal, **LINE)
    assert arm._session.snapshot().time_s - begin_s > 0.15 / 0.5
    np.testing.assert_allclose(arm.tcp_pose(), T_goal, atol=1e-4)
    sent = [call.arguments for call in rizon.module.calls_of("SendCartesianMotionForce")]
    way = T_goal[:3, 3] - T_start[:3, 3]
    for arguments in sent:
        on_the_way = np.array(arguments["pose"][:3]) - T_start[:3, 3]
        assert np.linalg.norm(np.cross(on_the_way, way)) < 1e-9
        assert arguments["max_linear_vel"] == 0.5
        assert arguments["max_linear_acc"] == 4.0
    assert len(sent) > 2
    (contact,) = rizon.module.calls_of("SetMaxContactWrench")
    assert contact.arguments["arg0"] == [60.0] * 3 + [15.0] * 3


def test_a_joint_move_ends_at_its_joints(arm):
    goal = HOME + 0.1
    arm.move_joints(goal, **JOINTS)
    np.testing.assert_allclose(arm.joint_positions(), goal, atol=1e-3)


def test_servoing_follows_and_ends_at_rest(arm, rizon):
    T = arm.tcp_pose()
    for step in range(1, 6):
        arm.servo(moved(T, x_m=0.004 * step), duration_s=0.02)
        threading.Event().wait(0.02)
    arm.end_servo()
    assert rizon.stops == 1
    assert 0.005 < arm.tcp_pose()[0, 3] - T[0, 3] < 0.021
    fastest = max(c.arguments["max_linear_vel"] for c in rizon.module.calls_of("SendCartesianMotionForce"))
    assert fastest < 1.1
    arm.end_servo()
    assert rizon.stops == 1


def test_poses_out_of_reach_and_joints_beyond_their_limits_are_refused(arm, rizon):
    with pytest.raises(UnreachablePose):
        arm.move_linear(moved(arm.tcp_pose(), x_m=2.0), **LINE)
    with pytest.raises(UnreachablePose, match="exceed"):
        arm.move_joints(HOME + 3.0, **JOINTS)
    with pytest.raises(ValueError, match="seven"):
        arm.move_joints(np.zeros(6), **JOINTS)
    with pytest.raises(ValueError, match="T_base_tcp"):
        arm.servo(np.full((4, 4), np.nan), duration_s=0.02)
    assert (
        rizon.module.calls_of("SendCartesianMotionForce") == rizon.module.calls_of("SendJointPosition") == []
    )


def test_stop_halts_a_move_and_refuses_the_next(arm, rizon):
    error = during(lambda: arm.move_linear(moved(arm.tcp_pose(), z_m=-0.2), **LINE), arm.stop)
    assert isinstance(error, ArmStopped)
    q = arm.joint_positions()
    for move in (
        lambda: arm.move_joints(HOME, **JOINTS),
        lambda: arm.servo(arm.tcp_pose(), duration_s=0.02),
    ):
        with pytest.raises(ArmStopped, match="clear_stop"):
            move()
    np.testing.assert_array_equal(arm.joint_positions(), q)
    arm.clear_stop()
    arm.move_joints(HOME, **JOINTS)


def test_two_moves_at_once_are_refused(arm):
    def disturb() -> None:
        with pytest.raises(ArmError, match="already"):
            arm.servo(arm.tcp_pose(), duration_s=0.02)
        with pytest.raises(ArmError, match="already"):
            arm.move_joints(HOME, **JOINTS)
        arm.stop()

    during(lambda: arm.move_linear(moved(arm.tcp_pose(), z_m=-0.2), **LINE), disturb)


def test_a_fault_is_explained_and_cleared_only_on_request(arm, rizon):
    error = during(lambda: arm.move_linear(moved(arm.tcp_pose(), z_m=-0.2), **LINE), rizon.fault_now)
    assert isinstance(error, ArmStopped)
    assert "joint 4 overload" in str(error)
    assert arm.state() is ArmState.PROTECTIVE_STOP
    for request in (arm.clear_stop, lambda: arm.servo(arm.tcp_pose(), duration_s=0.02)):
        with pytest.raises(ArmStopped, match="MINOR_FAULT"):
            request()
    assert rizon.module.calls_of("ClearFault") == []
    assert "cleared the fault" in arm.recover()
    arm.move_joints(HOME, **JOINTS)


def test_a_critical_fault_is_not_cleared(arm, rizon):
    rizon.fault_now("CRITICAL_FAULT")
    with pytest.raises(ArmStopped, match="switch the robot off"):
        arm.recover()
    assert rizon.module.calls_of("ClearFault") == []


def test_the_emergency_stop_has_to_be_released_by_hand(arm, rizon):
    rizon.estop = True
    assert arm.state() is ArmState.EMERGENCY_STOP
    for request in (arm.recover, arm.clear_stop, lambda: arm.move_joints(HOME, **JOINTS)):
        with pytest.raises(ArmStopped, match="release the button"):
            request()
    rizon.estop, rizon.status = False, "NOT_ENABLED"
    with pytest.raises(ArmError, match="NOT_ENABLED"):
        arm.move_joints(HOME, **JOINTS)
    assert "enabled it" in arm.recover()
    arm.move_joints(HOME, **JOINTS)


@pytest.mark.parametrize("status", ["IN_MANUAL_MODE", "IN_RECOVERY_STATE", "BOOTING", "CRITICAL_FAULT"])
def test_a_robot_that_is_not_operational_says_what_to_do(rizon, status):
    rizon.status = status
    with pytest.raises(ArmError, match=rf"{status}\): "):
        FlexivArm(CONFIG, rizon.module).connect()
    assert rizon.module.calls_of("SwitchMode") == []


def test_a_lost_connection_and_a_silent_robot_are_lost(arm, rizon):
    error = during(
        lambda: arm.move_linear(moved(arm.tcp_pose(), z_m=-0.2), **LINE),
        lambda: setattr(rizon, "silent", True),
    )
    assert isinstance(error, ArmLost)
    assert re.search(r"silent for \d\.\d s \(limit 0\.3 s\)", str(error))
    assert arm.state() is ArmState.DISCONNECTED
    rizon.silent = False
    arm.connect()
    error = during(
        lambda: arm.move_linear(moved(arm.tcp_pose(), z_m=-0.2), **LINE),
        lambda: setattr(rizon, "unplugged", True),
    )
    assert isinstance(error, ArmLost)
    assert arm.state() is ArmState.DISCONNECTED
    with pytest.raises(ArmLost):
        arm.tcp_pose()
    arm.connect()
    arm.move_joints(HOME, **JOINTS)


def test_a_blocked_arm_is_given_up_on(rizon):
    rizon.blocked = True
    arm = FlexivArm(replace(CONFIG, settle_timeout_s=0.5), rizon.module)
    arm.connect()
    with pytest.raises(ArmError, match="in the way"):
        arm.move_linear(moved(arm.tcp_pose(), z_m=-0.05), **LINE)
    assert rizon.stops == 1


def test_a_robot_that_is_not_there_is_named():
    rizon = Rizon()
    rizon.reachable_from_network = False
    with pytest.raises(ArmLost, match=r"no Rizon Rizon4-000000 answers.*10\.0\.0\.2"):
        FlexivArm(FlexivArmConfig(network_interfaces=("10.0.0.2",)), rizon.module).connect()


def test_a_missing_or_wrong_flexivrdk_names_the_version_and_the_reason(monkeypatch):
    monkeypatch.setitem(sys.modules, "flexivrdk", None)
    with pytest.raises(ArmError, match=r"flexivrdk==1\.9\.1.*3\.10 and 3\.12.*refuses the Rizon"):
        FlexivArm().connect()
    monkeypatch.setitem(sys.modules, "flexivrdk", types.SimpleNamespace(__version__="2.0.1"))
    with pytest.raises(ArmError, match=r"flexivrdk 2\.0\.1 is installed"):
        load_flexivrdk()
    monkeypatch.setitem(sys.modules, "flexivrdk", types.SimpleNamespace(__version__="1.9.1"))
    assert load_flexivrdk().__version__ == "1.9.1"


@pytest.mark.parametrize(
    "values",
    [
        {"serial_number": "Rizon4 062016"},
        {"command_hz": 500.0},
        {"payload_kg": -1.0},
        {"data_timeout_s": 0.0},
        {"max_contact_force_n": float("nan")},
    ],
)
def test_wrong_settings_are_refused_by_name(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        FlexivArmConfig(**values)


# The gripper


@pytest.fixture
def gripper(arm) -> FlexivGripper:
    gripper = FlexivGripper(arm)
    gripper.connect()
    gripper.activate()
    return gripper


def fingers(gripper) -> Fingers:
    return gripper._gripper._answers


def test_the_gripper_moves_to_widths_with_the_robots_units(gripper, rizon):
    state = gripper.move(0.04, speed=1.0, force=0.5)
    assert state.width_m == pytest.approx(0.04, abs=1e-6)
    assert not state.object_detected
    sent = rizon.module.calls_of("Move")[-1].arguments
    assert (sent["arg1"], sent["arg2"]) == (0.5, 45.0)


def test_contact_ends_the_motion_at_once(gripper):
    gripper.move(0.085, speed=1.0, force=0.5)
    fingers(gripper).object_m = 0.03
    begin_s = time.monotonic()
    state = gripper.move(0.0, speed=1.0, force=0.5)
    assert time.monotonic() - begin_s < 0.5
    assert state.object_detected
    assert state.width_m == pytest.approx(0.03, abs=1e-6)


def test_a_grasp_by_force_is_asked_for_by_config(arm, rizon):
    gripper = FlexivGripper(arm, FlexivGripperConfig(grasp_by_force=True))
    gripper.connect()
    gripper.activate()
    gripper.move(0.0, speed=1.0, force=0.0)
    assert [call.arguments["arg0"] for call in rizon.module.calls_of("Grasp")] == [5.0]


def test_a_gripper_that_never_rests_is_timed_out(arm):
    gripper = FlexivGripper(arm, FlexivGripperConfig(move_timeout_s=0.1, initialize=False))
    gripper.connect()
    gripper.activate()
    fingers(gripper).stuck = True
    with pytest.raises(GripperTimeout, match="move to"):
        gripper.move(0.0, speed=1.0, force=0.5)


def test_gripper_errors_are_explained(arm, rizon):
    gripper = FlexivGripper(arm, FlexivGripperConfig(name="Nobody"))
    with pytest.raises(GripperLost, match="connect first"):
        gripper.state()
    gripper.connect()
    with pytest.raises(GripperError, match="activate"):
        gripper.move(0.0, speed=1.0, force=0.5)
    with pytest.raises(GripperError, match="Nobody"):
        gripper.activate()
    rizon.unplugged = True
    with pytest.raises(GripperLost):
        gripper.state()
    with pytest.raises(ValueError, match="open_reading_m"):
        FlexivGripperConfig(open_reading_m=0.0)


def test_a_dry_run_reads_the_robot_and_moves_neither_arm_nor_fingers(rizon, arm, caplog):
    caplog.set_level("INFO", logger="robot_drivers.safety.dry_run")
    limits = SafetyLimits(workspace_min=(-1.0, -1.0, 0.0), workspace_max=(1.0, 1.0, 1.5))
    dry, gripper = SafeArm(DryRunArm(arm), limits), DryRunGripper(FlexivGripper(arm))
    gripper.connect()
    gripper.activate()
    q, T_start = arm.joint_positions(), arm.tcp_pose()
    dry.move_linear(moved(T_start, 0.05), **LINE)
    dry.servo(moved(T_start, 0.0505), duration_s=0.1)
    gripper.move(0.0, speed=0.5, force=0.5)
    np.testing.assert_allclose(dry.tcp_pose(), moved(T_start, 0.0505), atol=1e-6)
    np.testing.assert_array_equal(arm.joint_positions(), q)
    sent = {call.method for call in rizon.module.calls}
    assert not sent & {"SendCartesianMotionForce", "SendJointPosition", "Init", "Move", "Grasp"}
    assert "would move 0.050 m in a line" in caplog.text
    assert "50% of its force" in caplog.text
