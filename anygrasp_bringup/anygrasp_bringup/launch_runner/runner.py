# SPDX-License-Identifier: Apache-2.0
"""Carries out a launch file: starts processes, reacts to their end, stops them all on Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anygrasp_bringup.launch_runner.actions import visit
from anygrasp_bringup.launch_runner.console import Console
from anygrasp_bringup.launch_runner.context import LaunchArgument, LaunchContext
from anygrasp_bringup.launch_runner.event_handlers import (
    ProcessExited,
    ProcessStarted,
    ShutdownEvent,
    emit,
)
from anygrasp_bringup.launch_runner.execute_process import ExecuteProcess
from anygrasp_bringup.launch_runner.launch_file import describe_file, visit_file
from anygrasp_bringup.launch_runner.process import ManagedProcess

__all__ = ["LaunchRunner"]


class LaunchRunner:
    """One run of one launch file; implements Launcher."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._context: LaunchContext
        self._tasks: set[asyncio.Task[None]] = set()
        self._running: dict[ManagedProcess, ExecuteProcess] = {}
        self._started = 0
        self._stopping: asyncio.Event
        self._hurry: asyncio.Event
        self._exit_code = 0

    def arguments(self, path: Path, configurations: Mapping[str, str]) -> dict[str, LaunchArgument]:
        """Return the launch arguments of `path` and of the files it includes, by name; starts nothing."""
        with self._new_context(configurations) as context:
            describe_file(path, context)
            return context.declared

    def run(self, path: Path, configurations: Mapping[str, str]) -> int:
        """Run `path` with launch arguments until every process has ended.

        Returns the exit code of the first process that failed before the launch was asked to end, else 0.
        Raises LaunchError on a launch file that cannot be carried out.
        """
        with self._new_context(configurations) as context:
            context.environment["PYTHONUNBUFFERED"] = "1"  # lines appear when they are written
            if self._console.coloured:
                context.environment.setdefault("RCUTILS_COLORIZED_OUTPUT", "1")
            self._context = context
            return asyncio.run(self._main(lambda: visit_file(path, context)))

    @contextmanager
    def _new_context(self, configurations: Mapping[str, str]) -> Iterator[LaunchContext]:
        with tempfile.TemporaryDirectory(prefix="launch_") as folder:
            yield LaunchContext(self, Path(folder), dict(configurations))

    async def _main(self, begin: Callable[[], None]) -> int:
        self._stopping, self._hurry = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupted, number.name)
        try:
            begin()
            while self._tasks:
                done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    self._tasks.discard(task)
                    if not task.cancelled():
                        task.result()
        finally:  # reached with tasks left only when the launch file itself has failed
            self._stopping.set()
            await asyncio.gather(*(self._stop(process) for process in list(self._running)))
            for task in self._tasks:
                task.cancel()
        return self._exit_code

    def start(self, action: ExecuteProcess, command: list[str], environment: dict[str, str]) -> None:
        """Start a process and watch it."""
        self._started += 1
        name = f"{action.process_name}-{self._started}"
        self._spawn(self._watch(action, name, command, environment))

    def after(self, delay_s: float, entities: Any) -> None:
        """Visit entities later, unless the launch ends before."""
        self._spawn(self._later(delay_s, entities))

    def log(self, text: str) -> None:
        """Show a line of the launch file."""
        self._console.info("launch.user", text)

    def shutdown(self, reason: str) -> None:
        """Stop every process; the run ends when they have."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._console.info("launch", f"shutting down: {reason}")
        emit(ShutdownEvent(reason), self._context)
        for process in self._running:
            self._spawn(self._stop(process))

    def _interrupted(self, signal_name: str) -> None:
        if self._stopping.is_set():
            self._hurry.set()
        self.shutdown(f"{signal_name} received")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.add(asyncio.ensure_future(work))

    async def _later(self, delay_s: float, entities: Any) -> None:
        if not await self._stopped_within(delay_s):
            visit(entities, self._context)

    async def _stopped_within(self, duration_s: float) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), duration_s)
        except (TimeoutError, asyncio.TimeoutError):  # two classes on Python 3.10
            return False
        return True

    async def _watch(
        self, action: ExecuteProcess, name: str, command: list[str], environment: dict[str, str]
    ) -> None:
        retries = 0
        while not self._stopping.is_set():
            await self._run_once(action, name, command, environment)
            if not action.respawns or retries == action.respawn_max_retries:
                return
            retries += 1
            if await self._stopped_within(action.respawn_delay_s):
                return

    async def _run_once(
        self, action: ExecuteProcess, name: str, command: list[str], environment: dict[str, str]
    ) -> None:
        try:
            process = await ManagedProcess.start(
                command, environment, action.working_directory, lambda line: self._console.output(name, line)
            )
        except OSError as error:
            self._console.error(name, f"cannot start {command[0]}: {error}")
            self._ended(ProcessExited(action, name, 0, 127))
            return
        self._running[process] = action
        self._console.info(name, f"process started with pid [{process.pid}]")
        emit(ProcessStarted(action, name, process.pid), self._context)
        if self._stopping.is_set():  # asked to end while it was being started
            self._spawn(self._stop(process))
        code = await process.wait()
        del self._running[process]
        self._ended(ProcessExited(action, name, process.pid, code))

    def _ended(self, event: ProcessExited) -> None:
        if event.returncode == 0:
            self._console.info(event.process_name, "process has finished cleanly")
        else:
            self._console.error(event.process_name, f"process has died with exit code {event.returncode}")
            if not self._stopping.is_set():
                self._exit_code = self._exit_code or event.returncode
        action = event.action
        assert isinstance(action, ExecuteProcess)
        visit(
            action.on_exit(event, self._context) if callable(action.on_exit) else action.on_exit,
            self._context,
        )
        emit(event, self._context)

    async def _stop(self, process: ManagedProcess) -> None:
        action = self._running[process]
        last = await process.stop(action.sigterm_after_s, action.sigkill_after_s, self._hurry)
        if last not in ("", "SIGINT"):
            self._console.error(action.process_name, f"did not end on SIGINT; ended by {last}")
