# SPDX-License-Identifier: Apache-2.0
"""Text protocol of the Robotiq URCap: `SET POS 255 GTO 1` is answered `ack`, `GET OBJ` with `OBJ 3`."""

from __future__ import annotations

import socket
from collections import Counter

from anygrasp_sim.emulators.robotiq_gripper import RobotiqGripper
from anygrasp_sim.emulators.tcp_server import TcpServer
from anygrasp_sim.emulators.ur_robot import UrRobot

__all__ = ["RobotiqSocketServer"]


class RobotiqSocketServer(TcpServer):
    """One gripper behind the URCap's port; while `mute` it takes commands and answers nothing.

    `commands` counts requests by their first word.
    """

    def __init__(self, robot: UrRobot, host: str, port: int) -> None:
        super().__init__(host, port, self._serve_client, "Robotiq URCap")
        self._robot = robot
        self.mute = False
        self.commands: Counter[str] = Counter()

    def _serve_client(self, connection: socket.socket) -> None:
        with connection.makefile("r", encoding="ascii", errors="replace") as lines:
            for line in lines:
                words = line.split()
                with self._robot.lock:
                    self.commands[words[0] if words else ""] += 1
                    answer = self._answer(self._robot.gripper, words)
                if not self.mute:
                    connection.sendall(answer)

    @staticmethod
    def _answer(gripper: RobotiqGripper, words: list[str]) -> bytes:
        if len(words) == 2 and words[0] == "GET" and (value := gripper.read(words[1])) is not None:
            return f"{words[1]} {value}\n".encode()
        if len(words) >= 3 and words[0] == "SET" and len(words) % 2:
            try:
                values = {name: int(value) for name, value in zip(words[1::2], words[2::2], strict=True)}
            except ValueError:
                return b"?"
            if gripper.write(values):
                return b"ack"
        return b"?"
