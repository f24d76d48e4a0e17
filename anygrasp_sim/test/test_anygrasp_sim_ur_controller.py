# SPDX-License-Identifier: Apache-2.0
"""The emulated UR controller, tick by tick and over its sockets, with clients made of plain sockets.

The real clients of ur_rtde are in robot_drivers' tests: they need a controller in another process.
"""

import contextlib
import os
import socket
import struct
import threading
import time

import numpy as np
import pytest

from anygrasp_sim.emulators.control_program import ControlProgram
from anygrasp_sim.emulators.robot_backend import HOME_JOINTS_RAD, KinematicBackend
from anygrasp_sim.emulators.rotation_vector import transform_to_pose
from anygrasp_sim.emulators.script_server import split_programs
from anygrasp_sim.emulators.tcp_server import PortInUseError
from anygrasp_sim.emulators.ur_controller import UrController
from anygrasp_sim.emulators.ur_robot import ProgramError, UrRobot
from anygrasp_sim.emulators.ur_safety import RobotMode, SafetyMode
from anygrasp_sim.emulators.urscript_program import UrscriptProgram

DT_S = 0.008
HOST = (
    f"127.{os.getpid() % 250 + 1}.{time.time_ns() // 1000 % 250 + 1}.1"  # sessions side by side do not meet
)
SCRIPT = "def rtde_control():\n# float register offset\n0\n# int register offset\n0\nend\n"
READY, DONE = 1, 2
MOVEJ, MOVEL, SET_TCP, IK, STOPL, STOPJ, WATCHDOG, IS_STEADY, HAS_IK, STOP = (
    1,
    3,
    29,
    46,
    33,
    34,
    35,
    47,
    60,
    255,
)


@pytest.fixture
def robot() -> UrRobot:
    return UrRobot("ur5e", KinematicBackend())


@pytest.fixture
def controller():
    with UrController("ur5e", KinematicBackend(), HOST) as controller:
        yield controller


def tick(robot: UrRobot, seconds: float = DT_S) -> None:
    for _ in range(round(seconds / DT_S)):
        robot.tick(DT_S)


def start_control(robot: UrRobot) -> None:
    assert robot.start_program(ControlProgram(robot, SCRIPT))
    tick(robot)


def command(robot: UrRobot, number: int, numbers=(), asynchronous: bool = False) -> None:
    """What ur_rtde does: wait for ready, write, and clear after done."""
    robot.input_doubles[: len(numbers)] = [float(n) for n in numbers]
    robot.input_ints[1] = int(asynchronous)
    robot.input_ints[0] = number
    for _ in range(2000):
        tick(robot)
        if robot.output_ints[0] == DONE or not robot.program_running:
            break
    robot.input_ints[0] = 0
    tick(robot)


def is_moving_asynchronously(robot: UrRobot) -> bool:
    return bool(robot.output_ints[2] >> 15 & 1)


def lowered_pose(robot: UrRobot, by_m: float) -> list[float]:
    T = robot.motion.T_base_tcp
    T[2, 3] -= by_m
    return transform_to_pose(T).tolist()


# Control program of ur_rtde


def test_a_blocking_linear_move_is_done_when_the_tool_is_there(robot):
    start_control(robot)
    pose = lowered_pose(robot, 0.1)
    begin_s = robot.time_s
    command(robot, MOVEL, [*pose, 0.25, 1.2])
    np.testing.assert_allclose(robot.actual.tcp_pose[:3], pose[:3], atol=1e-9)
    # 0.1 m at 0.25 m/s and 1.2 m/s^2 takes 0.608 s
    assert robot.time_s - begin_s == pytest.approx(0.608, abs=4 * DT_S)
    assert robot.output_ints[0] == READY


def test_an_asynchronous_move_answers_at_once_and_reports_its_end(robot):
    start_control(robot)
    command(robot, MOVEJ, [*np.add(HOME_JOINTS_RAD, 0.2), 1.0, 2.0], asynchronous=True)
    operation = robot.output_ints[2] >> 24
    assert is_moving_asynchronously(robot)
    assert robot.time_s < 0.1
    tick(robot, 1.0)
    assert not is_moving_asynchronously(robot)
    assert robot.output_ints[2] >> 24 == operation
    np.testing.assert_allclose(robot.actual.q, np.add(HOME_JOINTS_RAD, 0.2))


