# SPDX-License-Identifier: Apache-2.0
"""Requests and answers over a socket or a serial port, each within a time limit."""

from __future__ import annotations

import os
import select
import socket
import termios
import time
import tty
from collections.abc import Callable
from typing import Protocol

from robot_drivers.grippers.gripper import GripperLost, GripperTimeout

__all__ = ["ByteStream", "SerialStream", "TcpStream", "exchange"]

# No answer of a gripper comes near: whoever sends more is none.
_LONGEST_ANSWER = 1024


class ByteStream(Protocol):
    """Something to send to and receive from; both raise OSError when it is gone."""

    def send(self, data: bytes, timeout_s: float) -> None:
        """Send all of it. Raises TimeoutError."""
        ...

    def receive(self, timeout_s: float) -> bytes:
        """What has come, at least a byte; empty when the other end has closed. Raises TimeoutError."""
        ...

    def discard(self) -> None:
        """Forget what has come."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class TcpStream:
    """A connection to one address. Raises OSError when nobody is there within the limit."""

    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        self._socket = socket.create_connection((host, port), timeout=timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: bytes, timeout_s: float) -> None:
        """See ByteStream."""
        self._socket.settimeout(timeout_s)
        self._socket.sendall(data)

    def receive(self, timeout_s: float) -> bytes:
        """See ByteStream."""
        self._socket.settimeout(timeout_s)
        return self._socket.recv(_LONGEST_ANSWER)

    def discard(self) -> None:
        """See ByteStream."""
        while select.select([self._socket], [], [], 0.0)[0] and self._socket.recv(_LONGEST_ANSWER):
            pass

    def close(self) -> None:
        """See ByteStream."""
        self._socket.close()


class SerialStream:
    """A serial port at 115200 baud, 8 bits, no parity. Raises OSError when it cannot be opened."""

    def __init__(self, device: str) -> None:
        self._descriptor = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            tty.setraw(self._descriptor)
            settings = termios.tcgetattr(self._descriptor)
            settings[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
            settings[4] = settings[5] = termios.B115200
            termios.tcsetattr(self._descriptor, termios.TCSANOW, settings)
        except termios.error as error:
            os.close(self._descriptor)
            raise OSError(f"{device} is no serial port: {error}") from error

    def send(self, data: bytes, timeout_s: float) -> None:
        """See ByteStream."""
        deadline_s = time.monotonic() + timeout_s
        while data:
            self._wait(write=True, timeout_s=deadline_s - time.monotonic())
            data = data[os.write(self._descriptor, data) :]

    def receive(self, timeout_s: float) -> bytes:
        """See ByteStream."""
        self._wait(write=False, timeout_s=timeout_s)
        return os.read(self._descriptor, _LONGEST_ANSWER)

    def discard(self) -> None:
        """See ByteStream."""
        try:
            termios.tcflush(self._descriptor, termios.TCIFLUSH)
        except termios.error as error:
            raise OSError(str(error)) from error

    def close(self) -> None:
        """See ByteStream."""
        os.close(self._descriptor)

    def _wait(self, write: bool, timeout_s: float) -> None:
        descriptors = [self._descriptor]
        readable, writable, _ = select.select(
            [] if write else descriptors, descriptors if write else [], [], max(0.0, timeout_s)
        )
        if not (readable or writable):
            raise TimeoutError


def exchange(
    stream: ByteStream, request: bytes, is_complete: Callable[[bytes], bool], timeout_s: float, name: str
) -> bytes:
    """Send a request and wait for all of its answer, however slowly it drips.

    Raises:
        GripperTimeout: it is not complete in time.
        GripperLost: the connection broke, or the answer has no end.
    """
    deadline_s = time.monotonic() + timeout_s
    answer = b""
    try:
        stream.discard()  # what comes unasked answers nothing
        stream.send(request, timeout_s)
        while not is_complete(answer):
            left_s = deadline_s - time.monotonic()
            if left_s <= 0.0:
                raise TimeoutError
            chunk = stream.receive(left_s)
            if not chunk:
                raise GripperLost(f"{name} closed the connection: connect again")
            answer += chunk
            if len(answer) > _LONGEST_ANSWER:
                raise GripperLost(f"{name} answers without end: is it a Robotiq gripper?")
    except TimeoutError as error:
        raise GripperTimeout(
            f"{name} did not answer {request!r} within {timeout_s:.1f} s: check its power and cable, then "
            "connect again"
        ) from error
    except OSError as error:
        raise GripperLost(f"the connection to {name} broke ({error}): connect again") from error
    return answer
