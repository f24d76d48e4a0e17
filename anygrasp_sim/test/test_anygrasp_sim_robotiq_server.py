# SPDX-License-Identifier: Apache-2.0
"""The emulated Robotiq 2F-85: registers tick by tick, and its text protocol over the socket."""

import os
import socket
import time

import pytest

from anygrasp_sim.emulators.robot_backend import GripperContact, KinematicBackend
from anygrasp_sim.emulators.robotiq_gripper import CLOSED_COUNT, OPEN_COUNT, RobotiqGripper
from anygrasp_sim.emulators.ur_controller import UrController

DT_S = 0.008
HOST = f"127.{os.getpid() % 250 + 1}.{time.time_ns() // 1000 % 250 + 1}.3"
MOVING, OPENING_CONTACT, CLOSING_CONTACT, AT_POSITION = (int(contact) for contact in GripperContact)


class Cell:
    """A gripper with its backend, ticked by hand."""

    def __init__(self) -> None:
        self.backend = KinematicBackend()
        self.gripper = RobotiqGripper(self.backend)

    def tick(self, seconds: float = DT_S) -> None:
        for _ in range(round(seconds / DT_S)):
            self.backend.command_joints(self.backend.joint_positions())
            self.gripper.tick()

    def read(self, *names: str) -> list[int]:
        return [self.gripper.read(name) for name in names]

    def activate(self) -> None:
        self.gripper.write({"ACT": 1})
        self.tick(2.0)

    def go_to(self, position: int, speed: int = 255) -> None:
        self.gripper.write({"POS": position, "SPE": speed, "FOR": 100, "GTO": 1})
        self.tick()


@pytest.fixture
def cell() -> Cell:
    cell = Cell()
    cell.tick()
    return cell


@pytest.fixture
def active(cell) -> Cell:
    cell.activate()
    return cell


def test_activation_closes_and_opens_the_fingers_once(cell):
    assert cell.read("ACT", "STA") == [0, 0]
    cell.gripper.write({"ACT": 1})
    cell.tick()
    assert cell.read("STA") == [1]
    cell.tick(0.5)
    assert cell.read("POS")[0] > 150
    cell.tick(1.5)
    assert cell.read("STA", "FLT", "POS") == [3, 0, OPEN_COUNT]


def test_a_request_before_activation_is_a_fault_and_moves_nothing(cell):
    cell.go_to(200)
    cell.tick(0.5)
    assert cell.read("FLT", "POS") == [7, OPEN_COUNT]


def test_a_request_during_activation_is_carried_out_after_it(cell):
    cell.gripper.write({"ACT": 1})
    cell.tick(0.1)
    cell.go_to(100)
    assert cell.read("FLT", "STA") == [5, 1]
    cell.tick(2.5)
    assert cell.read("FLT", "STA", "POS") == [0, 3, 100]


def test_the_request_is_echoed_and_the_fingers_move_until_they_are_there(active):
    active.go_to(120)
    assert active.read("PRE", "OBJ") == [120, MOVING]
    active.tick(0.1)
    assert active.read("OBJ") == [MOVING]
    active.tick(0.6)
    assert active.read("POS", "OBJ") == [120, AT_POSITION]


def test_a_full_stroke_takes_its_time_at_either_speed(active):
    # KinematicBackend: 0.57 s at full speed, 7.5 times as long at the slowest
    for speed, position, seconds in ((255, 255, 0.57), (0, 0, 4.3)):
        active.go_to(position, speed)
        ticks = 0
        while active.read("OBJ") == [MOVING]:
            active.tick()
            ticks += 1
        assert ticks * DT_S == pytest.approx(seconds, rel=0.05)


def test_an_object_between_the_fingers_is_detected(active):
    active.backend.object_at = 0.5
    active.go_to(255)
    active.tick(1.0)
    assert active.read("OBJ") == [CLOSING_CONTACT]
    assert active.read("POS")[0] == pytest.approx((OPEN_COUNT + CLOSED_COUNT) / 2, abs=1)


def test_fingers_that_lose_the_object_close(active):
    active.backend.object_at = 0.5
    active.go_to(255)
    active.tick(1.0)
    active.backend.object_at = None
    active.tick(1.0)
    assert active.read("OBJ", "POS") == [AT_POSITION, CLOSED_COUNT]


def test_positions_beyond_the_stops_end_at_the_stops(active):
    active.go_to(255)
    active.tick(1.0)
    assert active.read("POS", "OBJ") == [CLOSED_COUNT, AT_POSITION]
    active.go_to(0)
    active.tick(1.0)
    assert active.read("POS", "OBJ") == [OPEN_COUNT, AT_POSITION]


def test_taking_back_the_request_halts_the_fingers(active):
    active.go_to(255, speed=0)
    active.tick(0.5)
    active.gripper.write({"GTO": 0})
    active.tick(0.1)
    position = active.read("POS")
    active.tick(1.0)
    assert active.read("POS") == position
    assert OPEN_COUNT < position[0] < CLOSED_COUNT


def test_a_major_fault_halts_and_holds_until_a_new_activation(active):
    active.go_to(255, speed=0)
    active.tick(0.2)
    active.gripper.inject_fault(8)
    active.tick(0.2)
    position = active.read("POS")
    active.go_to(0)
    active.tick(1.0)
    assert active.read("FLT", "POS") == [8, *position]
    active.gripper.write({"ACT": 0, "GTO": 0})
    active.tick()
    active.activate()
    assert active.read("FLT", "STA") == [0, 3]


@pytest.mark.parametrize("values", [{}, {"POS": 256}, {"POS": -1}, {"STA": 3}, {"ACT": 1, "XYZ": 0}])
def test_wrong_registers_and_values_are_refused_whole(cell, values):
    assert not cell.gripper.write(values)
    assert cell.read("ACT") == [0]


def test_an_unknown_register_has_no_value(cell):
    assert cell.gripper.read("XYZ") is None


def ask(connection: socket.socket, line: str) -> str:
    connection.sendall(f"{line}\n".encode())
    return connection.recv(1024).decode()


def test_the_urcap_answers_in_its_own_words():
    with (
        UrController("ur5e", KinematicBackend(), HOST) as controller,
        socket.create_connection((HOST, 63352), timeout=5.0) as client,
    ):
        assert ask(client, "GET STA") == "STA 0\n"
        assert ask(client, "SET ACT 1 GTO 1") == "ack"
        for line in ("GET XYZ", "SET POS 999", "SET POS", "SET POS x", "HELLO", ""):
            assert ask(client, line) == "?"
        for _ in range(300):
            controller.tick(DT_S)
        assert ask(client, "GET STA") == "STA 3\n"


def test_a_mute_gripper_takes_commands_and_says_nothing():
    with (
        UrController("ur5e", KinematicBackend(), HOST) as controller,
        socket.create_connection((HOST, 63352), timeout=5.0) as client,
    ):
        controller.mute_gripper(True)
        client.sendall(b"SET ACT 1\n")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(10)
        controller.mute_gripper(False)
        client.settimeout(5.0)
        assert ask(client, "GET ACT") == "ACT 1\n"