@pytest.mark.parametrize("stop", [STOPL, STOPJ])
def test_a_stop_halts_the_joints_with_the_commanded_deceleration(robot, stop):
    start_control(robot)
    command(robot, MOVEJ, [*np.add(HOME_JOINTS_RAD, [1.5, 0, 0, 0, 0, 0]), 1.0, 10.0], asynchronous=True)
    tick(robot, 0.4)
    q0, begin_s = robot.actual.q[0], robot.time_s
    command(robot, stop, [4.0])
    # from 1 rad/s at 4 rad/s^2: 0.25 s and 0.125 rad
    assert robot.time_s - begin_s == pytest.approx(0.25, abs=4 * DT_S)
    assert robot.actual.q[0] - q0 == pytest.approx(0.125, abs=2 * DT_S)
    assert not robot.actual.qd.any()
    assert not is_moving_asynchronously(robot)


def test_an_asynchronous_stop_answers_before_the_arm_rests(robot):
    start_control(robot)
    command(robot, MOVEL, [*lowered_pose(robot, 0.3), 0.25, 2.0], asynchronous=True)
    tick(robot, 0.4)
    begin_s = robot.time_s
    command(robot, STOPL, [1.0], asynchronous=True)
    assert robot.time_s - begin_s < 0.05
    assert robot.motion.moving
    tick(robot, 0.3)
    assert not robot.motion.moving


def test_the_step_time_is_the_period_of_the_tick(robot):
    start_control(robot)
    robot.input_ints[0] = 26
    tick(robot)
    assert robot.output_doubles[0] == DT_S
    assert robot.output_ints[0] == READY


def test_inverse_kinematics_uses_the_tool(robot):
    start_control(robot)
    command(robot, SET_TCP, [0, 0, 0.17, 0, 0, 0])
    pose = transform_to_pose(robot.motion.T_base_tcp)
    command(robot, IK, pose)
    np.testing.assert_allclose(robot.output_doubles[:6], HOME_JOINTS_RAD, atol=1e-9)


def test_asking_for_a_solution_that_does_not_exist_is_harmless(robot):
    start_control(robot)
    command(robot, HAS_IK, [5.0, 0, 0, 0, 0, 0])
    assert robot.output_ints[1] == 0
    assert robot.program_running


def test_an_inverse_without_solution_ends_the_program(robot):
    start_control(robot)
    command(robot, IK, [5.0, 0, 0, 0, 0, 0])
    assert not robot.program_running


def test_a_command_that_is_not_emulated_ends_the_program(robot):
    start_control(robot)
    command(robot, 7)
    assert not robot.program_running


@pytest.mark.parametrize(("speed", "acceleration"), [(0.0, 1.0), (0.25, 0.0), (-1.0, 1.0), (np.nan, 1.0)])
def test_a_move_without_speed_or_acceleration_ends_the_program(robot, speed, acceleration):
    start_control(robot)
    command(robot, MOVEL, [*lowered_pose(robot, 0.1), speed, acceleration])
    assert not robot.program_running
    np.testing.assert_array_equal(robot.actual.q, HOME_JOINTS_RAD)


def test_ending_the_program_brings_the_arm_to_rest(robot):
    start_control(robot)
    command(robot, MOVEJ, [*np.add(HOME_JOINTS_RAD, [1.5, 0, 0, 0, 0, 0]), 1.0, 10.0], asynchronous=True)
    tick(robot, 0.4)
    robot.input_ints[0] = STOP
    tick(robot, 0.3)
    assert not robot.program_running
    assert not robot.actual.qd.any()
    assert robot.actual.q[0] < HOME_JOINTS_RAD[0] + 0.6


