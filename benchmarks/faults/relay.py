# SPDX-License-Identifier: Apache-2.0
"""The network between the drivers and the robot: a relay on loopback whose wires can be cut."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

__all__ = ["PORTS", "Relay"]

PORTS = (29999, 30001, 30002, 30003, 30004, 63352)

_POLL_S = 0.1


class Relay:
    """Passes `PORTS` of one loopback address on to another.

    `silent` ports swallow everything in both directions while their connections stay open; `delay_s` holds
    back what the robot answers; `garble` replaces each answer of a port by other bytes.
    """

    def __init__(self, host: str, robot_host: str) -> None:
        self.host = host
        self.silent: set[int] = set()
        self.delay_s: dict[int, float] = {}
        self.garble: dict[int, bytes] = {}
        self._robot_host = robot_host
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._listeners: dict[int, socket.socket] = {}
        self._pairs: dict[int, set[tuple[socket.socket, socket.socket]]] = {port: set() for port in PORTS}
        for port in PORTS:
            self.accept(port)

    def accept(self, *ports: int) -> None:
        """Take connections to these ports (again)."""
        for port in ports:
            if port not in self._listeners:
                listener = socket.create_server((self.host, port), backlog=16)
                listener.settimeout(_POLL_S)
                self._listeners[port] = listener
                threading.Thread(target=self._serve, args=(port, listener), daemon=True).start()

    def refuse(self, *ports: int) -> None:
        """Refuse new connections to these ports; those that are open stay so."""
        for port in ports:
            listener = self._listeners.pop(port, None)
            if listener is not None:
                listener.close()

    def drop(self, *ports: int) -> None:
        """Break all connections of these ports."""
        for port in ports:
            with self._lock:
                pairs = list(self._pairs[port])
            for pair in pairs:
                for one in pair:
                    with contextlib.suppress(OSError):
                        one.shutdown(socket.SHUT_RDWR)

    def restore(self) -> None:
        """An ordinary network again."""
        self.silent.clear()
        self.delay_s.clear()
        self.garble.clear()
        self.accept(*PORTS)

    def close(self) -> None:
        """Break everything and stop listening."""
        self._closing.set()
        self.refuse(*PORTS)
        self.drop(*PORTS)

    def _serve(self, port: int, listener: socket.socket) -> None:
        while not self._closing.is_set():
            try:
                client, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError:  # closed by refuse
                return
            try:
                robot = socket.create_connection((self._robot_host, port), timeout=5.0)
            except OSError:
                client.close()
                continue
            robot.settimeout(None)
            pair = (client, robot)
            for one in pair:
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._pairs[port].add(pair)
            for source, sink, answers in ((client, robot, False), (robot, client, True)):
                threading.Thread(
                    target=self._pass, args=(port, pair, source, sink, answers), daemon=True
                ).start()

    def _pass(
        self,
        port: int,
        pair: tuple[socket.socket, socket.socket],
        source: socket.socket,
        sink: socket.socket,
        answers: bool,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if port in self.silent:
                    continue
                if answers:
                    time.sleep(self.delay_s.get(port, 0.0))
                    data = self.garble.get(port, data)
                sink.sendall(data)
        for one in pair:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        with self._lock:
            known = pair in self._pairs[port]
            self._pairs[port].discard(pair)
        if not known:  # both directions have ended
            for one in pair:
                one.close()
