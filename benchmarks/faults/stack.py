# SPDX-License-Identifier: Apache-2.0
"""The processes under test: each node behind the repo's launch runner, with its log kept."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from socket import socketpair
from typing import Any

__all__ = ["CellProcess", "NodeProcess", "kill_arm_workers", "resident_mib"]

ROOT = Path(__file__).resolve().parents[2]
_LAUNCH_FILE = Path(__file__).with_name("one_node.launch.py")
_STARTED = re.compile(r"process started with pid \[(\d+)\]")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ANSWER_S = 120.0


class Log:
    """Lines of one process, each with the wall time at which it came."""

    def __init__(self, name: str, path: Path) -> None:
        self.lines: list[tuple[float, str]] = []
        self._name = name
        self._file = path.open("a", encoding="utf-8")

    def read(self, process: subprocess.Popen[str]) -> None:
        """Collect until the process has ended."""
        assert process.stdout is not None
        for line in process.stdout:
            text = _COLOUR.sub("", line.rstrip())
            self.lines.append((time.monotonic(), text))
            self._file.write(f"{time.monotonic():.2f} {self._name}: {text}\n")
            self._file.flush()

    def since(self, wall_s: float) -> list[str]:
        """Lines since a moment of the monotonic clock."""
        return [text for at_s, text in list(self.lines) if at_s >= wall_s]


class NodeProcess:
    """A node that can be killed, held and started again."""

    def __init__(self, package: str, executable: str, overrides: Path, log_file: Path) -> None:
        self.name = executable
        self.log = Log(executable, log_file)
        self._command = [
            *(sys.executable, "-m", "anygrasp_bringup.launch_runner.cli", str(_LAUNCH_FILE)),
            *(f"package:={package}", f"executable:={executable}"),
            *(f"params_file:={ROOT / 'config' / 'bin_picking.yaml'}", f"overrides:={overrides}"),
        ]
        self._runner: subprocess.Popen[str] | None = None
        self._from = 0

    def start(self) -> None:
        """Start the runner, which starts the node."""
        self._from = len(self.log.lines)
        self._runner = subprocess.Popen(
            self._command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self.log.read, args=(self._runner,), daemon=True).start()

    @property
    def pid(self) -> int:
        """Process id of the node itself; waits until the runner has told it."""
        deadline_s = time.monotonic() + _ANSWER_S
        while time.monotonic() < deadline_s:
            for _, text in self.log.lines[self._from :]:
                if found := _STARTED.search(text):
                    return int(found[1])
            time.sleep(0.05)
        raise TimeoutError(f"{self.name} was not started")

    def kill(self) -> None:
        """End the node without a word."""
        os.kill(self.pid, signal.SIGKILL)

    def hold(self) -> None:
        """Let the node hang."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """End `hold`."""
        os.kill(self.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Start it again, once its runner has ended."""
        self._end()
        self.start()

    def close(self) -> None:
        """End it as Ctrl-C does."""
        if self._runner is not None and self._runner.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._runner.pid, signal.SIGINT)
        self._end()

    def _end(self) -> None:
        if self._runner is None:
            return
        try:
            self._runner.wait(30.0)
        except subprocess.TimeoutExpired:
            self._runner.terminate()
            self._runner.wait(30.0)


class CellProcess:
    """The faulty cell; `ask` calls its methods."""

    def __init__(self, overrides: Path, log_file: Path) -> None:
        self.log = Log("cell", log_file)
        ours, theirs = socketpair()
        paths = [str(ROOT / "benchmarks"), os.environ.get("PYTHONPATH", "")]
        with theirs:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "faults.faulty_cell", "--ros-args"),
                    *("-r", "__ns:=/anygrasp", "--params-file", str(overrides)),
                ],
                pass_fds=[theirs.fileno()],
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(paths),
                    "FAULTY_CELL_PIPE": str(theirs.fileno()),
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        self._pipe = Connection(ours.detach())
        self._lock = threading.Lock()
        threading.Thread(target=self.log.read, args=(self._process,), daemon=True).start()

    def ask(self, name: str, *arguments: Any, timeout_s: float = _ANSWER_S) -> Any:
        """Call a method of the FaultyCell between two of its ticks, and return the answer."""
        with self._lock:
            self._pipe.send((name, arguments))
            if not self._pipe.poll(timeout_s):
                raise TimeoutError(f"the cell did not answer {name} within {timeout_s:.0f} s")
            answer, error = self._pipe.recv()
        if error is not None:
            raise RuntimeError(f"{name}{arguments}: {error}")
        return answer

    def robot(self, method: str, *arguments: Any) -> Any:
        """Call a method of the emulated controller."""
        return self.ask("robot", method, *arguments)

    def hold(self) -> None:
        """Robot and camera fall silent with everything open."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """End `hold`."""
        os.kill(self._process.pid, signal.SIGCONT)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def close(self) -> None:
        """End the cell."""
        self._pipe.close()
        self._process.terminate()
        try:
            self._process.wait(30.0)
        except subprocess.TimeoutExpired:
            self._process.kill()


def kill_arm_workers(host: str) -> None:
    """End the processes that hold the ur_rtde interfaces of the controller at `host`, without a word."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # ended meanwhile
            if {b"robot_drivers.arms.ur_client_worker", host.encode()} <= set(path.read_bytes().split(b"\0")):
                os.kill(int(path.parent.name), signal.SIGKILL)


def resident_mib(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
