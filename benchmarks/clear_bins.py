# SPDX-License-Identifier: Apache-2.0
"""Clears the simulated bin for several seeds and writes the success rates as Table I of the paper.

Minutes long, so not part of `./run bench`:
    .venv/bin/python benchmarks/clear_bins.py --seeds 0 1 2 3 4 --out docs/results/bin_picking.md
    .venv/bin/python benchmarks/clear_bins.py --detector geometric --out docs/results/bin_picking_geometric.md
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

from anygrasp_perception.detectors import DEFAULT_DETECTOR, DETECTORS

ROOT = Path(__file__).resolve().parents[1]
COUNTS = ("attempts", "successes", "objects", "cleared")


def main() -> int:
    """Run, sum up, print and write; 1 when a run failed."""
    options = _parser().parse_args()
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
                return 1
            reports.append(json.loads(report.read_text()))
            print(
                "{successes} of {attempts} attempts, {cleared} of {objects} objects".format(
                    **reports[-1]["total"]
                )
            )
    text = _markdown(options, reports)
    print(text)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text)
    return 0


def _markdown(options: argparse.Namespace, reports: list[dict]) -> str:  # type: ignore[type-arg]
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
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
        f"--seeds {seeds}`, commit {commit}, {os.cpu_count()}-core {platform.machine()} virtual machine, "
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


def _rate(part: float, whole: float) -> str:
    return f"{100.0 * part / whole:.1f} % ({part:.0f}/{whole:.0f})" if whole else "-"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="one run each")
    parser.add_argument("--objects", type=int, default=8, help="objects a run")
    parser.add_argument("--detector", default=DEFAULT_DETECTOR, choices=sorted(DETECTORS))
    parser.add_argument("--weights", type=Path, help="of the network, instead of those shipped")
    parser.add_argument("--out", type=Path, help="Markdown file for the result")
    return parser


if __name__ == "__main__":
    sys.exit(main())