def test_the_watchdog_ends_the_program_of_a_silent_client(robot):
    start_control(robot)
    command(robot, WATCHDOG, [2.0])
    command(robot, MOVEJ, [*np.add(HOME_JOINTS_RAD, [1.5, 0, 0, 0, 0, 0]), 0.5, 10.0], asynchronous=True)
    assert robot.program_running
    robot.input_at_s -= 0.6  # the last input came longer than 1 / 2 Hz ago
    tick(robot, 0.3)
    assert not robot.program_running
    assert not robot.actual.qd.any()


def test_registers_can_be_moved_to_the_upper_range(robot):
    script = SCRIPT.replace("offset\n0", "offset\n24")
    robot.start_program(ControlProgram(robot, script))
    robot.input_doubles[24:32] = [*np.add(HOME_JOINTS_RAD, 0.1), 2.0, 9.0]
    robot.input_ints[24] = MOVEJ
    tick(robot, 0.5)
    np.testing.assert_allclose(robot.actual.q, np.add(HOME_JOINTS_RAD, 0.1))
    assert robot.output_ints[24] == DONE


def test_is_steady_while_nothing_moves(robot):
    start_control(robot)
    command(robot, IS_STEADY)
    assert robot.output_ints[1] == 1


# Safety


def start_long_move(robot: UrRobot) -> None:
    start_control(robot)
    command(robot, MOVEJ, [*np.add(HOME_JOINTS_RAD, [2.0, 0, 0, 0, 0, 0]), 1.0, 10.0], asynchronous=True)
    tick(robot, 0.4)
    assert robot.actual.qd[0] == pytest.approx(1.0)


def test_a_move_out_of_reach_is_a_protective_stop(robot):
    start_control(robot)
    pose = transform_to_pose(robot.motion.T_base_tcp).tolist()
    pose[1] -= 2.0
    command(robot, MOVEL, [*pose, 0.5, 2.0])
    assert robot.safety.mode is SafetyMode.PROTECTIVE_STOP
    assert not robot.program_running
    tick(robot, 0.2)
    assert not robot.actual.qd.any()


def test_a_protective_stop_halts_within_a_tenth_of_a_second_and_ends_the_program(robot):
    start_long_move(robot)
    robot.protective_stop("test")
    tick(robot, 0.1)
    assert not robot.actual.qd.any()
    assert not robot.program_running
    assert robot.safety.status_bits & 1 << 2


def test_no_program_starts_during_a_protective_stop(robot):
    robot.protective_stop("test")
    assert not robot.start_program(ControlProgram(robot, SCRIPT))


def test_a_protective_stop_cannot_be_unlocked_in_the_first_five_seconds(robot):
    robot.protective_stop("test")
    tick(robot, 4.9)
    assert not robot.safety.unlock_protective_stop(robot.time_s)
    tick(robot, 0.2)
    assert robot.safety.unlock_protective_stop(robot.time_s)
    assert robot.safety.mode is SafetyMode.NORMAL


def test_after_an_emergency_stop_the_arm_must_be_powered_and_its_brakes_released(robot):
    start_long_move(robot)
    robot.emergency_stop()
    tick(robot, 0.1)
    assert not robot.actual.qd.any()
    assert not robot.safety.brake_release()
    robot.safety.release_emergency_stop()
    assert robot.safety.robot_mode is RobotMode.POWER_OFF
    assert robot.safety.power_on()
    assert robot.safety.robot_mode is RobotMode.IDLE
    assert robot.safety.brake_release()
    assert robot.safety.can_move


def test_a_protective_stop_does_not_hide_an_emergency_stop(robot):
    robot.emergency_stop()
    robot.protective_stop("test")
    assert robot.safety.mode is SafetyMode.ROBOT_EMERGENCY_STOP


def test_a_safeguard_stop_pauses_the_move_and_lets_it_go_on(robot):
    start_long_move(robot)
    robot.safety.safeguard_stop(True)
    tick(robot, 0.2)
    assert not robot.actual.qd.any()
    assert robot.program_running
    robot.safety.safeguard_stop(False)
    tick(robot, 3.0)
    np.testing.assert_allclose(robot.actual.q, np.add(HOME_JOINTS_RAD, [2.0, 0, 0, 0, 0, 0]))


