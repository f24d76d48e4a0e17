# SPDX-License-Identifier: Apache-2.0
"""URScript intake of the primary, secondary and real-time ports: each program replaces the running one."""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Iterator

from anygrasp_sim.emulators.control_program import ControlProgram
from anygrasp_sim.emulators.tcp_server import TcpServer
from anygrasp_sim.emulators.ur_robot import Program, ProgramError, UrRobot
from anygrasp_sim.emulators.urscript_program import UrscriptProgram

__all__ = ["ScriptServer", "split_programs"]

_LOG = logging.getLogger(__name__)

_BLOCK_END = re.compile(r"^end[ \t\r]*\n", re.MULTILINE)


class ScriptServer(TcpServer):
    """Receives programs as text. The state streams that real controllers send on these ports are left out:
    they are deprecated, and ur_rtde does not read them."""

    def __init__(self, robot: UrRobot, host: str, port: int) -> None:
        super().__init__(host, port, self._serve_client, "URScript")
        self._robot = robot
        self.deaf = (
            False  # takes programs and starts none, like a controller whose inbound access is restricted
        )

    def _serve_client(self, connection: socket.socket) -> None:
        text = ""
        while chunk := connection.recv(65536):
            *programs, text = split_programs(text + chunk.decode("utf-8", "replace"))
            for source in programs:
                if not self.deaf:
                    self._run(source)

    def _run(self, source: str) -> None:
        with self._robot.lock:
            try:
                program = self._parse(source)
            except ProgramError as error:
                _LOG.warning("program refused: %s", error)
                self._robot.stop_program()
                return
            self._robot.start_program(program)

    def _parse(self, source: str) -> Program:
        if source.lstrip().startswith("def rtde_control()"):
            return ControlProgram(self._robot, source)
        return UrscriptProgram(self._robot, source)


def split_programs(text: str) -> Iterator[str]:
    """Complete programs in `text` (a `def ... end` block or a single line each), then the incomplete rest."""
    while True:
        text = text.lstrip()
        if text.startswith("def "):
            block = _BLOCK_END.search(text)
            end = block.end() if block else 0
        else:
            end = text.find("\n") + 1
        if not end:
            yield text
            return
        yield text[:end]
        text = text[end:]
