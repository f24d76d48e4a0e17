# SPDX-License-Identifier: Apache-2.0
"""One listening port: a thread per connection, all of them gone after `stop`."""

from __future__ import annotations

import contextlib
import errno
import socket
import socketserver
import threading
from collections.abc import Callable

__all__ = ["PortInUseError", "TcpServer", "receive_exactly"]

# How long the accepting thread may take to notice `stop`.
_POLL_S = 0.05


class PortInUseError(OSError):
    """Somebody else listens on the port."""


class TcpServer:
    """Serves each connection with `handle(connection)` in a thread of its own.

    `handle` returns or raises OSError or ValueError when the connection has ended or talks nonsense.

    Raises:
        PortInUseError: from `start`.
    """

    def __init__(self, host: str, port: int, handle: Callable[[socket.socket], None], name: str) -> None:
        self.host = host
        self.port = port
        self.name = name
        self._handle = handle
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._server: socketserver.ThreadingTCPServer | None = None
        self._acceptor: threading.Thread | None = None

    @property
    def connection_count(self) -> int:
        """Clients connected now."""
        with self._lock:
            return len(self._connections)

    def start(self) -> None:
        """Bind to the configured address only, and listen."""
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                outer._serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            request_queue_size = 16

        try:
            self._server = Server((self.host, self.port), Handler)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise PortInUseError(
                errno.EADDRINUSE,
                f"port {self.port} ({self.name}) on {self.host} is in use: end the other emulator or URSim "
                "there, or give this one another loopback address, e.g. 127.0.0.2",
            ) from error
        self._acceptor = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name=f"{self.name} {self.port}"
        )
        self._acceptor.start()

    def drop_connections(self) -> None:
        """Cut every connection as a broken network would; new ones are accepted."""
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):  # already gone
                    connection.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """Close the port and all connections and wait for their threads."""
        if self._server is None or self._acceptor is None:
            return
        self._server.shutdown()
        self._acceptor.join()
        self.drop_connections()
        self._server.server_close()  # joins the connections' threads
        self._server = self._acceptor = None

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._connections.add(connection)
        try:
            with contextlib.suppress(OSError, ValueError):
                self._handle(connection)
        finally:
            with self._lock:
                self._connections.discard(connection)


def receive_exactly(connection: socket.socket, size: int) -> bytes:
    """`size` bytes; ConnectionError when the client closes before."""
    data = b""
    while len(data) < size:
        chunk = connection.recv(size - len(data))
        if not chunk:
            raise ConnectionError("client closed the connection")
        data += chunk
    return data
