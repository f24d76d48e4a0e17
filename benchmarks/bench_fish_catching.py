# SPDX-License-Identifier: Apache-2.0
"""The fish-catching experiment of the paper in simulation: policies, and prediction off, on the same seeds.

    python benchmarks/bench_fish_catching.py --trials 5 --seed 200 --log fish.jsonl
    python benchmarks/bench_fish_catching.py --log fish.jsonl --page docs/results/fish_catching.md

Runs what is missing in the log, seed by seed, each way once, and adds a line for each trial: a run that was
ended goes on where it was. A way is a policy on the dense grasps of the network, with what differs behind it;
association aims at the body under its grasp, nearest, the paper's heuristic, at the grasp itself. With
`--page` it runs nothing, and writes the table into the page, between its two marks; give --log several times
for several logs. One process, one thread, lock-step: the load of the machine changes the time and nothing
else.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import logging
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from machine import commit, describe_machine

from robot_drivers.fish_trials.cli import TrialSeries
from robot_drivers.fish_trials.lock_step import TrialConfig, run_trial
from robot_drivers.report.catch_attribution import CatchCause, judge_catches
from robot_drivers.report.catch_statistics import PAPER_CAUSES

NO_PREDICTION, GEOMETRIC = " / no prediction", " / geometric"
AT_BODY, AT_GRASP = " / aimed at the body", " / aimed at the grasp"
WAYS = (
    "association",
    "nearest",
    f"association{NO_PREDICTION}",
    f"nearest{AT_BODY}",
    f"association{AT_GRASP}",
    f"appearance{GEOMETRIC}",
)
BEGIN, END = "<!-- statistics: benchmarks/bench_fish_catching.py -->", "<!-- end of statistics -->"


def series(way: str) -> TrialSeries:
    """How the trials of one way are set up."""
    return TrialSeries(
        trials=1,
        policy=way.partition(" / ")[0],
        prediction=NO_PREDICTION not in way,
        detector="geometric" if GEOMETRIC in way else "network",
    )


def trial_config(way: str, seed: int) -> TrialConfig:
    """The trial of one way."""
    config = series(way).config(0).seeded(seed)
    if AT_BODY in way or AT_GRASP in way:
        servo = replace(config.catching.servo, aim_at_body=AT_BODY in way)
        config = replace(config, catching=replace(config.catching, servo=servo))
    return config


def run(way: str, seed: int) -> dict[str, Any]:
    """One trial, as a line of the log."""
    began_s, config = time.process_time(), trial_config(way, seed)
    trial = run_trial(config)
    outcomes = judge_catches(trial.result.records, trial.history)
    return {
        "way": way,
        "seed": seed,
        "detector": config.detector,
        "commit": commit(),
        "fish": config.cell.fish.count,
        "attempts": [
            {
                "fish": outcome.kind,
                "success": outcome.success,
                "cause": outcome.cause.value if outcome.cause else None,
                "tracking_s": round(outcome.record.tracking_s, 3),
                "offset_m": round(outcome.offset_m, 4),
            }
            for outcome in outcomes
        ],
        "counts": trial.result.counts,
        "duration_s": round(trial.result.duration_s, 2),
        "cpu_s": round(time.process_time() - began_s, 1),
        "error": trial.result.error_msg,
    }


def load(log: Path) -> list[dict[str, Any]]:
    """The trials of the log so far."""
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def counted(trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Attempts but for those that a stop or a lost device ended."""
    every = [attempt for trial in trials for attempt in trial["attempts"]]
    return [attempt for attempt in every if attempt["cause"] != CatchCause.INTERRUPTED.value]


def rate(attempts: list[dict[str, Any]]) -> str:
    """Caught of all."""
    caught = sum(attempt["success"] for attempt in attempts)
    return f"{caught} of {len(attempts)}, {100 * caught / len(attempts):.1f} %" if attempts else "-"


