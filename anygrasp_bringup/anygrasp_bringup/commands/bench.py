# SPDX-License-Identifier: Apache-2.0
"""`./run bench`: runs the benchmarks, which print their own figures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from anygrasp_bringup.dataclass_parameters import ConfigError, reject_unknown

__all__ = ["main"]


def main(argv: Sequence[str] = ()) -> int:
    """Run benchmarks/bench_NAME.py for every NAME given, or all; return 1 when one failed."""
    folder = Path(__file__).resolve().parents[3] / "benchmarks"
    scripts = {path.stem.removeprefix("bench_"): path for path in sorted(folder.glob("bench_*.py"))}
    try:
        reject_unknown(argv, scripts, "benchmark")
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    failed = []
    for name in argv or scripts:
        print(f"== {name}", flush=True)
        if subprocess.run([sys.executable, str(scripts[name])], check=False).returncode != 0:
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else f"{len(argv or scripts)} benchmarks done")
    return int(bool(failed))
