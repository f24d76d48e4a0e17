# SPDX-License-Identifier: Apache-2.0
"""Runs the commands of the set-up: progress on the screen, full output in a log, its end on failure."""

from __future__ import annotations

import os
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["SetupError", "run_step", "say"]

_HEARTBEAT_S = 20.0  # between lines where the output is no terminal


class SetupError(RuntimeError):
    """The set-up cannot go on; the message says what to do."""


def say(text: str) -> None:
    """Print a line of the set-up."""
    print(f"setup: {text}", file=sys.stderr, flush=True)


def run_step(
    label: str,
    command: Sequence[str | Path],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run `command`, show `label`, elapsed time and the last line; raises SetupError with the log's end."""
    log.parent.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    display = _Display(label, begin)
    with log.open("ab") as file:
        file.write(f"\n$ {' '.join(map(str, command))}\n".encode())
        file.flush()
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
        )
        assert process.stdout is not None
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(process.stdout, selectors.EVENT_READ)
                while True:
                    if selector.select(timeout=0.5):
                        chunk = os.read(process.stdout.fileno(), 65536)
                        if not chunk:
                            break
                        file.write(chunk)
                        display.note(chunk.decode(errors="replace"))
                    display.refresh()
            code = process.wait()
        except KeyboardInterrupt:  # the terminal has sent Ctrl-C to the command, too
            process.wait()
            display.end("interrupted")
            raise
    if code != 0:
        display.end(f"failed with exit code {code}")
        tail = log.read_text(errors="replace").splitlines()[-25:]
        raise SetupError("\n".join([*(f"  | {line}" for line in tail), f"{label} failed; full log: {log}"]))
    display.end("done")


class _Display:
    """One line that renews itself on a terminal; elsewhere a line now and then."""

    def __init__(self, label: str, begin: float) -> None:
        self._label = label
        self._begin = begin
        self._last_line = ""
        self._live = sys.stderr.isatty()
        self._next = begin if self._live else begin + _HEARTBEAT_S
        if not self._live:
            say(f"{label} ...")

    def note(self, output: str) -> None:
        lines = [line.strip() for line in output.replace("\r", "\n").splitlines() if line.strip()]
        if lines:
            self._last_line = lines[-1]

    def refresh(self) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        text = f"setup: {self._label} ... {now - self._begin:.0f} s: {self._last_line}"
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\033[K{text[:width]}", end="", file=sys.stderr, flush=True)
            self._next = now + 0.5
        else:
            print(text[:160], file=sys.stderr, flush=True)
            self._next = now + _HEARTBEAT_S

    def end(self, outcome: str) -> None:
        if self._live:
            print("\r\033[K", end="", file=sys.stderr)
        say(f"{self._label}: {outcome} ({time.monotonic() - self._begin:.1f} s)")
