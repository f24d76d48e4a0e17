# SPDX-License-Identifier: Apache-2.0
"""One child process in a group of its own: output line by line, and an end that leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

__all__ = ["ManagedProcess"]

_LONGEST_LINE = 1 << 20  # bytes; asyncio's default of 64 KiB would stop the reader


class ManagedProcess:
    """A running process; made by `start`."""

    def __init__(self, process: asyncio.subprocess.Process, on_line: Callable[[str], None]) -> None:
        self._process = process
        self._ended = asyncio.Event()
        self._reader = asyncio.ensure_future(self._read(on_line))

    @classmethod
    async def start(
        cls, command: list[str], environment: dict[str, str], cwd: Path | None, on_line: Callable[[str], None]
    ) -> ManagedProcess:
        """Start `command`, its output and errors joined; raises OSError where that fails.

        A session of its own keeps the terminal's Ctrl-C from it: the runner decides the order of the end.
        """
        process = await asyncio.create_subprocess_exec(
            *command,
            env=environment,
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            limit=_LONGEST_LINE,
        )
        return cls(process, on_line)

    @property
    def pid(self) -> int:
        """Process id, also of its group."""
        return self._process.pid

    async def wait(self) -> int:
        """Wait for the end, kill what is left of the group, return the exit code (128 + signal if killed)."""
        code = await self._process.wait()
        self._signal(signal.SIGKILL)  # grandchildren would hold the output open for ever
        await self._reader
        self._ended.set()
        return code if code >= 0 else 128 - code

    async def stop(self, sigterm_after_s: float, sigkill_after_s: float, hurry: asyncio.Event) -> str:
        """Ask for the end by SIGINT, then SIGTERM, then SIGKILL; return the name of the last signal sent.

        `hurry` (a second Ctrl-C) ends the waiting between them.
        """
        ladder = ((signal.SIGINT, sigterm_after_s), (signal.SIGTERM, sigkill_after_s), (signal.SIGKILL, None))
        sent = ""
        for number, patience_s in ladder:
            if self._ended.is_set():
                break
            self._signal(number)
            sent = number.name
            waits = {asyncio.ensure_future(self._ended.wait())}
            if number is signal.SIGINT:
                waits.add(asyncio.ensure_future(hurry.wait()))
            await asyncio.wait(waits, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        return sent

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    async def _read(self, on_line: Callable[[str], None]) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            on_line(line.decode(errors="replace").rstrip("\r\n"))
