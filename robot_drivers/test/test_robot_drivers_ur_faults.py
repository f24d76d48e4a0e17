# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with a UR: each fault is a clear error in bounded time, and the arm stands still."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from anygrasp_sim.emulators.controller_process import UrControllerProcess
from anygrasp_sim.emulators.robot_backend import HOME_JOINTS_RAD
from anygrasp_sim.emulators.rotation_vector import vector_to_rotation
from robot_drivers.arms import ur_session
from robot_drivers.arms.arm import ArmError, ArmLost, ArmState, ArmStopped, UnreachablePose
from robot_drivers.arms.ur import UrArm, UrArmConfig
from robot_drivers.arms.ur_snapshot import UrSnapshot

NETWORK = (
    f"127.{os.getpid() % 250 + 1}.{time.time_ns() // 1000 % 250 + 1}"  # sessions side by side do not meet
)
HOST = f"{NETWORK}.9"
HOME = np.array(HOME_JOINTS_RAD)
AWAY = np.add(HOME, [2.0, 0, 0, 0, 0, 0])
FAST = {"speed_rad_s": 3.0, "acceleration_rad_s2": 20.0}
LONG_MOVE = {"speed_rad_s": 0.5, "acceleration_rad_s2": 8.0}  # 4 s to AWAY


@pytest.fixture(scope="module")
def controller() -> Iterator[UrControllerProcess]:
    with UrControllerProcess("ur5e", HOST) as controller:
        yield controller


@pytest.fixture
def arm(controller) -> Iterator[UrArm]:
    """A connected arm at home; afterwards the controller is released from whatever the test did."""
    with UrArm(UrArmConfig(robot_ip=HOST, data_timeout_s=0.5, stall_timeout_s=1.0)) as arm:
        arm.move_joints(HOME, **FAST)
        yield arm
    release(controller)


def release(controller: UrControllerProcess) -> None:
    controller.ask("set_speed_slider", 1.0)
    controller.ask("safeguard_stop", False)
    controller.ask("release_emergency_stop")
    controller.ask("remote_control", True)
    controller.ask("deafen_scripts", False)
    controller.ask("tick", 5.0)  # a protective stop can be unlocked after five seconds
    dashboard("unlock protective stop")
    dashboard("brake release")


def dashboard(command: str) -> str:
    with socket.create_connection((HOST, 29999), timeout=5.0) as connection:
        connection.recv(1024)
        connection.sendall(f"{command}\n".encode())
        return connection.recv(1024).decode().strip()


class LongMove:
    """A move to AWAY in a thread, begun when the constructor returns; `error` waits for how it ended."""

    def __init__(self, arm: UrArm, controller: UrControllerProcess) -> None:
        self._error: BaseException | None = None
        self._controller = controller
        self._thread = threading.Thread(target=self._run, args=(arm,))
        self._thread.start()
        wait_until(lambda: speed(controller) > 0.4)

    def _run(self, arm: UrArm) -> None:
        try:
            arm.move_joints(AWAY, **LONG_MOVE)
        except ArmError as error:
            self._error = error

    def error(self, timeout_s: float = 5.0) -> BaseException | None:
        self._thread.join(timeout_s)
        assert not self._thread.is_alive(), "the move hangs"
        return self._error


def start_driver(host: str) -> subprocess.Popen[bytes]:
    """A program of its own that moves the arm to AWAY."""
    program = textwrap.dedent(
        f"""
        import numpy as np
        from robot_drivers.arms.ur import UrArm, UrArmConfig
        with UrArm(UrArmConfig(robot_ip="{host}")) as arm:
            arm.move_joints(np.array({AWAY.tolist()}), speed_rad_s=0.5, acceleration_rad_s2=8.0)
        """
    )
    return subprocess.Popen([sys.executable, "-c", program])


