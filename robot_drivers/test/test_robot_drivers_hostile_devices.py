# SPDX-License-Identifier: Apache-2.0
"""Malformed and hostile bytes from a robot or a gripper: a clear error in bounded time, and no motion."""

import contextlib
import os
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_drivers.arms.arm import ArmError, ArmState
from robot_drivers.arms.ur import UrArm, UrArmConfig
from robot_drivers.arms.ur_snapshot import UrSnapshot
from robot_drivers.grippers.gripper import GripperError, GripperLost, GripperTimeout
from robot_drivers.grippers.robotiq import RobotiqGripper
from robot_drivers.grippers.robotiq_config import RobotiqConfig
from robot_drivers.grippers.robotiq_modbus import RobotiqModbusLink, modbus_frame
from robot_drivers.grippers.robotiq_socket import RobotiqSocketLink

HOST = f"127.{os.getpid() % 250 + 1}.{time.time_ns() // 1000 % 250 + 1}.40"


class Liar:
    """Takes what is sent, and answers the n-th request with the n-th of its answers, then with silence."""

    def __init__(self, answers: list[bytes]) -> None:
        self.sent: list[bytes] = []
        self.closed = False
        self._answers = list(answers)
        self._pending = b""

    def send(self, data: bytes, timeout_s: float) -> None:
        self.sent.append(data)
        self._pending = self._answers.pop(0) if self._answers else b""

    def receive(self, timeout_s: float) -> bytes:
        if not self._pending:
            raise TimeoutError
        size = random.Random(len(self._pending)).randint(1, len(self._pending))
        chunk, self._pending = self._pending[:size], self._pending[size:]
        return chunk

    def discard(self) -> None:
        self._pending = b""

    def close(self) -> None:
        self.closed = True


def gripper_with(link_class, answers: list[bytes]) -> tuple[RobotiqGripper, Liar]:
    config = RobotiqConfig(answer_timeout_s=0.5, move_timeout_s=0.05, activation_timeout_s=0.05)
    link, liar = link_class(config), Liar(answers)
    link._stream = liar
    return RobotiqGripper(config, link), liar


