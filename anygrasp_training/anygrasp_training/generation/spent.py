# SPDX-License-Identifier: Apache-2.0
"""What a run of the generator cost: time, objects and scenes an hour, memory of its largest process."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["Spent", "peak_memory_bytes"]

_STATUS = Path("/proc/self/status")
_PEAK_LINE = re.compile(r"VmHWM:\s*(\d+) kB")


@dataclass(frozen=True)
class Spent:
    """What making `count` objects, scenes or sequences took."""

    what: str
    count: int
    elapsed_s: float
    peak_memory_bytes: int  # of the process that used most, 0 where the system does not tell

    def __str__(self) -> str:
        """One line to print."""
        line = f"{self.count} {self.what} in {self.elapsed_s:.0f} s, {self.per_hour:.0f} an hour"
        if self.peak_memory_bytes:
            line += f"; a worker took up to {self.peak_memory_bytes / 2**20:.0f} MiB"
        return line

    @property
    def per_hour(self) -> float:
        """How many were made an hour."""
        return 3600 * self.count / max(self.elapsed_s, 1e-9)

    def record(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


def peak_memory_bytes() -> int:
    """Return the most memory that this process has had resident, 0 where the system does not tell.

    Not `getrusage`: there a process that was started by a large one counts that one's memory as its own.
    """
    try:
        found = _PEAK_LINE.search(_STATUS.read_text(encoding="ascii"))
    except OSError:
        return 0
    return 1024 * int(found[1]) if found else 0
