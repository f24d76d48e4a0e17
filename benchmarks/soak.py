# SPDX-License-Identifier: Apache-2.0
"""Picks and refills the simulated bin for half an hour of its time: no leak, no lost record, no hang.

One executor, one robot and one detector work on without a restart, in lock-step with the simulation:
    .venv/bin/python benchmarks/soak.py --minutes 30 --out docs/results/soak.md
Ends with 1 when memory grew by more than 10 %, a record was lost, or a run ended with an error; and with a
stack dump when nothing has happened for ten minutes of wall time.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import os
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lockstep_bins import CONFIG_FILE, detector_of_bins
from machine import commit, describe_machine

from anygrasp_bringup.config_files import load_node_config
from anygrasp_perception.detectors import DEFAULT_DETECTOR, DETECTORS
from anygrasp_sim.cell_config import CellConfig
from robot_drivers.bin_picking_config import BinPickingNodeConfig
from robot_drivers.executors.bin_picking import BinPickingExecutor
from robot_drivers.executors.pick_record import PickRecord, PickStage
from robot_drivers.lockstep.cell import LockstepCell
from robot_drivers.lockstep.eyes import EyesConfig
from robot_drivers.lockstep.run import lockstep_picker
from robot_drivers.report.attribution import judge_attempts
from robot_drivers.report.ground_truth import bin_entries

MAX_GROWTH = 0.10  # of the resident memory after the first bin
QUIET_WALL_S = 600.0  # without any event for so long it hangs


@dataclass(frozen=True)
class Round:
    """One bin, emptied."""

    number: int
    attempts: int
    placed: int  # by the gripper's word
    brought: int  # objects that truly got into the bin
    failures: Counter[str]
    error: str  # that ended the run early, else ""
    lost: tuple[str, ...]  # what the records miss
    simulated_s: float
    wall_s: float
    rss_mib: float
    threads: int
    files: int


class Events:
    """Counts what the executor tells, and keeps the watch for hangs."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.done: list[PickRecord] = []

    def __call__(self, stage: PickStage, record: PickRecord) -> None:
        faulthandler.dump_traceback_later(QUIET_WALL_S, exit=True)
        if stage is PickStage.APPROACH:
            self.begun.append(record.attempt)
        elif stage is PickStage.DONE:
            self.done.append(record)

    def clear(self) -> None:
        """For the next bin."""
        self.begun, self.done = [], []


def main() -> int:
    """Run, print a line a bin, write the page."""
    options = _parser().parse_args()
    rounds = soak(options)
    text, sound = page(rounds, options)
    print(text)
    if options.out:
        options.out.write_text(text)
    return 0 if sound else 1


def soak(options: argparse.Namespace) -> list[Round]:
    """Clear and refill one cell until its time is up."""
    cell = CellConfig(
        seed=options.seed,
        object_count=options.objects,
        split="" if options.split == "cell" else options.split,
    )
    robot = load_node_config(CONFIG_FILE, "bin_picking", BinPickingNodeConfig)
    detector, events, rounds = detector_of_bins(options.detector), Events(), []
    with (
        LockstepCell(cell) as world,
        lockstep_picker(world, detector, robot, EyesConfig(seed=options.seed), events) as (picker, _),
    ):
        while world.robot.now_s() < 60.0 * options.minutes:
            if rounds:
                world.refill()
            rounds.append(clear_once(world, picker, events, len(rounds) + 1))
            print(_line(rounds[-1]), file=sys.stderr, flush=True)
            if rounds[-1].error:
                break
    faulthandler.cancel_dump_traceback_later()
    return rounds


def clear_once(world: LockstepCell, picker: BinPickingExecutor, events: Events, number: int) -> Round:
    """One run of the executor, and what was found out about it afterwards."""
    events.clear()
    began_s, began_sim_s = time.perf_counter(), world.robot.now_s()
    result = picker.clear_bin()
    world.note_objects()
    outcomes = judge_attempts(result.records, world.history, world.cell.T_base_camera)
    arrived = set(bin_entries(world.history))
    lost = lost_records(events, result.records)
    credited = Counter(name for outcome in outcomes for name in outcome.brought)
    lost += [f"{name} came into the bin by no record" for name in sorted(arrived - set(credited))]
    lost += [f"{name} is in {count} records" for name, count in credited.items() if count > 1]
    rest = _resources()
    return Round(
        number=number,
        attempts=len(result.records),
        placed=sum(record.placed for record in result.records),
        brought=len(arrived),
        failures=Counter(outcome.failure for outcome in outcomes if outcome.failure),
        error=f"{result.error_code.value}: {result.error_msg}" if result.error_code else "",
        lost=tuple(lost),
        simulated_s=world.robot.now_s() - began_sim_s,
        wall_s=time.perf_counter() - began_s,
        rss_mib=rest[0],
        threads=rest[1],
        files=rest[2],
    )