text_answers = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda name, value: f"{name} {value}\n".encode(),
        st.sampled_from(["STA", "OBJ", "POS", "PRE"]),
        st.one_of(st.integers(-5, 300), st.text(max_size=5), st.integers(10**8, 10**40)),
    ),
    st.sampled_from([b"ack", b"ack\n", b"nak", b"?", b"POS 3\nPOS 4\n", b"\n" * 5, b"A" * 2000]),
)
frames = st.one_of(
    st.binary(max_size=40),
    st.binary(min_size=3, max_size=20).map(modbus_frame),
    st.binary(min_size=6, max_size=6).map(lambda body: modbus_frame(b"\x09\x03\x06" + body)),
    st.sampled_from([modbus_frame(b"\x09\x83\x02"), b"\x09\x03\xff" + bytes(300), b"\x00" * 2000]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(text_answers, max_size=12), st.sampled_from(["move", "activate", "state", "stop"]))
def test_no_text_answer_crashes_the_driver_or_passes_for_a_grip(answers, method):
    check(RobotiqSocketLink, answers, method)


@settings(max_examples=200, deadline=None)
@given(st.lists(frames, max_size=12), st.sampled_from(["move", "activate", "state", "stop"]))
def test_no_modbus_answer_crashes_the_driver_or_passes_for_a_grip(answers, method):
    check(RobotiqModbusLink, answers, method)


def check(link_class, answers: list[bytes], method: str) -> None:
    gripper, liar = gripper_with(link_class, answers)
    arguments = ((0.0,), {"speed": 1.0, "force": 1.0}) if method == "move" else ((), {})
    try:
        getattr(gripper, method)(*arguments[0], **arguments[1])
    except GripperLost:
        assert liar.closed  # a late answer must not be taken for that to the next request
        asked = len(liar.sent)
        with pytest.raises(GripperLost, match="connect"):
            gripper.state()
        assert len(liar.sent) == asked
    except GripperError:
        pass  # a fault that the gripper reports


def test_an_answer_in_pieces_is_one_answer():
    gripper, _ = gripper_with(RobotiqSocketLink, [b"POS 230\n", b"OBJ 3\n"])
    assert gripper.state().width_m == 0.0


def test_a_damaged_frame_is_asked_for_again():
    good = modbus_frame(bytes([9, 3, 6, 0xB9, 0, 0, 230, 120, 0]))
    gripper, liar = gripper_with(RobotiqModbusLink, [good[:-1] + b"\x00", good])
    assert gripper.state().object_detected
    assert len(liar.sent) == 2
    gripper, liar = gripper_with(RobotiqModbusLink, [good[:-1] + b"\x00"] * 3)
    with pytest.raises(GripperLost, match="damaged"):
        gripper.state()
    assert liar.closed


def test_an_exception_of_modbus_is_explained():
    gripper, _ = gripper_with(RobotiqModbusLink, [modbus_frame(b"\x09\x83\x02")])
    with pytest.raises(GripperLost, match=r"refuses function 3 \(code 2\)"):
        gripper.state()


@contextlib.contextmanager
def server(port: int, serve: Callable[[socket.socket], None]) -> Iterator[None]:
    """Somebody on a port of HOST who serves each connection in a thread."""
    ending = threading.Event()
    listener = socket.create_server((HOST, port))
    listener.settimeout(0.05)

    def handle(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5.0)
            serve(connection)

    def accept() -> None:
        while not ending.is_set():
            with contextlib.suppress(TimeoutError):
                threading.Thread(target=handle, args=(listener.accept()[0],), daemon=True).start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield
    finally:
        ending.set()
        acceptor.join()
        listener.close()


def test_a_gripper_that_drips_is_given_the_time_of_one_answer():
    def drip(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"P")
            threading.Event().wait(0.05)

    config = RobotiqConfig(robot_ip=HOST, answer_timeout_s=0.3)
    with server(63352, drip):
        gripper = RobotiqGripper(config, RobotiqSocketLink(config))
        gripper.connect()
        begin_s = time.monotonic()
        with pytest.raises(GripperTimeout, match=r"within 0\.3 s"):
            gripper.state()
        assert time.monotonic() - begin_s < 5.0


# RTDE


def package(kind: int, payload: bytes, size: int | None = None) -> bytes:
    return struct.pack(">HB", len(payload) + 3 if size is None else size, kind) + payload


HANDSHAKE = {
    ord("V"): package(ord("V"), b"\x01"),
    ord("v"): package(ord("v"), struct.pack(">4I", 5, 11, 0, 0)),
}
NAMES = b"DOUBLE,VECTOR6D,VECTOR6D,VECTOR6D,INT32,INT32,DOUBLE,UINT32"
NAN = float("nan")


def states(value: float) -> bytes:
    body = (
        struct.pack(">B", 1) + struct.pack(">d18dii", 1.0, *[value] * 18, 7, 1) + struct.pack(">dI", 1.0, 2)
    )
    return package(ord("U"), body)


RTDE_LIES = {
    "noise": lambda kind: bytes(range(256)) * 4,
    "absurd length": lambda kind: package(kind, b"\x01", size=65535),
    "length of nothing": lambda kind: package(kind, b"", size=0),
    "truncated": lambda kind: package(kind, b"\x01" * 10)[:5],
    "other types": lambda kind: HANDSHAKE.get(kind, package(kind, b"\x01STRING,STRING")),
    "no such variable": lambda kind: HANDSHAKE.get(kind, package(kind, b"\x00NOT_FOUND")),
    "no numbers": lambda kind: {
        **HANDSHAKE,
        ord("O"): package(ord("O"), b"\x01" + NAMES),
        ord("S"): package(ord("S"), b"\x01") + states(NAN) * 5,
    }.get(kind, b""),
    "short states": lambda kind: {
        **HANDSHAKE,
        ord("O"): package(ord("O"), b"\x01" + NAMES),
        ord("S"): package(ord("S"), b"\x01") + package(ord("U"), b"\x01\x02\x03") * 5,
    }.get(kind, b""),
}


@pytest.mark.parametrize("lie", RTDE_LIES)
def test_a_lying_controller_is_an_error_and_nothing_is_sent_to_it_to_move(lie):
    programs: list[bytes] = []
    commands: list[int] = []

    def serve(connection: socket.socket) -> None:
        while header := connection.recv(3, socket.MSG_WAITALL):
            size, kind = struct.unpack(">HB", header)
            connection.recv(size - 3, socket.MSG_WAITALL)
            commands.append(kind)
            connection.sendall(RTDE_LIES[lie](kind))

    def take(connection: socket.socket) -> None:
        programs.append(connection.recv(65536))

    with server(30004, serve), server(30002, take), server(30003, take):
        arm = UrArm(UrArmConfig(robot_ip=HOST, request_timeout_s=2.0, data_timeout_s=0.5))
        with pytest.raises(ArmError) as error:
            arm.connect()
        assert HOST in str(error.value)
        assert arm.state() is ArmState.DISCONNECTED
        with pytest.raises(ArmError):
            arm.joint_positions()
    assert ord("U") not in commands  # no input registers: no command to a program
    assert not any(b"move" in program for program in programs)


@pytest.mark.parametrize("value", [NAN, float("inf"), 1e300])
def test_a_measurement_that_is_none_is_refused(value):
    snapshot = UrSnapshot([0.0] * 6, [0.0] * 6, [0.0] * 6, 7, 1, 0.0, True, True, 0, False)
    snapshot.check_numbers()
    for field in ("q_rad", "qd_rad_s", "tcp_pose"):
        with pytest.raises(ValueError, match="joints"):
            snapshot._replace(**{field: [0.0] * 5 + [value]}).check_numbers()
        with pytest.raises(ValueError, match="joints"):
            snapshot._replace(**{field: [0.0] * 5}).check_numbers()
    with pytest.raises(ValueError, match="speed"):
        snapshot._replace(speed_scaling=value).check_numbers()