def test_a_program_ended_while_its_move_is_being_paused_leaves_nothing_to_go_on(robot):
    start_long_move(robot)
    robot.safety.safeguard_stop(True)
    tick(robot, 0.05)  # it still moves
    robot.stop_program()
    tick(robot, 0.5)
    q = robot.actual.q
    robot.safety.safeguard_stop(False)
    tick(robot, 1.0)
    np.testing.assert_array_equal(robot.actual.q, q)


def test_a_blocked_joint_is_a_protective_stop():
    class BlockedBackend(KinematicBackend):
        def joint_positions(self):
            return np.array(HOME_JOINTS_RAD)

    robot = UrRobot("ur5e", BlockedBackend())
    start_control(robot)
    command(robot, MOVEJ, [*np.add(HOME_JOINTS_RAD, [1.0, 0, 0, 0, 0, 0]), 1.0, 5.0])
    assert robot.safety.mode is SafetyMode.PROTECTIVE_STOP
    assert "blocked" in robot.safety.reason


def test_the_speed_slider_slows_moves_down(robot):
    robot.speed_slider = 0.5
    start_long_move_at = robot.time_s
    start_control(robot)
    command(robot, MOVEJ, [*np.add(HOME_JOINTS_RAD, [1.0, 0, 0, 0, 0, 0]), 1.0, 10.0])
    # 1.1 s at full speed
    assert robot.time_s - start_long_move_at == pytest.approx(2.2, abs=0.1)


# Plain URScript


def run_program(robot: UrRobot, source: str, seconds: float) -> None:
    robot.start_program(UrscriptProgram(robot, source))
    tick(robot, seconds)


def test_a_plain_movel_moves_the_tool_and_ends(robot):
    pose = lowered_pose(robot, 0.05)
    run_program(robot, f"movel(p{pose}, a=1.2, v=0.25)\n", 1.0)
    np.testing.assert_allclose(robot.actual.tcp_pose[:3], pose[:3], atol=1e-9)
    assert not robot.program_running


def test_calls_of_a_program_follow_one_another(robot):
    q = np.add(HOME_JOINTS_RAD, 0.1)
    pose = transform_to_pose(robot.kinematics.forward(np.add(HOME_JOINTS_RAD, [0.2, 0, 0, 0, 0, 0]))).tolist()
    source = f'def p():\n  textmsg("go")\n  movej({q.tolist()}, 4.0, 2.0) # there\n  movej(p{pose})\nend\n'
    run_program(robot, source, 2.0)
    np.testing.assert_allclose(robot.actual.q, np.add(HOME_JOINTS_RAD, [0.2, 0, 0, 0, 0, 0]), atol=1e-6)


def test_a_movel_to_joints_ends_at_the_joints(robot):
    q = np.add(HOME_JOINTS_RAD, [0.1, 0.1, 0, 0, 0, 0])
    run_program(robot, f"movel({q.tolist()})\n", 2.0)
    np.testing.assert_allclose(robot.actual.q, q, atol=1e-6)


@pytest.mark.parametrize("stop", ["stopj(20)", "stopl(a=5.0)"])
def test_a_stop_program_ends_the_running_move(robot, stop):
    start_long_move(robot)
    run_program(robot, f"def halt():\n  {stop}\nend\n", 0.3)
    assert not robot.actual.qd.any()
    assert not robot.program_running


@pytest.mark.parametrize(
    "line",
    [
        "set_digital_out(0, True)",
        "movel(get_actual_tcp_pose())",
        "movej([0, 0, 0])",
        "movej([0, 0, 0, 0, 0, x])",
        "movej([0, 0, 0, 0, 0, 0], a=-1)",
        "stopj(0)",
    ],
)
def test_a_line_that_is_not_emulated_is_refused_with_its_text(robot, line):
    with pytest.raises(ProgramError, match=line.split("(")[0]):
        UrscriptProgram(robot, line)


