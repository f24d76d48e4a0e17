# SPDX-License-Identifier: Apache-2.0
"""Where a benchmark ran: one line that goes with its figures."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numpy as np

__all__ = ["describe_machine", "use_one_core"]


def describe_machine() -> str:
    """Processor, cores and versions."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.machine()
    return (
        f"{processor}, {os.cpu_count()} cores, {len(os.sched_getaffinity(0))} used; "
        f"Python {platform.python_version()}, numpy {np.__version__}"
    )


def use_one_core() -> None:
    """Keep this process, with all its threads, on one core."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
