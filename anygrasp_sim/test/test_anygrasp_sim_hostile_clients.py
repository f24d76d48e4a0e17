# SPDX-License-Identifier: Apache-2.0
"""Malformed and hostile bytes to the emulated controller: it lives on, and nothing moves."""

import os
import random
import socket
import struct
import time
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anygrasp_sim.emulators.modbus_rtu import ModbusGripper, checksum
from anygrasp_sim.emulators.robot_backend import HOME_JOINTS_RAD, KinematicBackend
from anygrasp_sim.emulators.robotiq_gripper import RobotiqGripper
from anygrasp_sim.emulators.ur_controller import UrController, UrPorts
from anygrasp_sim.emulators.ur_robot import ProgramError
from anygrasp_sim.emulators.urscript_program import UrscriptProgram

HOST = f"127.{os.getpid() % 250 + 1}.{time.time_ns() // 1000 % 250 + 1}.45"
PORTS = UrPorts()


@pytest.fixture(scope="module")
def controller() -> Iterator[UrController]:
    with UrController("ur5e", KinematicBackend(), HOST) as controller:
        yield controller


def package(kind: int, payload: bytes, size: int | None = None) -> bytes:
    return struct.pack(">HB", len(payload) + 3 if size is None else size, kind) + payload


def hostile_rtde(seed: int) -> bytes:
    rng = random.Random(seed)
    kinds = [ord(letter) for letter in "VvOISPU"] + [rng.randrange(256)]
    packages = [
        package(
            rng.choice(kinds),
            rng.choice([rng.randbytes(rng.randrange(60)), b"\x00" * 8 + b"timestamp,nonsense", b"\xff" * 9]),
            rng.choice([None, None, 0, 1, 2, 65535]),
        )
        for _ in range(4)
    ]
    return b"".join(packages) if seed % 2 else rng.randbytes(200)


HOSTILE = {
    PORTS.rtde: hostile_rtde,
    PORTS.scripts[1]: lambda seed: [
        b"movel(p[nan, 0, 0, 0, 0, 0], a=1, v=1)\n",
        b"movej([1e999, 0, 0, 0, 0, 0])\n",
        b"movej([1, 2, 3])\n",
        b"set_tcp(p[1, 2])\n",
        b"x = ((((((((((1))))))))))[0]\n",
        b"write_output_integer_register(-1, 5)\n",
        b"write_output_float_register(99, 1.0)\n",
        b"__import__('os')\n",
        b"def f():\n  q = get_inverse_kin(p[9, 9, 9, 0, 0, 0])\n  movej(q)\nend\n",
        random.Random(seed).randbytes(300) + b"\n",
    ][seed % 10],
    PORTS.dashboard: lambda seed: random.Random(seed).randbytes(50) + b"\n",
    PORTS.robotiq: lambda seed: (
        [b"SET POS 999 GTO 1\n", b"SET\n", b"GET\n", b"SET POS -1\n", b"SET POS 1e9 GTO 1\n", b"GET X\n"][
            seed % 6
        ]
        + random.Random(seed).randbytes(30)
        + b"\n"
    ),
    PORTS.tool_modbus: lambda seed: random.Random(seed).randbytes(300),
}


@pytest.mark.parametrize("port", HOSTILE)
def test_no_bytes_to_a_port_move_the_arm_or_end_the_server(controller, port):
    for seed in range(40):
        with socket.create_connection((HOST, port), timeout=5.0) as connection:
            try:
                connection.sendall(HOSTILE[port](seed))
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(4096):
                    pass
            except OSError:
                pass  # thrown out
        controller.tick(0.008)
    np.testing.assert_array_equal(controller.joint_positions(), HOME_JOINTS_RAD)
    assert np.abs(controller.joint_velocities()).max() == 0.0
    with socket.create_connection((HOST, port), timeout=5.0):
        pass  # still there


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(st.binary(max_size=30), st.binary(max_size=20).map(lambda b: b + checksum(b))), max_size=5
    )
)
def test_no_frame_crashes_the_gripper(chunks):
    gripper = RobotiqGripper(KinematicBackend())
    modbus = ModbusGripper(gripper)
    for chunk in chunks:
        for answer in modbus.feed(chunk):
            assert checksum(answer[:-2]) == answer[-2:]
    gripper.tick()


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="movejlset_tcp(p[]),=0123456789.e-+*x \n", max_size=60))
def test_no_text_makes_a_program_do_anything_but_run_or_fail(text):
    controller = UrController("ur5e", KinematicBackend(), HOST)
    try:
        program = UrscriptProgram(controller.robot, text)
        program.step()
    except ProgramError:
        return
    controller.tick(0.008)
