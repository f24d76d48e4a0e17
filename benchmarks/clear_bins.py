# SPDX-License-Identifier: Apache-2.0
"""Clears the simulated bin for several seeds and writes the success rates as Table I of the paper.

Minutes long, so not part of `./run bench`. Through ROS, the real drivers and an emulated controller, as fast
as the wall clock:
    .venv/bin/python benchmarks/clear_bins.py --detector geometric --seeds 0..4 --out FILE.md
Or without them, in lock-step with the simulation (the same executor, limits, drivers and report), going on
where an earlier call was interrupted:
    .venv/bin/python benchmarks/clear_bins.py --lockstep --detector both --seeds 0..9 --objects 12 \\
        --split novel --out docs/results/bin_picking.md
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from bin_table import bin_tables
from lockstep_bins import BinSettings, clear_bins, weights_digest
from machine import commit, describe_machine

from anygrasp_perception.detectors import DEFAULT_DETECTOR, DETECTORS
from anygrasp_perception.network_detector import shipped_weights

ROOT = Path(__file__).resolve().parents[1]
_SPLITS = {
    "novel": "of families that the network never saw",
    "similar": "new instances of the families it was trained on",
    "train": "of the instances it was trained on",
    "cell": "of the cell's own families, which include trained ones",
}
COUNTS = ("attempts", "successes", "objects", "cleared")


def main() -> int:
    """Run, sum up, print and write; 1 when a run failed."""
    options = _parser().parse_args()
    if options.detector == "both" and not options.lockstep:
        print("--detector both needs --lockstep: through ROS give one at a time", file=sys.stderr)
        return 2
    options.seeds = sorted({seed for seeds in options.seeds for seed in seeds})
    text = _in_lockstep(options) if options.lockstep else _through_ros(options)
    if not text:
        return 1
    print(text)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text)
    return 0


def _in_lockstep(options: argparse.Namespace) -> str:
    detectors = ["geometric", "network"] if options.detector == "both" else [options.detector]
    by_detector: dict[str, list[dict[str, Any]]] = {}
    for detector in detectors:
        weights = options.weights or shipped_weights()
        of_network = detector == "network"
        settings = BinSettings(
            detector=detector,
            split=options.split,
            objects=options.objects,
            decision_s=options.decision_s,
            max_attempts=options.max_attempts,
            weights=str(weights) if of_network else "",
            weights_digest=weights_digest(weights) if of_network else "",
            sheet=options.sheet,
            commit=commit(),
        )
        reports = by_detector[detector] = []
        for report in clear_bins(settings, options.seeds, options.keep, options.jobs):
            reports.append(report)
            print(f"{detector}, seed {report['run']['seed']}: {_line(report)}", flush=True)
    digest = f", weights {settings.weights_digest}" if settings.weights_digest else ""
    seeds = " ".join(map(str, options.seeds))
    runs = [report["run"] for reports in by_detector.values() for report in reports]
    commits = ", ".join(sorted({run["settings"]["commit"] for run in runs}))
    return f"""# Bin picking in the simulated cell

{options.objects} objects a bin, {_SPLITS[options.split]}; simulated depth noise,
physics and robot; Table I of the paper. The executor, its safety limits, the drivers above their connection,
the motion of the emulated controller and the judging of attempts are those of `./run bin_picking`, in
lock-step with the simulation: each decision is charged {options.decision_s:g} s of simulated time. An attempt
succeeds when it brought an object into the bin, by the objects' true places. The detectors' settings are
those of `config/bin_picking.yaml`: with `sampled`, the network's second look judges grasps of the geometric
detector beside the network's own.

{bin_tables(by_detector)}

