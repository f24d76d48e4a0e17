# SPDX-License-Identifier: Apache-2.0
"""Where a benchmark ran: one line that goes with its figures."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from pathlib import Path

import numpy as np

__all__ = ["commit", "describe_machine", "use_one_core", "wait_idle"]


def describe_machine() -> str:
    """Processor, cores and versions."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.machine()
    return (
        f"{processor}, {os.cpu_count()} cores, {len(os.sched_getaffinity(0))} used; "
        f"Python {platform.python_version()}, numpy {np.__version__}"
    )


def commit() -> str:
    """The commit that is checked out, with `-dirty` where files differ from it; empty without git."""
    command = ["git", "describe", "--always", "--dirty"]
    here = Path(__file__).parent
    return subprocess.run(command, cwd=here, capture_output=True, text=True, check=False).stdout.strip()


def use_one_core() -> None:
    """Keep this process, with all its threads, on one core."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def wait_idle(max_wait_s: float, idle_share: float = 0.9, window_s: float = 0.08) -> bool:
    """Wait until the machine has been idle for a moment; return whether it was before `max_wait_s`."""
    deadline = time.monotonic() + max_wait_s
    while time.monotonic() < deadline:
        total, idle = _processor_ticks()
        time.sleep(window_s)
        later_total, later_idle = _processor_ticks()
        if later_idle - idle >= idle_share * max(later_total - total, 1):
            return True
    return False


def _processor_ticks() -> tuple[int, int]:
    """All ticks since the start of the machine, and those without work."""
    first = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0]
    ticks = [int(field) for field in first.split()[1:9]]
    return sum(ticks), ticks[3] + ticks[4]
