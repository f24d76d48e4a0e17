# SPDX-License-Identifier: Apache-2.0
"""Modbus RTU frames of the gripper: over TCP as a UR forwards them, or on a serial port."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import tty

from anygrasp_sim.emulators.modbus_rtu import ModbusGripper
from anygrasp_sim.emulators.tcp_server import TcpServer
from anygrasp_sim.emulators.ur_robot import UrRobot

__all__ = ["RobotiqModbusServer", "RobotiqSerialPort"]

_POLL_S = 0.05


class RobotiqModbusServer(TcpServer):
    """The bridge of the RS485 URCap; while `mute` it takes frames and answers nothing."""

    def __init__(self, robot: UrRobot, host: str, port: int) -> None:
        super().__init__(host, port, self._serve_client, "tool Modbus")
        self._robot = robot
        self.mute = False

    def _serve_client(self, connection: socket.socket) -> None:
        gripper = ModbusGripper(self._robot.gripper)
        while data := connection.recv(256):
            with self._robot.lock:
                answers = gripper.feed(data)
            if not self.mute:
                connection.sendall(b"".join(answers))


class RobotiqSerialPort:
    """A pseudo-terminal with the gripper at its end; `path` is the device to open."""

    def __init__(self, robot: UrRobot) -> None:
        self._robot = robot
        self.mute = False
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        self.path = os.ttyname(self._theirs)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="gripper serial port")

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the port."""
        self._ending.set()
        self._thread.join()
        for descriptor in (self._ours, self._theirs):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _serve(self) -> None:
        gripper = ModbusGripper(self._robot.gripper)
        while not self._ending.is_set():
            if not select.select([self._ours], [], [], _POLL_S)[0]:
                continue
            data = os.read(self._ours, 256)
            with self._robot.lock:
                answers = gripper.feed(data)
            if not self.mute:
                os.write(self._ours, b"".join(answers))