def workers(host: str) -> list[int]:
    """Processes that hold the ur_rtde interfaces of a controller."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # ended meanwhile
            if {b"robot_drivers.arms.ur_client_worker", host.encode()} <= set(path.read_bytes().split(b"\0")):
                found.append(int(path.parent.name))
    return found


def speed(controller: UrControllerProcess) -> float:
    return float(np.abs(controller.ask("joint_velocities")).max())


def assert_stands_on_the_way(controller: UrControllerProcess) -> None:
    wait_until(lambda: speed(controller) == 0.0)
    travelled = controller.ask("joint_positions")[0] - HOME[0]
    assert 0.0 < travelled < 1.5
    threading.Event().wait(0.1)
    assert speed(controller) == 0.0


def wait_until(condition, timeout_s: float = 10.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline_s, "the condition did not come about"
        pause.wait(0.005)


# Stops of the robot itself


def test_a_protective_stop_is_explained_and_refuses_moves_until_it_is_unlocked(arm, controller):
    move = LongMove(arm, controller)
    controller.ask("protective_stop")
    error = move.error()
    assert isinstance(error, ArmStopped)
    assert re.search(r"protective stop.*remove the cause.*unlock", str(error))
    assert_stands_on_the_way(controller)
    assert arm.state() is ArmState.PROTECTIVE_STOP
    for request in (lambda: arm.move_joints(HOME, **FAST), arm.clear_stop, arm.recover):
        with pytest.raises(ArmStopped, match=r"(?i)protective stop"):
            request()
    controller.ask("tick", 5.0)
    assert arm.recover() == "the UR is ready: unlocked its protective stop"
    assert arm.state() is ArmState.RUNNING
    arm.clear_stop()
    arm.move_joints(HOME, **FAST)


def test_an_emergency_stop_is_explained_until_power_and_brakes_are_back(arm, controller):
    move = LongMove(arm, controller)
    controller.ask("emergency_stop")
    error = move.error()
    assert isinstance(error, ArmStopped)
    assert re.search(r"emergency stop.*release the button", str(error))
    assert_stands_on_the_way(controller)
    assert arm.state() is ArmState.EMERGENCY_STOP
    with pytest.raises(ArmStopped, match="release the button"):
        arm.recover()
    controller.ask("release_emergency_stop")
    wait_until(lambda: arm.state() is ArmState.NOT_READY)
    with pytest.raises(ArmError, match=r"power off.*release its brakes"):
        arm.move_joints(HOME, **FAST)
    assert arm.recover() == "the UR is ready: powered it on and released its brakes"
    wait_until(lambda: arm.state() is ArmState.RUNNING)
    arm.move_joints(HOME, **FAST)


def test_a_safeguard_stop_ends_the_move_which_does_not_go_on_by_itself(arm, controller):
    move = LongMove(arm, controller)
    controller.ask("safeguard_stop", True)
    error = move.error()
    assert isinstance(error, ArmStopped)
    assert "safeguard" in str(error)
    assert arm.state() is ArmState.SAFEGUARD_STOP
    with pytest.raises(ArmStopped, match="safeguard"):
        arm.recover()
    controller.ask("safeguard_stop", False)
    assert_stands_on_the_way(controller)
    arm.move_joints(HOME, **FAST)


def test_a_program_stopped_on_the_pendant_is_said_so(arm, controller):
    move = LongMove(arm, controller)
    assert dashboard("stop") == "Stopped"
    error = move.error()
    assert isinstance(error, ArmStopped)
    assert "pendant" in str(error)
    assert_stands_on_the_way(controller)
    arm.move_joints(HOME, **FAST)


def test_a_speed_slider_at_zero_is_given_up_on(arm, controller):
    move = LongMove(arm, controller)
    controller.ask("set_speed_slider", 0.0)
    error = move.error()
    assert isinstance(error, ArmStopped)
    assert "speed slider" in str(error)
    controller.ask("set_speed_slider", 1.0)
    assert_stands_on_the_way(controller)


def test_a_controller_that_runs_faster_than_the_clock_is_no_fault():
    host = f"{NETWORK}.15"
    with UrControllerProcess("ur5e", host, speed=5.0) as controller, UrArm(UrArmConfig(robot_ip=host)) as arm:
        move = LongMove(arm, controller)
        begin_s = time.monotonic()
        assert move.error() is None
        assert time.monotonic() - begin_s < 3.0
        T = arm.tcp_pose()
        T[2, 3] -= 0.1
        arm.move_linear(T, speed_m_s=0.25, acceleration_m_s2=1.2)
        np.testing.assert_allclose(arm.tcp_pose(), T, atol=1e-4)


def test_a_low_speed_slider_is_no_fault_but_is_told(arm, controller, caplog):
    assert arm.details()["speed_scaling"] == "1.00"
    controller.ask("set_speed_slider", 0.3)
    wait_until(lambda: arm.details()["speed_scaling"] == "0.30")
    arm.move_joints(np.add(HOME, 0.2), **FAST)
    np.testing.assert_allclose(arm.joint_positions(), np.add(HOME, 0.2), atol=1e-4)
    assert "moves at 30 % of its speed: turn up the speed slider" in caplog.text
    assert arm.details() == {
        "robot_mode": "running",
        "safety_mode": "normal",
        "speed_scaling": "0.30",
        "control_program": "running",
    }


# Connections that break


def test_a_broken_connection_is_lost_at_once_and_the_arm_stands(arm, controller):
    move = LongMove(arm, controller)
    begin_s = time.monotonic()
    controller.ask("drop_connections")
    assert isinstance(move.error(), ArmLost)
    assert time.monotonic() - begin_s < 2.0
    assert_stands_on_the_way(controller)
    assert arm.state() is ArmState.DISCONNECTED
    with pytest.raises(ArmLost, match="connect"):
        arm.move_joints(HOME, **FAST)
    arm.connect()
    arm.move_joints(HOME, **FAST)


def test_a_silent_controller_is_lost_after_the_time_limit(arm, controller):
    move = LongMove(arm, controller)
    controller.freeze()
    try:
        begin_s = time.monotonic()
        error = move.error()
        assert isinstance(error, ArmLost)
        assert re.search(r"silent for 0\.\d s \(limit 0\.5 s\).*network", str(error))
        assert time.monotonic() - begin_s < 3.0
    finally:
        controller.thaw()
    assert_stands_on_the_way(controller)
    arm.connect()
    arm.move_joints(HOME, **FAST)


def test_a_connection_that_breaks_after_a_silence_tells_of_it(arm, controller):
    client = arm._connection._session._client
    controller.freeze()
    try:
        wait_until(lambda: client.snapshot().age_s > 0.6)
        client._process.kill()
        with pytest.raises(ArmLost, match=r"broke after it had been silent for \d\.\d s.*network"):
            client.snapshot()
    finally:
        controller.thaw()


def test_an_idle_arm_notices_the_loss_too(arm, controller):
    controller.ask("drop_connections")
    wait_until(lambda: arm.state() is ArmState.DISCONNECTED)
    with pytest.raises(ArmLost, match="connect"):
        arm.tcp_pose()


def test_a_controller_that_loses_its_power_is_lost_and_cannot_be_connected():
    host = f"{NETWORK}.10"
    with UrControllerProcess("ur5e", host) as controller, UrArm(UrArmConfig(robot_ip=host)) as arm:
        move = LongMove(arm, controller)
        controller.kill()
        assert isinstance(move.error(), ArmLost)
        begin_s = time.monotonic()
        with pytest.raises(ArmLost, match=rf"no UR controller answers at {re.escape(host)}.*robot_ip"):
            arm.connect()
        assert time.monotonic() - begin_s < 5.0


def test_a_host_that_accepts_and_says_nothing_is_timed_out():
    host = f"{NETWORK}.11"
    with socket.create_server((host, 30004)):
        arm = UrArm(UrArmConfig(robot_ip=host, request_timeout_s=1.0))
        begin_s = time.monotonic()
        with pytest.raises(ArmLost, match=r"did not answer.*within 1 s.*robot_ip"):
            arm.connect()
        assert time.monotonic() - begin_s < 5.0
        assert arm.state() is ArmState.DISCONNECTED


def test_the_arm_stands_when_its_driver_dies(arm, controller):
    arm.close()
    process = start_driver(HOST)
    try:
        wait_until(lambda: speed(controller) > 0.4, timeout_s=30.0)
    finally:
        process.kill()
        process.wait()
    wait_until(lambda: speed(controller) == 0.0, timeout_s=2.0)
    assert_stands_on_the_way(controller)
    wait_until(lambda: not workers(HOST))


def test_no_process_is_left_when_driver_and_controller_die_together():
    host = f"{NETWORK}.14"
    with UrControllerProcess("ur5e", host) as controller:
        process = start_driver(host)
        wait_until(lambda: speed(controller) > 0.4, timeout_s=30.0)
        assert len(workers(host)) == 1
        controller.kill()
        process.kill()
        process.wait()
    wait_until(lambda: not workers(host))


def test_closing_leaves_no_process_and_no_program(arm, controller):
    arm.close()
    assert workers(HOST) == []
    wait_until(lambda: dashboard("running") == "Program running: false")
    wait_until(lambda: controller.ask("connections")[30004] == 0)


# Connecting to what is not ready


def test_connecting_during_a_protective_stop_says_so(arm, controller):
    arm.close()
    controller.ask("protective_stop")
    with pytest.raises(ArmStopped, match="protective stop"):
        arm.connect()


def test_connecting_to_an_arm_without_power_says_so(arm):
    arm.close()
    assert dashboard("power off") == "Powering off"
    with pytest.raises(ArmError, match=r"power off.*power the arm on"):
        arm.connect()


def test_an_arm_without_power_is_recovered_before_it_is_connected(arm):
    arm.close()
    assert dashboard("power off") == "Powering off"
    assert "powered it on and released its brakes" in arm.recover()
    assert arm.state() is ArmState.DISCONNECTED  # nothing more than was asked for
    arm.connect()
    assert arm.recover() == "the UR is ready: nothing held it"
    arm.move_joints(HOME, **FAST)


@pytest.mark.parametrize("transport", ["rtde", "urscript"])
def test_local_control_is_named_and_the_switch_that_ends_it(arm, controller, transport):
    arm.close()
    controller.ask("remote_control", False)
    other = UrArm(UrArmConfig(robot_ip=HOST, transport=transport))
    with pytest.raises(ArmError, match=r"Local Control: switch it to Remote Control at the top right"):
        other.connect()
    assert dashboard("power off").startswith("Failed")
    controller.ask("emergency_stop")
    controller.ask("release_emergency_stop")
    with pytest.raises(ArmError, match="Remote Control"):
        other.recover()


def test_a_switch_to_local_control_is_named_at_the_next_move(arm, controller):
    assert dashboard("stop") == "Stopped"
    controller.ask("remote_control", False)
    with pytest.raises(ArmError, match="Local Control"):
        arm.move_joints(HOME, **FAST)


def test_an_arm_that_is_taken_over_at_its_pendant_is_not_moved(arm, controller, monkeypatch):
    monkeypatch.setattr(ur_session, "_CONTROL_CHECK_S", 0.0)
    joints = controller.ask("joint_positions")
    controller.ask("remote_control", False)  # its control program runs on
    with pytest.raises(ArmError, match=r"Local Control: switch it to Remote Control"):
        arm.move_joints(HOME + 0.2, **FAST)
    np.testing.assert_array_equal(controller.ask("joint_positions"), joints)
    controller.ask("remote_control", True)
    arm.move_joints(HOME, **FAST)


@pytest.mark.parametrize("transport", ["rtde", "urscript"])
def test_a_controller_that_starts_no_program_is_named_with_what_to_do(arm, controller, transport):
    arm.close()
    controller.ask("deafen_scripts", True)
    other = UrArm(UrArmConfig(robot_ip=HOST, transport=transport, request_timeout_s=12.0))
    with pytest.raises(ArmError, match=r"does not run our control program|did not start a program") as error:
        other.connect()
    assert re.search(
        r"Remote Control.*log on the pendant|log on the pendant.*Remote Control", str(error.value)
    )
    assert other.state() is ArmState.DISCONNECTED


@pytest.mark.parametrize("transport", ["rtde", "urscript"])
def test_a_controller_that_refuses_programs_is_named_with_the_port(transport):
    host = f"{NETWORK}.{16 + len(transport)}"
    with UrControllerProcess("ur5e", host) as controller:
        controller.ask("close_scripts")
        with pytest.raises(ArmLost, match=r"3000[23].*Settings, Security"):
            UrArm(UrArmConfig(robot_ip=host, transport=transport)).connect()


@pytest.mark.parametrize("transport", ["rtde", "urscript"])
def test_tool_and_payload_are_those_of_the_config(arm, controller, transport):
    arm.close()
    config = UrArmConfig(robot_ip=HOST, transport=transport, tcp_offset_m=(0.0, 0.01, 0.2), payload_kg=1.4)
    with UrArm(config) as arm:
        T_flange_tcp, _ = controller.ask("tool")
        np.testing.assert_allclose(T_flange_tcp, config.T_tool0_tcp, atol=1e-6)
        arm.move_joints(HOME, **FAST)
        np.testing.assert_allclose(controller.ask("tool")[0], config.T_tool0_tcp, atol=1e-6)
    assert controller.ask("tool")[1] == pytest.approx(1.4)


# Servoing


def servo_down(arm: UrArm, steps: int, T: np.ndarray, step_m: float = 0.002) -> None:
    """20 ms steps downwards from `T`."""
    for step in range(1, steps + 1):
        lower = T.copy()
        lower[2, 3] -= step * step_m
        arm.servo(lower, duration_s=0.02)
        threading.Event().wait(0.02)


@pytest.mark.parametrize(("model", "frequency_hz"), [("ur5", 125.0), ("ur5e", 500.0)])
def test_servoing_follows_its_poses_and_ends_at_rest(model, frequency_hz):
    host = f"{NETWORK}.{30 + len(model)}"
    config = UrArmConfig(robot_ip=host, model=model, frequency_hz=frequency_hz)
    with UrControllerProcess(model, host, period_s=1.0 / frequency_hz) as controller, UrArm(config) as arm:
        T = arm.tcp_pose()
        servo_down(arm, 20, T)
        wait_until(lambda: abs(arm.tcp_pose()[2, 3] - (T[2, 3] - 0.04)) < 1e-3)
        T_end = arm.tcp_pose()
        arm.end_servo()
        assert controller.ask("rtde_commands")[24] >= 1  # servoL
        wait_until(lambda: speed(controller) == 0.0)
        np.testing.assert_allclose(arm.tcp_pose(), T_end, atol=5e-3)
        arm.move_joints(HOME, **FAST)  # moves and servoing take turns
        servo_down(arm, 2, arm.tcp_pose())
        arm.move_joints(HOME, **FAST)


def test_stop_ends_servoing_until_it_is_cleared(arm, controller):
    T = arm.tcp_pose()
    servo_down(arm, 5, T)
    arm.stop()
    with pytest.raises(ArmStopped, match="clear_stop"):
        arm.servo(T, duration_s=0.02)
    wait_until(lambda: speed(controller) == 0.0)
    arm.clear_stop()
    servo_down(arm, 2, arm.tcp_pose())


@pytest.mark.parametrize("fault", ["protective_stop", "emergency_stop"])
def test_a_stop_of_the_robot_ends_servoing_with_its_reason(arm, controller, fault):
    T = arm.tcp_pose()
    servo_down(arm, 5, T)
    controller.ask(fault)
    with pytest.raises(ArmStopped, match=fault.replace("_", " ")):
        servo_down(arm, 50, T)
    wait_until(lambda: speed(controller) == 0.0)


def test_a_program_that_ends_while_servoing_is_said_so(arm):
    T = arm.tcp_pose()
    servo_down(arm, 5, T)
    assert dashboard("stop") == "Stopped"
    with pytest.raises(ArmStopped, match="pendant"):
        servo_down(arm, 50, T)
    arm.move_joints(HOME, **FAST)


def test_a_script_arm_says_that_it_cannot_servo(arm):
    arm.close()
    with (
        UrArm(UrArmConfig(robot_ip=HOST, transport="urscript")) as scripted,
        pytest.raises(ArmError, match='transport "rtde"'),
    ):
        scripted.servo(scripted.tcp_pose(), duration_s=0.02)


def test_another_model_than_configured_is_refused_with_both_names():
    arm = UrArm(UrArmConfig(robot_ip=HOST, model="ur5"))
    with pytest.raises(ArmError, match=r"is a ur5e .*model is ur5: correct"):
        arm.connect()


def test_a_ur5_at_125_hz_and_a_ur5e_at_500_hz_move():
    for number, (model, frequency_hz) in enumerate((("ur5", 125.0), ("ur5e", 500.0))):
        host = f"{NETWORK}.{12 + number}"
        config = UrArmConfig(robot_ip=host, model=model, frequency_hz=frequency_hz)
        with UrControllerProcess(model, host, period_s=1.0 / frequency_hz), UrArm(config) as arm:
            arm.move_joints(np.add(HOME, 0.1), **FAST)
            np.testing.assert_allclose(arm.joint_positions(), np.add(HOME, 0.1), atol=1e-4)


# Poses and settings


@pytest.mark.usefixtures("controller")
def test_a_pose_that_folds_the_arm_over_is_unreachable_with_the_joint_named():
    with UrArm(UrArmConfig(robot_ip=HOST, max_joint_change_rad=0.5)) as arm:
        arm.move_joints(HOME, **FAST)
        T = arm.tcp_pose()
        T[:3, :3] = vector_to_rotation([0.0, 0.0, 1.0]) @ T[:3, :3]
        assert not arm.is_reachable(T)
        with pytest.raises(UnreachablePose, match=r"joint 6 to turn by.*limit 0\.50"):
            arm.move_linear(T, speed_m_s=0.2, acceleration_m_s2=1.0)


@pytest.mark.usefixtures("controller")
def test_joints_beyond_their_limit_are_refused_with_the_limit():
    with UrArm(UrArmConfig(robot_ip=HOST, joint_limit_rad=1.6)) as arm:
        with pytest.raises(UnreachablePose, match=r"1\.60"):
            arm.move_joints(np.add(HOME, [-0.2, 0, 0, 0, 0, 0]), **FAST)
        T = arm.tcp_pose()
        T[1, 3] += 0.15
        with pytest.raises(UnreachablePose, match=r"needs joint \d at .*limit 1\.60"):
            arm.move_linear(T, speed_m_s=0.2, acceleration_m_s2=1.0)


def test_a_speed_that_the_controller_refuses_is_an_error(arm):
    with pytest.raises(ArmError, match=r"refused moveJ.*3\.14"):
        arm.move_joints(AWAY, speed_rad_s=100.0, acceleration_rad_s2=1.0)


@pytest.mark.parametrize(
    ("mode", "safety", "state"),
    [
        (7, 1, ArmState.RUNNING),
        (7, 2, ArmState.RUNNING),  # reduced
        (7, 3, ArmState.PROTECTIVE_STOP),
        (7, 5, ArmState.SAFEGUARD_STOP),
        (7, 6, ArmState.EMERGENCY_STOP),
        (3, 7, ArmState.EMERGENCY_STOP),
        (5, 1, ArmState.NOT_READY),
        (2, 1, ArmState.NOT_READY),
        (7, 9, ArmState.NOT_READY),  # fault
    ],
)
def test_robot_and_safety_modes_mean_these_states(mode, safety, state):
    snapshot = UrSnapshot([0.0] * 6, [0.0] * 6, [0.0] * 6, mode, safety, 0.0, True, True, 0, False)
    assert snapshot.state is state


@pytest.mark.parametrize(
    "values",
    [
        {"model": "ur10"},
        {"frequency_hz": 600.0},
        {"frequency_hz": 500.0, "model": "ur5"},
        {"tcp_offset_m": (0.0, 0.1)},
        {"joint_limit_rad": 0.0},
        {"max_joint_change_rad": -1.0},
        {"data_timeout_s": 0.0},
        {"request_timeout_s": float("nan")},
        {"stall_timeout_s": 0.0},
        {"payload_kg": -0.1},
        {"watchdog_hz": -1.0},
        {"transport": "telnet"},
        {"servo_gain": 50.0},
        {"servo_lookahead_s": 1.0},
        {"recover_timeout_s": 0.0},
    ],
)
def test_wrong_settings_are_refused_by_name(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        UrArmConfig(**values)