def test_programs_are_cut_out_of_the_stream_as_they_become_complete():
    first = "movej([0,0,0,0,0,0])\n"
    second = "def p():\n  if True:\n    stopl(1)\n  end\nend\n"
    text = first + second + "def q():\n  sto"
    assert list(split_programs(text)) == [first, second, "def q():\n  sto"]
    assert list(split_programs("")) == [""]


# Sockets


def connect(port: int) -> socket.socket:
    return socket.create_connection((HOST, port), timeout=5.0)


def receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = connection.recv(size - len(data))
        assert chunk, "the controller closed the connection"
        data += chunk
    return data


def send_package(connection: socket.socket, kind: str, payload: bytes = b"") -> None:
    connection.sendall(struct.pack(">HB", len(payload) + 3, ord(kind)) + payload)


def receive_package(connection: socket.socket) -> tuple[str, bytes]:
    size, kind = struct.unpack(">HB", receive(connection, 3))
    return chr(kind), receive(connection, size - 3)


def exchange(connection: socket.socket, kind: str, payload: bytes = b"") -> bytes:
    send_package(connection, kind, payload)
    answer_kind, answer = receive_package(connection)
    assert answer_kind == kind
    return answer


def ask_dashboard(connection: socket.socket, line: str) -> str:
    connection.sendall(f"{line}\n".encode())
    return connection.recv(1024).decode().strip()


def tick_until(controller: UrController, condition) -> None:
    """Tick by hand until the connections' threads have brought about the condition."""
    deadline_s = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < deadline_s, "the condition did not come about"
        controller.tick(DT_S)


def test_rtde_negotiates_version_two_only(controller):
    with connect(30004) as client:
        assert exchange(client, "V", struct.pack(">H", 1)) == b"\x00"
        assert exchange(client, "V", struct.pack(">H", 2)) == b"\x01"
        assert struct.unpack(">4I", exchange(client, "v")) == (5, 11, 0, 0)


def test_an_unknown_variable_is_not_found_and_the_recipe_refused(controller):
    with connect(30004) as client:
        assert (
            exchange(client, "O", struct.pack(">d", 125) + b"actual_q,nonsense") == b"\x00VECTOR6D,NOT_FOUND"
        )
        assert exchange(client, "I", b"input_int_register_0,actual_q") == b"\x00INT32,NOT_FOUND"
        assert exchange(client, "I", b"input_int_register_47,input_int_register_48") == b"\x00INT32,NOT_FOUND"


def test_outputs_come_at_the_requested_rate_of_the_controllers_time(controller):
    with connect(30004) as client:
        assert (
            exchange(client, "O", struct.pack(">d", 25.0) + b"timestamp,actual_q") == b"\x01DOUBLE,VECTOR6D"
        )
        assert exchange(client, "S") == b"\x01"
        for _ in range(51):
            controller.tick(DT_S)
        packages = [receive_package(client) for _ in range(11)]
        times = [struct.unpack(">B7d", payload)[1] for _, payload in packages]
        np.testing.assert_allclose(np.diff(times), 0.04, atol=1e-9)
        np.testing.assert_allclose(struct.unpack(">B7d", packages[0][1])[2:], HOME_JOINTS_RAD)
        assert exchange(client, "P") == b"\x01"
        for _ in range(20):
            controller.tick(DT_S)
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1)


def test_inputs_reach_the_registers_and_the_speed_slider(controller):
    with connect(30004) as client:
        names = b"input_int_register_0,input_double_register_3,speed_slider_mask,speed_slider_fraction"
        assert exchange(client, "I", names) == b"\x01INT32,DOUBLE,UINT32,DOUBLE"
        send_package(client, "U", struct.pack(">BidId", 1, 3, 0.5, 1, 0.25))
        tick_until(controller, lambda: controller.robot.speed_slider == 0.25)
        assert controller.robot.input_ints[0] == 3
        assert controller.robot.input_doubles[3] == 0.5
        assert controller.rtde_commands() == {3: 1}


@pytest.mark.parametrize("package", [b"\x00\x03\x99", b"\x00\x04U\x07", b"\x00\x03U", b"\x00\x04O\x00"])
def test_an_rtde_client_that_talks_nonsense_is_disconnected(controller, package):
    with connect(30004) as client:
        client.sendall(package)
        assert client.recv(10) == b""


