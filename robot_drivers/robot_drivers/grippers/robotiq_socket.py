# SPDX-License-Identifier: Apache-2.0
"""Robotiq 2F-85 and 2F-140 through the socket of the Robotiq URCap on a UR controller."""

from __future__ import annotations

import socket
import threading
from types import TracebackType

from robot_drivers.grippers.gripper import GripperLost, GripperTimeout
from robot_drivers.grippers.robotiq import RobotiqConfig, RobotiqRegisters

__all__ = ["RobotiqConfig", "RobotiqSocketGripper"]


class RobotiqSocketGripper(RobotiqRegisters):
    """A `Gripper` that speaks the URCap's text protocol: `GET POS`, `SET POS 255 GTO 1`."""

    def __init__(self, config: RobotiqConfig | None = None) -> None:
        super().__init__(config)
        self._socket: socket.socket | None = None
        self._exchange_lock = threading.Lock()

    def connect(self) -> None:
        """See Gripper."""
        if self._socket is not None:
            return
        address = (self.config.robot_ip, self.config.port)
        try:
            self._socket = socket.create_connection(address, timeout=self.config.answer_timeout_s)
        except OSError as error:
            raise GripperLost(
                f"no gripper answers at {address[0]}:{address[1]}: check the address, and that the Robotiq "
                f"URCap is installed and the robot switched on ({error})"
            ) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        """See Gripper."""
        connection, self._socket = self._socket, None
        if connection is not None:
            connection.close()

    def __enter__(self) -> RobotiqSocketGripper:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _get(self, name: str) -> int:
        answer = self._exchange(f"GET {name}\n").split()
        if len(answer) != 2 or answer[0] != name or not answer[1].isdigit():
            self.close()
            raise GripperLost(
                f"the gripper answered {' '.join(answer)!r} to GET {name}: is it a Robotiq URCap?"
            )
        return int(answer[1])

    def _set(self, **registers: int) -> None:
        values = " ".join(f"{name} {value}" for name, value in registers.items())
        answer = self._exchange(f"SET {values}\n").strip()
        if answer != "ack":
            self.close()
            raise GripperLost(f"the gripper answered {answer!r} to SET {values}: is it a Robotiq URCap?")

    def _exchange(self, line: str) -> str:
        """One request and its answer; after a failure the next answer could be a late one: none follows."""
        with self._exchange_lock:
            connection = self._socket
            if connection is None:
                raise GripperLost("not connected to the gripper: call connect first")
            try:
                connection.sendall(line.encode("ascii"))
                answer = connection.recv(1024).decode("ascii", "replace")
            except TimeoutError as error:
                self.close()
                raise GripperTimeout(
                    f"the gripper at {self.config.robot_ip} did not answer {line.strip()!r} within "
                    f"{self.config.answer_timeout_s:.1f} s: check its power and cable, then connect again"
                ) from error
            except OSError as error:
                self.close()
                raise GripperLost(f"the connection to the gripper broke ({error}): connect again") from error
        if not answer:
            self.close()
            raise GripperLost("the gripper closed the connection: connect again")
        return answer
