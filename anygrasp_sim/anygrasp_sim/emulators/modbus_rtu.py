# SPDX-License-Identifier: Apache-2.0
"""Modbus RTU as a 2F-85 speaks it: read and write holding registers, checksum, exceptions."""

from __future__ import annotations

import struct
from collections.abc import Callable

from anygrasp_sim.emulators.robotiq_gripper import RobotiqGripper

__all__ = ["ModbusGripper", "checksum"]

_ADDRESS = 9
_READ, _READ_INPUT, _WRITE = 3, 4, 16
_OUTPUTS, _INPUTS = 0x03E8, 0x07D0  # first registers of the robot's requests and of the gripper's state
_REGISTERS = 3
_ILLEGAL_FUNCTION, _ILLEGAL_ADDRESS = 1, 2


def checksum(data: bytes) -> bytes:
    """The two bytes at the end of a frame."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xA001 if crc & 1 else 0)
    return struct.pack("<H", crc)


class ModbusGripper:
    """Takes bytes as they come and answers complete frames to its address; to others it is silent."""

    def __init__(self, gripper: RobotiqGripper) -> None:
        self._gripper = gripper
        self._requests = bytes(2 * _REGISTERS)
        self._received = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Answers to the frames that `data` completes."""
        self._received = (self._received + data)[-256:]  # a frame is never longer
        answers = []
        while size := self._frame_size():
            frame, self._received = self._received[:size], self._received[size:]
            if checksum(frame[:-2]) != frame[-2:]:
                self._received = b""  # the pause between frames would mark the next one's start
            elif frame[0] == _ADDRESS:
                body = self._answer(frame[1], frame[2:-2])
                answers.append(body + checksum(body))
        return answers

    def _frame_size(self) -> int:
        """Bytes of the frame at the front, 0 while it is incomplete."""
        data = self._received
        if len(data) < 8:
            return 0
        size = 9 + data[6] if data[1] == _WRITE else 8
        return size if len(data) >= size else 0

    def _answer(self, function: int, body: bytes) -> bytes:
        handlers: dict[int, Callable[[bytes], bytes | None]] = {
            _READ: self._read,
            _READ_INPUT: self._read,
            _WRITE: self._write,
        }
        handler = handlers.get(function)
        answer = None if handler is None else handler(body)
        if answer is None:
            code = _ILLEGAL_FUNCTION if handler is None else _ILLEGAL_ADDRESS
            return bytes([_ADDRESS, function | 0x80, code])
        return bytes([_ADDRESS, function]) + answer

    def _read(self, body: bytes) -> bytes | None:
        first, count = struct.unpack(">HH", body)
        for start, bank in ((_INPUTS, self._state()), (_OUTPUTS, self._requests)):
            if start <= first and count > 0 and first + count <= start + _REGISTERS:
                data = bank[2 * (first - start) : 2 * (first - start + count)]
                return bytes([len(data)]) + data
        return None

    def _write(self, body: bytes) -> bytes | None:
        first, count, size = struct.unpack(">HHB", body[:5])
        if first != _OUTPUTS or count != _REGISTERS or size != 2 * count or len(body) != 5 + size:
            return None
        self._requests = body[5:]
        action, _, _, position, speed, force = self._requests
        values = {"GTO": action >> 3 & 1, "POS": position, "SPE": speed, "FOR": force}
        if action & 1 != self._gripper.read("ACT"):  # only a change of it resets, or clears a fault
            values["ACT"] = action & 1
        self._gripper.write(values)
        return body[:4]

    def _state(self) -> bytes:
        read = self._gripper.read
        act, gto, sta, obj, flt, echo, pos = (
            read(name) or 0 for name in ("ACT", "GTO", "STA", "OBJ", "FLT", "PRE", "POS")
        )
        return bytes([act | gto << 3 | sta << 4 | obj << 6, 0, flt, echo, pos, 0])