def test_a_client_that_does_not_read_delays_nobody(controller):
    with connect(30004) as client:
        exchange(client, "O", struct.pack(">d", 500) + b"actual_q,target_q,actual_qd,target_qd")
        exchange(client, "S")
        begin_s = time.monotonic()
        for _ in range(5000):
            controller.tick(0.002)
        assert time.monotonic() - begin_s < 20.0


@pytest.mark.parametrize("port", [30001, 30002, 30003])
def test_programs_are_taken_on_every_script_port(controller, port):
    goal = np.add(HOME_JOINTS_RAD, 0.05)
    with connect(port) as client:
        client.sendall(f"movej({goal.tolist()}, a=5, v=2)\n".encode())
        tick_until(controller, lambda: np.allclose(controller.joint_positions(), goal))


def test_the_dashboard_unlocks_and_powers_as_polyscope_does(controller):
    with connect(29999) as client:
        assert "Dashboard Server" in client.recv(1024).decode()
        assert ask_dashboard(client, "robotmode") == "Robotmode: RUNNING"
        assert ask_dashboard(client, "PolyscopeVersion").startswith("URSoftware 5.11.0.0")
        assert ask_dashboard(client, "get robot model") == "UR5"
        assert ask_dashboard(client, "running") == "Program running: false"
        controller.protective_stop()
        assert ask_dashboard(client, "safetystatus") == "Safetystatus: PROTECTIVE_STOP"
        assert ask_dashboard(client, "unlock protective stop").startswith("Cannot unlock")
        controller.tick(5.0)
        assert ask_dashboard(client, "unlock protective stop") == "Protective stop releasing"
        controller.emergency_stop()
        assert ask_dashboard(client, "brake release") == "Failed to execute: brake release"
        controller.release_emergency_stop()
        assert ask_dashboard(client, "power on") == "Powering on"
        assert ask_dashboard(client, "robotmode") == "Robotmode: IDLE"
        assert ask_dashboard(client, "brake release") == "Brake releasing"
        assert ask_dashboard(client, "power off") == "Powering off"
        assert ask_dashboard(client, "fly") == "could not understand: 'fly'"
        assert ask_dashboard(client, "quit") == "Disconnected"
        assert client.recv(1) == b""


def test_a_dropped_client_can_connect_again(controller):
    with connect(29999) as client:
        assert client.recv(1024)
        controller.drop_connections()
        with contextlib.suppress(ConnectionError):
            assert client.recv(10) == b""
    with connect(29999) as client:
        assert client.recv(1024)
        tick_until(controller, lambda: controller.connections()[29999] == 1)


def test_only_the_configured_address_is_bound(controller):
    other = HOST.rsplit(".", 1)[0] + ".2"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((other, 30004), timeout=1.0)


def test_a_port_in_use_is_named_with_the_way_out(controller):
    second = UrController("ur5e", KinematicBackend(), HOST)
    with pytest.raises(PortInUseError, match=rf"30004 \(RTDE\) on {HOST} is in use.*127\.0\.0\.2"):
        second.start()


def test_stopping_leaves_no_thread_and_no_port():
    before = set(threading.enumerate())
    controller = UrController("ur5e", KinematicBackend(), HOST)
    controller.start()
    controller.run_realtime()
    with connect(30004), connect(63352), connect(29999) as client:
        client.recv(1024)
        controller.stop()
    assert set(threading.enumerate()) == before
    with pytest.raises(ConnectionRefusedError):
        connect(30004)


def test_real_time_ticks_follow_the_clock(controller):
    begin_s, wall_s = controller.time_s(), time.monotonic()
    controller.run_realtime()
    reached = threading.Event()
    while controller.time_s() < begin_s + 0.5:
        reached.wait(0.01)
    assert time.monotonic() - wall_s > 0.4


def test_a_ur5_reports_the_software_of_its_generation():
    with UrController("ur5", KinematicBackend(), HOST), connect(30004) as client:
        assert struct.unpack(">4I", exchange(client, "v"))[0] == 3
