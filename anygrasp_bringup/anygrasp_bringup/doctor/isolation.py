# SPDX-License-Identifier: Apache-2.0
"""Run checks in processes of their own, within their time limits, whatever a driver or library does there."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from anygrasp_bringup.doctor.checks import CHECKS
from anygrasp_bringup.doctor.finding import Finding, Level, Outcome, problem
from anygrasp_bringup.doctor.settings import DEVICES, DoctorSettings

__all__ = ["run_check", "run_checks"]

_AT_ONCE = 4  # most of them wait for somebody


def run_checks(names: Sequence[str], settings: DoctorSettings) -> Iterator[Outcome]:
    """Yield the outcomes in order, each as soon as it and those before it are there."""
    running: set[subprocess.Popen[bytes]] = set()
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        yield from pool.map(lambda name: run_check(name, settings, running), names)
    finally:  # after Ctrl-C there are checks under way
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list(running):
            _kill(process)


def run_check(
    name: str,
    settings: DoctorSettings,
    running: set[subprocess.Popen[bytes]] | None = None,
    limit_s: float | None = None,
) -> Outcome:
    """Run one check; a crash, an error or too long a time is a problem like any other.

    Its process is in `running` meanwhile. The check's own time limit holds unless one is given.
    """
    began_s = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "anygrasp_bringup.doctor.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # so that its children end with it
    )
    running = set() if running is None else running
    running.add(process)
    try:
        findings = _findings(process, name, limit_s or CHECKS[name].limit_s, settings)
    finally:
        _kill(process)
        running.discard(process)
    asked = name not in DEVICES or name in settings.asked
    return Outcome(name, asked, tuple(findings), time.monotonic() - began_s).as_far_as_asked()


def _findings(
    process: subprocess.Popen[bytes], name: str, limit_s: float, settings: DoctorSettings
) -> list[Finding]:
    try:
        answer, errors = process.communicate(pickle.dumps((name, settings)), limit_s)
    except subprocess.TimeoutExpired:
        return [
            problem(
                f"no result within {limit_s:.0f} s",
                f"run it again alone: ./run doctor --only {name}; pull the plug of a device that hangs",
            )
        ]
    if process.returncode == 0:
        return [Finding(Level(f["level"]), f["text"], f["fix"]) for f in json.loads(answer)]
    last = (errors.decode(errors="replace").strip().splitlines() or ["without a word"])[-1]
    how = signal.Signals(-process.returncode).name if process.returncode < 0 else "an error"
    return [problem(f"the check ended by {how}: {last}", "report it, with the output of --json")]


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and its children; where it has ended, what it left behind."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