`benchmarks/clear_bins.py --lockstep --detector {options.detector} --seeds {seeds} --objects {options.objects}
--split {options.split}`, runs at commit {commits}{digest}; {describe_machine()}.
"""


def _through_ros(options: argparse.Namespace) -> str:
    reports = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in options.seeds:
            report = Path(folder) / f"{seed}.json"
            command = ["bin_picking", "--headless", "--objects", str(options.objects), "--seed", str(seed)]
            command += ["--detector", options.detector, "--report", str(report)]
            if options.weights is not None:
                command += ["--weights", str(options.weights)]
            print(f"seed {seed} ...", end=" ", flush=True)
            done = subprocess.run(
                [sys.executable, "-m", "anygrasp_bringup.commands", *command],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0 or not report.exists():
                print(f"failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
                return ""
            reports.append(json.loads(report.read_text()))
            print(_line(reports[-1]))
    return _markdown(options, reports)


def _line(report: dict[str, Any]) -> str:
    return "{successes} of {attempts} attempts, {cleared} of {objects} objects".format(**report["total"])


def _markdown(options: argparse.Namespace, reports: list[dict]) -> str:  # type: ignore[type-arg]
    seeds = " ".join(map(str, options.seeds))
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for report in reports:
        for category, row in report.items():
            if category != "run":
                for name in COUNTS:
                    sums[category][name] += row[name]
                sums[category]["decision_ms"] += (row["decision_ms"] or 0.0) * row["attempts"]
    hours = sum(report["run"]["duration_s"] for report in reports) / 3600.0
    lines = [
        f"# Bin picking in the simulated cell, {options.detector} detector",
        "",
        f"`benchmarks/clear_bins.py --detector {options.detector} --objects {options.objects} "
        f"--seeds {seeds}`, commit {commit()}, {os.cpu_count()}-core {platform.machine()} virtual machine, "
        f"Python {platform.python_version()}.",
        "",
        "Simulated depth noise, physics and controller; rates as in the paper's Table I.",
        "",
        "| object | attempt-centric | object-centric | decision |",
        "|---|---|---|---|",
    ]
    for category, row in sorted(sums.items(), key=lambda item: item[0] == "total"):
        attempts, objects = _rate(row["successes"], row["attempts"]), _rate(row["cleared"], row["objects"])
        decision_ms = row["decision_ms"] / max(row["attempts"], 1)
        lines.append(f"| {category} | {attempts} | {objects} | {decision_ms:.0f} ms |")
    failures: dict[str, int] = defaultdict(int)
    for report in reports:
        for reason, count in report["run"]["failures"].items():
            failures[reason] += count
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(failures.items())) or "none"
    per_hour = sums["total"]["successes"] / hours
    lines += [
        "",
        f"{per_hour:.0f} picks an hour of simulated time, the ten empty looks at the end of each run "
        f"included. Failed attempts: {reasons}.",
        "",
    ]
    return "\n".join(lines)


def _seeds(text: str) -> list[int]:
    """Seeds of `3` or `0..9`."""
    first, dots, last = text.partition("..")
    return list(range(int(first), int(last) + 1)) if dots else [int(first)]


def _rate(part: float, whole: float) -> str:
    return f"{100.0 * part / whole:.1f} % ({part:.0f}/{whole:.0f})" if whole else "-"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--seeds", type=_seeds, nargs="+", default=[[0, 1, 2, 3, 4]], help="one run each, as 0..9 or 3 5"
    )
    parser.add_argument("--objects", type=int, default=8, help="objects a run (default: 8)")
    parser.add_argument(
        "--detector",
        default=DEFAULT_DETECTOR,
        choices=[*sorted(DETECTORS), "both"],
        help=f"both: only in lock-step (default: {DEFAULT_DETECTOR})",
    )
    parser.add_argument("--weights", type=Path, help="of the network, instead of those shipped")
    parser.add_argument("--out", type=Path, help="Markdown file for the result")
    lockstep = parser.add_argument_group("in lock-step")
    lockstep.add_argument("--lockstep", action="store_true", help="without ROS, as fast as it goes")
    lockstep.add_argument(
        "--split", choices=list(_SPLITS), default="novel", help="which objects (default: novel)"
    )
    lockstep.add_argument(
        "--decision-s", type=float, default=0.5, help="simulated time charged a decision (default: 0.5)"
    )
    lockstep.add_argument("--max-attempts", type=int, default=0, help="a run; 0: until nothing is found")
    lockstep.add_argument("--jobs", type=int, default=1, help="runs at a time")
    lockstep.add_argument(
        "--keep",
        type=Path,
        default=ROOT / "runs" / "bin_picking",
        help="folder of the finished runs; remove it to make them again after a change of the code",
    )
    lockstep.add_argument(
        "--sheet", action="store_true", help="also a picture of every pick, beside the runs"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
