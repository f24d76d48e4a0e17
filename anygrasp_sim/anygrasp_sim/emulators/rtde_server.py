# SPDX-License-Identifier: Apache-2.0
"""Real-Time Data Exchange, protocol version 2: registers in, robot state out on the controller's ticks."""

from __future__ import annotations

import math
import socket
import struct
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeVar

from anygrasp_sim.emulators.rtde_variables import WIRE_FORMATS, Getter, Setter, find_input, find_output
from anygrasp_sim.emulators.tcp_server import TcpServer, receive_exactly
from anygrasp_sim.emulators.ur_robot import UrRobot

__all__ = ["RtdeServer"]

_PROTOCOL_VERSION = 2

# Package types.
_REQUEST_PROTOCOL_VERSION = ord("V")
_GET_CONTROLLER_VERSION = ord("v")
_SETUP_OUTPUTS = ord("O")
_SETUP_INPUTS = ord("I")
_START = ord("S")
_PAUSE = ord("P")
_DATA = ord("U")

_Access = TypeVar("_Access", Getter, Setter)


@dataclass
class _OutputRecipe:
    layout: struct.Struct
    getters: list[Getter]
    period_s: float
    recipe_id: int
    due_s: float = -math.inf  # controller time of the next package

    def is_due(self, time_s: float) -> bool:
        if time_s < self.due_s - 1e-6:
            return False
        self.due_s += self.period_s
        if self.due_s <= time_s:  # the first package, or a rate above that of the ticks
            self.due_s = time_s + self.period_s
        return True

    def pack(self, robot: UrRobot) -> bytes:
        values = [value for get in self.getters for value in get(robot)]
        return self.layout.pack(self.layout.size, _DATA, self.recipe_id, *values)


@dataclass
class _InputRecipe:
    layout: struct.Struct
    setters: list[Setter]
    slices: list[slice]

    def unpack(self, robot: UrRobot, payload: bytes) -> None:
        values = self.layout.unpack(payload)
        for write, part in zip(self.setters, self.slices, strict=True):
            write(robot, values[part])


@dataclass
class _Client:
    connection: socket.socket
    outputs: list[_OutputRecipe] = field(default_factory=list)
    inputs: dict[int, _InputRecipe] = field(default_factory=dict)
    started: bool = False
    unsent: bytes = b""

    def send_now(self, data: bytes) -> None:
        """Send without waiting: a client that does not read misses packages and delays nobody."""
        try:
            if self.unsent:
                self.unsent = self.unsent[self.connection.send(self.unsent, socket.MSG_DONTWAIT) :]
            if not self.unsent:
                self.unsent = data[self.connection.send(data, socket.MSG_DONTWAIT) :]
        except BlockingIOError:
            pass
        except OSError:
            self.started = False  # gone; its own thread notices and cleans up


class RtdeServer(TcpServer):
    """The controller calls `publish` once a tick; everything else happens in the connections' threads.

    `commands` counts what clients wrote into input_int_register_0, ur_rtde's command register.
    """

    def __init__(self, robot: UrRobot, host: str, port: int, version: tuple[int, int, int, int]) -> None:
        super().__init__(host, port, self._serve_client, "RTDE")
        self._robot = robot
        self._version = version
        self._clients: list[_Client] = []
        self.commands: Counter[int] = Counter()

    def publish(self) -> None:
        """Send every client the outputs that are due."""
        with self._robot.lock:
            due = [
                (client, recipe.pack(self._robot))
                for client in self._clients
                if client.started
                for recipe in client.outputs
                if recipe.is_due(self._robot.time_s)
            ]
        for client, package in due:
            client.send_now(package)

    def _serve_client(self, connection: socket.socket) -> None:
        client = _Client(connection)
        with self._robot.lock:
            self._clients.append(client)
        try:
            while True:
                size, kind = struct.unpack(">HB", receive_exactly(connection, 3))
                payload = receive_exactly(connection, size - 3)
                with self._robot.lock:
                    answer = self._answer(client, kind, payload)
                    if answer is not None:
                        connection.sendall(struct.pack(">HB", len(answer) + 3, kind) + answer)
        except (struct.error, IndexError) as error:
            raise ValueError("malformed RTDE package") from error
        finally:
            with self._robot.lock:
                self._clients.remove(client)

    def _answer(self, client: _Client, kind: int, payload: bytes) -> bytes | None:
        if kind == _DATA:
            self._write_inputs(client, payload)
            return None
        if kind == _REQUEST_PROTOCOL_VERSION:
            return bytes([payload == struct.pack(">H", _PROTOCOL_VERSION)])
        if kind == _GET_CONTROLLER_VERSION:
            return struct.pack(">4I", *self._version)
        if kind == _SETUP_OUTPUTS:
            return self._set_up_outputs(client, payload)
        if kind == _SETUP_INPUTS:
            return self._set_up_inputs(client, payload)
        if kind == _START:
            client.started = bool(client.outputs)
            return bytes([client.started])
        if kind == _PAUSE:
            client.started = False
            return bytes([True])
        raise ValueError(f"unknown RTDE package type {kind}")

    def _write_inputs(self, client: _Client, payload: bytes) -> None:
        recipe = client.inputs.get(payload[0])
        if recipe is None:
            raise ValueError(f"RTDE input recipe {payload[0]} was not set up")
        before = self._robot.input_ints[0]
        recipe.unpack(self._robot, payload[1:])
        self._robot.input_at_s = time.monotonic()
        if (command := self._robot.input_ints[0]) not in (0, before):
            self.commands[command] += 1

    def _set_up_outputs(self, client: _Client, payload: bytes) -> bytes:
        (frequency_hz,) = struct.unpack(">d", payload[:8])
        found = [find_output(name) for name in _names(payload[8:])]
        kinds, getters = _split(found)
        recipe_id = len(client.outputs) + 1
        if len(getters) == len(found):
            layout = struct.Struct(">HBB" + _formats(kinds))
            period_s = 1.0 / frequency_hz if frequency_hz > 0 else 0.0
            client.outputs.append(_OutputRecipe(layout, getters, period_s, recipe_id))
        return _setup_answer(recipe_id, kinds)

    def _set_up_inputs(self, client: _Client, payload: bytes) -> bytes:
        found = [find_input(name) for name in _names(payload)]
        kinds, setters = _split(found)
        recipe_id = len(client.inputs) + 1
        if len(setters) == len(found):
            ends = list(accumulate(int(WIRE_FORMATS[kind][:-1] or 1) for kind in kinds))
            slices = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
            client.inputs[recipe_id] = _InputRecipe(struct.Struct(">" + _formats(kinds)), setters, slices)
        return _setup_answer(recipe_id, kinds)


def _names(payload: bytes) -> list[str]:
    return [name for name in payload.decode().split(",") if name]


def _split(found: Sequence[tuple[str, _Access] | None]) -> tuple[list[str], list[_Access]]:
    """Type names, NOT_FOUND for unknown variables, and the accessors of the known ones."""
    return ["NOT_FOUND" if f is None else f[0] for f in found], [f[1] for f in found if f is not None]


def _formats(kinds: list[str]) -> str:
    return "".join(WIRE_FORMATS[kind] for kind in kinds)


def _setup_answer(recipe_id: int, kinds: list[str]) -> bytes:
    """A recipe with an unknown variable is not set up: its id is 0."""
    return bytes([0 if "NOT_FOUND" in kinds else recipe_id]) + ",".join(kinds).encode()
