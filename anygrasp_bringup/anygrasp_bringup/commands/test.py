# SPDX-License-Identifier: Apache-2.0
"""`./run test`: lint, formatting, types and tests, with a short summary."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main"]

_CHECKS = {
    "ruff check": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "mypy": ["mypy"],
}


def main(argv: Sequence[str] = ()) -> int:
    """Run everything, or only pytest with the arguments given; return 1 when anything failed."""
    root = Path(__file__).resolve().parents[3]
    steps = {} if argv else dict(_CHECKS)
    steps["pytest"] = ["pytest", *argv]
    outcomes: list[tuple[str, bool, float]] = []
    for name, command in steps.items():
        print(f"== {name}", flush=True)
        begin = time.monotonic()
        # The tools need no ROS; pytest sets its environment up in conftest.py.
        code = subprocess.run([sys.executable, "-m", *command], cwd=root, check=False).returncode
        outcomes.append((name, code == 0, time.monotonic() - begin))
    print(
        "== summary", *(f"{n} {'ok' if ok else 'FAILED'} ({s:.0f} s)" for n, ok, s in outcomes), sep="\n   "
    )
    return int(not all(ok for _, ok, _ in outcomes))