def lost_records(events: Events, records: tuple[PickRecord, ...]) -> list[str]:
    """What of the attempts that were begun, and told of, is not in the records of the run."""
    attempts = [record.attempt for record in records]
    lost = []
    if attempts != list(range(1, len(attempts) + 1)):
        lost.append(f"attempts are numbered {attempts}")
    if events.begun != attempts:
        lost.append(f"attempts {events.begun} were begun, {attempts} are on record")
    if [id(record) for record in events.done] != [id(record) for record in records]:
        lost.append(f"{len(events.done)} attempts were told of, {len(records)} are on record")
    open_ended = [record.attempt for record in records if record.ended_s <= record.started_s]
    if open_ended:
        lost.append(f"attempts {open_ended} have no end")
    return lost


def page(rounds: list[Round], options: argparse.Namespace) -> tuple[str, bool]:
    """The page, and whether everything held."""
    first, last = rounds[0], rounds[-1]
    most = max(item.rss_mib for item in rounds)
    growth = most / first.rss_mib - 1.0
    lost = [f"bin {item.number}: {text}" for item in rounds for text in item.lost]
    errors = [f"bin {item.number}: {item.error}" for item in rounds if item.error]
    minutes = sum(item.simulated_s for item in rounds) / 60.0
    whole = minutes >= options.minutes
    attempts, brought = (sum(getattr(item, name) for item in rounds) for name in ("attempts", "brought"))
    failures = sum((item.failures for item in rounds), Counter[str]())
    command = f"benchmarks/soak.py --minutes {options.minutes:g} --objects {options.objects}"
    command += f" --split {options.split} --seed {options.seed} --detector {options.detector}"
    found = [
        (
            f"{options.minutes:g} simulated minutes without a hang or an error",
            "; ".join([f"{minutes:.1f} minutes, {len(rounds)} bins", *errors]),
            whole and not errors,
        ),
        (
            f"memory within {100 * MAX_GROWTH:.0f} % of what it is after the first bin",
            f"{first.rss_mib:.1f} MiB after the first, {most:.1f} at most ({100 * growth:+.1f} %), "
            f"{last.rss_mib:.1f} at the end",
            growth <= MAX_GROWTH,
        ),
        (
            "every attempt begun is on record, every object in the bin in exactly one record",
            "; ".join([f"{attempts} attempts, {brought} objects brought", *lost]),
            not lost,
        ),
    ]
    lines = [
        f"# Soak: {minutes:.1f} simulated minutes of bin picking",
        "",
        f"`{command}`, commit {commit()}; {describe_machine()}.",
        "",
        "One executor with its limits, drivers, detector and cell works on without a restart, in lock-step",
        "with the simulation; whenever nothing graspable is seen any more, all objects are dropped onto the",
        "plate again, as another heap.",
        "",
        "| what must hold | found | |",
        "|---|---|---|",
        *(f"| {what} | {how} | {'yes' if good else '**NO**'} |" for what, how, good in found),
        "",
        "Failed attempts, by the objects' true places: "
        + (", ".join(f"{count} {reason}" for reason, count in failures.most_common()) or "none")
        + ".",
        "A pick that fails is no failure of the soak: the run goes on after it.",
        "",
        "| bin | attempts | placed | brought | simulated s | wall s | resident MiB | threads | open files |",
        "|---|---|---|---|---|---|---|---|---|",
        *(_row(item) for item in rounds),
        "",
    ]
    return "\n".join(lines), all(good for _, _, good in found)


def _row(item: Round) -> str:
    return (
        f"| {item.number} | {item.attempts} | {item.placed} | {item.brought} | {item.simulated_s:.0f} | "
        f"{item.wall_s:.0f} | {item.rss_mib:.1f} | {item.threads} | {item.files} |"
    )


def _resources() -> tuple[float, int, int]:
    """Resident MiB, threads and open files of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    files = len(os.listdir("/proc/self/fd"))
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20, threading.active_count(), files


def _line(item: Round) -> str:
    return (
        f"bin {item.number}: {item.brought} brought in {item.attempts} attempts, {item.simulated_s:.0f} s "
        f"simulated, {item.wall_s:.0f} s wall, {item.rss_mib:.1f} MiB {'; '.join(item.lost)} {item.error}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0, help="simulated (default: 30)")
    parser.add_argument("--objects", type=int, default=8, help="a bin (default: 8)")
    parser.add_argument("--seed", type=int, default=0, help="of cell and detector (default: 0)")
    parser.add_argument("--split", default="cell", choices=("cell", "train", "similar", "novel"))
    parser.add_argument("--detector", default=DEFAULT_DETECTOR, choices=sorted(DETECTORS))
    parser.add_argument("--out", type=Path, help="Markdown file for the page")
    return parser


if __name__ == "__main__":
    sys.exit(main())
