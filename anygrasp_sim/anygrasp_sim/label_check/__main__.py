# SPDX-License-Identifier: Apache-2.0
"""Command line: `labels` executes label cells by friction, `stable-score` grasps of a heavy bar."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from anygrasp_sim.label_check.bar import run_stable_trials
from anygrasp_sim.label_check.experiment import run_label_trials
from anygrasp_sim.label_check.report import write_label_report, write_stable_report
from anygrasp_sim.label_check.trial_config import TrialConfig
from anygrasp_training.labels.finger_pad import FingerPad

__all__ = ["main"]

_STABLE_EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.01)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one experiment, print its report and write it with a plot to the folder given."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = _parse(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    start_s, cpu_s = time.perf_counter(), time.process_time()
    if options.experiment == "labels":
        config = TrialConfig()
        half, between = options.cells // 2, options.cells // 3
        # Two bins of each class, and two in between.
        counts = (half, options.cells - half, between, between, half, options.cells - half)
        default = FingerPad()
        pad = FingerPad(
            columns_m=tuple(options.pad_columns or default.columns_m),
            rows_m=tuple(options.pad_rows or default.rows_m),
        )
        outcome = run_label_trials(counts, options.instances, options.seed, options.jobs, config, pad)
        text = write_label_report(
            options.out, outcome, config, _origin(arguments, options.seed, options.jobs, start_s, cpu_s)
        )
    else:
        config = TrialConfig(max_tilt_rad=0.0)
        trials = run_stable_trials(_STABLE_EDGES, options.grasps, options.seed, options.jobs, config)
        origin = _origin(arguments, options.seed, options.jobs, start_s, cpu_s)
        text = write_stable_report(options.out, trials, _STABLE_EDGES, config, origin)
    print(text)
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m anygrasp_sim.label_check", description=__doc__)
    commands = parser.add_subparsers(dest="experiment", required=True)
    labels = commands.add_parser("labels", help="execute cells of every bin of friction")
    labels.add_argument("--cells", type=_positive, default=300, help="of each of the two classes")
    labels.add_argument("--instances", type=_positive, default=1, help="objects of every family")
    for name in ("columns", "rows"):
        labels.add_argument(
            f"--pad-{name}",
            type=float,
            nargs="+",
            metavar="M",
            help="of labels to compare with (FingerPad)",
        )
    stable = commands.add_parser("stable-score", help="execute grasps of a long heavy bar")
    stable.add_argument("--grasps", type=_positive, default=25, help="of every bin of stable score")
    for command in (labels, stable):
        command.add_argument("--seed", type=int, default=0)
        command.add_argument("--jobs", type=_positive, default=1)
        command.add_argument("--out", type=Path, default=Path("docs/results"))
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is below 1")
    return value


def _origin(arguments: Sequence[str], seed: int, jobs: int, start_s: float, cpu_s: float) -> str:
    here = Path(__file__).parent
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=here, capture_output=True, text=True, check=False
    )
    elapsed_s, cpu_s = time.perf_counter() - start_s, time.process_time() - cpu_s
    spent = f"{elapsed_s:.0f} s" + (f", {cpu_s:.0f} s of CPU time" if jobs == 1 else "")
    return (
        f"`python -m anygrasp_sim.label_check {' '.join(arguments)}`, seed {seed}, commit "
        f"{commit.stdout.strip() or 'unknown'}; {jobs} job{'s' * (jobs > 1)}, {spent}."
    )


if __name__ == "__main__":
    sys.exit(main())