def table(trials: list[dict[str, Any]]) -> str:
    """Success, kinds and causes of each way, then the ways compared on the seeds that both have."""
    there = {trial["way"] for trial in trials}
    ways = [way for way in WAYS if way in there]
    by_way = {way: {t["seed"]: t for t in trials if t["way"] == way} for way in ways}
    rows = {way: [each[seed] for seed in sorted(each)] for way, each in by_way.items()}
    attempts = {way: counted(each) for way, each in rows.items()}
    kinds = sorted({attempt["fish"] for each in attempts.values() for attempt in each})
    lines = ["| | " + " | ".join(ways) + " |", "|---" * (len(ways) + 1) + "|"]

    def line(name: str, cell: Any) -> None:
        lines.append(f"| {name} | " + " | ".join(cell(way) for way in ways) + " |")

    line("seeds", lambda way: ", ".join(str(t["seed"]) for t in rows[way]))
    line("detector", lambda way: ", ".join(sorted({t["detector"] for t in rows[way]})))
    line("**caught, of attempts**", lambda way: f"**{rate(attempts[way])}**")
    line(
        "fish caught, of those in the tank",
        lambda way: f"{sum(a['success'] for a in attempts[way])} of {sum(t['fish'] for t in rows[way])}",
    )
    for kind in kinds:
        line(kind, lambda way, kind=kind: rate([a for a in attempts[way] if a["fish"] == kind]))
    causes = Counter(a["cause"] for each in attempts.values() for a in each if a["cause"])
    others = sorted(set(causes) - {cause.value for cause in PAPER_CAUSES})
    for cause in (*(cause.value for cause in PAPER_CAUSES), *others):
        line(
            f"failed: {cause.replace('_', ' ')}",
            lambda way, cause=cause: str(sum(a["cause"] == cause for a in attempts[way])),
        )
    line("trials ended early", lambda way: str(sum(bool(t["error"]) for t in rows[way])))
    line("seconds from selection to grasp, caught ones", lambda way: _tracking(attempts[way]))
    line("simulated seconds a trial", lambda way: _mean([t["duration_s"] for t in rows[way]]))
    line("CPU seconds a trial", lambda way: _mean([t["cpu_s"] for t in rows[way]]))
    commits = ", ".join(sorted({f"`{t['commit']}`" for each in rows.values() for t in each}))
    lines.append("")
    for first in ("association",):
        for other in ways:
            both = sorted(set(by_way.get(first, ())) & set(by_way[other]))
            if other == first or not both:
                continue
            one, two = (rate(counted([by_way[each][seed] for seed in both])) for each in (first, other))
            seeds = ", ".join(map(str, both))
            lines.append(f"- Seeds that both have ({seeds}): {first} {one}; {other} {two}.")
    lines += ["", f"Commit {commits}; {describe_machine()}."]
    return "\n".join(lines)


def _tracking(attempts: list[dict[str, Any]]) -> str:
    return _mean([attempt["tracking_s"] for attempt in attempts if attempt["success"]])


def _mean(values: list[float]) -> str:
    return f"{sum(values) / len(values):.1f}" if values else "-"


def write_page(page: Path, text: str) -> None:
    """Put the table between the page's marks. Raises ValueError where it has none."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} lacks the marks {BEGIN!r} and {END!r}: add them where the table belongs")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{end}{after}")


def main() -> None:
    """Run the missing trials, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--log", type=Path, required=True, action="append", metavar="F.jsonl", help="a line for each trial"
    )
    parser.add_argument("--trials", type=int, default=5, metavar="N", help="of each way (5)")
    parser.add_argument("--seed", type=int, default=200, metavar="N", help="of the first trial (200)")
    parser.add_argument("--ways", nargs="+", default=WAYS, metavar="WAY", help=f"of {'; '.join(WAYS)} (all)")
    parser.add_argument("--page", type=Path, metavar="F.md", help="write the table there and run nothing")
    options = parser.parse_args()
    if options.page is not None:
        write_page(options.page, table([trial for log in options.log for trial in load(log)]))
        return
    logging.disable(logging.WARNING)
    log = options.log[0]
    done = {(trial["way"], trial["seed"]) for trial in load(log)}
    for seed in range(options.seed, options.seed + options.trials):
        for way in options.ways:
            if (way, seed) in done:
                continue
            trial = run(way, seed)
            with log.open("a") as lines:
                lines.write(json.dumps(trial) + "\n")
            print(f"seed {seed}, {way}: {rate(counted([trial]))}; {trial['cpu_s']} s of CPU", flush=True)
    print(table(load(log)))


if __name__ == "__main__":
    main()
