# SPDX-License-Identifier: Apache-2.0
"""Robotiq 2F-85 and 2F-140 by Modbus RTU: over a serial port, or through a UR's bridge to its tool."""

from __future__ import annotations

import struct

from robot_drivers.grippers.byte_stream import ByteStream, SerialStream, TcpStream, exchange
from robot_drivers.grippers.gripper import GripperError, GripperLost
from robot_drivers.grippers.robotiq import RobotiqGripper, RobotiqLink
from robot_drivers.grippers.robotiq_config import RobotiqConfig
from robot_drivers.grippers.robotiq_socket import RobotiqSocketLink

__all__ = ["RobotiqModbusLink", "make_robotiq", "make_robotiq_link", "modbus_frame"]

# Functions and first registers (Robotiq 2F-85 instruction manual, Modbus RTU).
_READ, _WRITE = 3, 16
_REQUESTS, _STATE = 0x03E8, 0x07D0
_REGISTERS = 3
_EXCEPTION = 0x80

# A frame that came damaged is asked for again, as is usual on a serial line.
_ATTEMPTS = 3


def modbus_frame(body: bytes) -> bytes:
    """`body` with the checksum of Modbus RTU behind it."""
    crc = 0xFFFF
    for byte in body:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xA001 if crc & 1 else 0)
    return body + struct.pack("<H", crc)


class RobotiqModbusLink:
    """Two requests: write the three registers of requests, read the three of state."""

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
            if config.transport == "modbus_serial":
                self._stream = SerialStream(config.device)
            else:
                self._stream = TcpStream(config.robot_ip, config.modbus_port, config.answer_timeout_s)
        except OSError as error:
            advice = (
                "check the cable, and that you are in the group dialout"
                if config.transport == "modbus_serial"
                else "check the address, and that the RS485 URCap is installed and runs"
            )
            raise GripperLost(f"no gripper at {self._name}: {advice} ({error})") from error

    def close(self) -> None:
        """See RobotiqLink."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def read(self, *names: str) -> tuple[int, ...]:
        """See RobotiqLink."""
        answer = self._ask(struct.pack(">BHH", _READ, _STATE, _REGISTERS), 3 + 2 * _REGISTERS)
        status, _, fault, echo, position, _ = answer[3:]
        registers = {
            "STA": status >> 4 & 3,
            "OBJ": status >> 6,
            "FLT": fault & 15,
            "PRE": echo,
            "POS": position,
        }
        return tuple(registers[name] for name in names)

    def write(self, registers: dict[str, int], changed: dict[str, int]) -> None:
        """See RobotiqLink."""
        action = registers["ACT"] | registers["GTO"] << 3
        values = bytes([action, 0, 0, registers["POS"], registers["SPE"], registers["FOR"]])
        self._ask(struct.pack(">BHHB", _WRITE, _REQUESTS, _REGISTERS, len(values)) + values, 6)

    @property
    def _name(self) -> str:
        config = self._config
        if config.transport == "modbus_serial":
            return config.device
        return f"{config.robot_ip}:{config.modbus_port}"

    def _ask(self, request: bytes, size: int) -> bytes:
        """The answer without its checksum, `size` bytes; a damaged one is asked for again."""
        body = bytes([self._config.modbus_address]) + request
        try:
            for _ in range(_ATTEMPTS):
                answer = self._exchange(body, size)
                if modbus_frame(answer[:-2]) != answer:
                    continue
                if answer[1] == request[0] | _EXCEPTION:
                    raise GripperLost(
                        f"the gripper at {self._name} refuses function {request[0]} (code {answer[2]}): "
                        "is it a Robotiq 2F?"
                    )
                if answer[:2] == body[:2] and (request[0] == _WRITE or answer[2] == size - 3):
                    return answer[:-2]
            raise GripperLost(
                f"the gripper at {self._name} sends damaged answers, like {answer!r}: check its cable and "
                f"modbus_address {self._config.modbus_address}"
            )
        except GripperError:
            self.close()
            raise

    def _exchange(self, body: bytes, size: int) -> bytes:
        if self._stream is None:
            raise GripperLost("not connected to the gripper: call connect first")

        def is_complete(answer: bytes) -> bool:
            # An exception is shorter: address, function, code and checksum.
            return len(answer) >= (5 if len(answer) > 1 and answer[1] & _EXCEPTION else size + 2)

        name = f"the gripper at {self._name}"
        return exchange(self._stream, modbus_frame(body), is_complete, self._config.answer_timeout_s, name)


def make_robotiq_link(config: RobotiqConfig) -> RobotiqLink:
    """The registers behind the transport that the config names, not connected yet."""
    return RobotiqSocketLink(config) if config.transport == "urcap" else RobotiqModbusLink(config)


def make_robotiq(config: RobotiqConfig) -> RobotiqGripper:
    """The gripper behind the transport that the config names."""
    return RobotiqGripper(config, make_robotiq_link(config))
