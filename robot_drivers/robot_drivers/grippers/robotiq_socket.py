# SPDX-License-Identifier: Apache-2.0
"""Robotiq 2F-85 and 2F-140 through the socket of the Robotiq URCap on a UR controller."""

from __future__ import annotations

from collections.abc import Callable

from robot_drivers.grippers.byte_stream import ByteStream, TcpStream, exchange
from robot_drivers.grippers.gripper import GripperError, GripperLost
from robot_drivers.grippers.robotiq import RobotiqGripper
from robot_drivers.grippers.robotiq_config import RobotiqConfig

__all__ = ["RobotiqConfig", "RobotiqSocketGripper", "RobotiqSocketLink"]

_ACKNOWLEDGED = b"ack"


class RobotiqSocketLink:
    """The URCap's text protocol: `GET POS` is answered `POS 3`, `SET POS 255 GTO 1` with `ack`."""

    def __init__(self, config: RobotiqConfig) -> None:
        self._config = config
        self._stream: ByteStream | None = None

    @property
    def is_open(self) -> bool:
        """See RobotiqLink."""
        return self._stream is not None

    def open(self) -> None:
        """See RobotiqLink."""
        config = self._config
        try:
            self._stream = TcpStream(config.robot_ip, config.port, config.answer_timeout_s)
        except OSError as error:
            raise GripperLost(
                f"no gripper answers at {config.robot_ip}:{config.port}: check the address, and that the "
                f"Robotiq URCap is installed and the robot switched on ({error})"
            ) from error

    def close(self) -> None:
        """See RobotiqLink."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def read(self, *names: str) -> tuple[int, ...]:
        """See RobotiqLink."""
        return tuple(self._get(name) for name in names)

    def write(self, registers: dict[str, int], changed: dict[str, int]) -> None:
        """See RobotiqLink."""
        values = " ".join(f"{name} {value}" for name, value in changed.items())
        answer = self._exchange(f"SET {values}\n", lambda answer: len(answer.strip()) >= len(_ACKNOWLEDGED))
        if answer.strip() != _ACKNOWLEDGED:
            self.close()
            raise GripperLost(f"the gripper answered {answer!r} to SET {values}: is it a Robotiq URCap?")

    def _get(self, name: str) -> int:
        answer = self._exchange(f"GET {name}\n", lambda answer: b"\n" in answer)
        words = answer.split()
        if len(words) != 2 or words[0] != name.encode() or not words[1].isdigit() or len(words[1]) > 3:
            self.close()
            raise GripperLost(f"the gripper answered {answer!r} to GET {name}: is it a Robotiq URCap?")
        return int(words[1])

    def _exchange(self, line: str, is_complete: Callable[[bytes], bool]) -> bytes:
        stream, config = self._stream, self._config
        if stream is None:
            raise GripperLost("not connected to the gripper: call connect first")
        name = f"the gripper at {config.robot_ip}"
        try:
            return exchange(stream, line.encode("ascii"), is_complete, config.answer_timeout_s, name)
        except GripperError:
            self.close()
            raise


class RobotiqSocketGripper(RobotiqGripper):
    """A `Gripper` behind the URCap."""

    def __init__(self, config: RobotiqConfig | None = None) -> None:
        config = config or RobotiqConfig()
        super().__init__(config, RobotiqSocketLink(config))
