# SPDX-License-Identifier: Apache-2.0
"""Breaks the simulated cell in every way we know and writes down what the stack makes of it.

The real nodes over DDS, the real ur_rtde and gripper clients over a network that can be cut, the emulated
controller moving the physics of the simulated cell. Each fault strikes a run at one of its stages; then the
arm is measured by the emulator, the log is read, the cause is undone, what a person would ask for is
asked for, and the cell has to work again:
    .venv/bin/python benchmarks/fault_campaign.py --out docs/results/faults.md
Half an hour on a quiet machine; goes on where an earlier call was interrupted. Ends with 1 if a verdict is
bad or a fault was not tried.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

from faults.bench import OVERRIDES, bench
from faults.device_faults import CONTROLLER, GRIPPER, NETWORK
from faults.fault import Fault
from faults.page import page
from faults.perception_faults import CAMERA, PROCESSES, TF
from faults.stack import resident_mib
from faults.trial import try_fault
from machine import commit, describe_machine

ROOT = Path(__file__).resolve().parents[1]
FAULTS = [*TF, *CAMERA, *CONTROLLER, *GRIPPER, *NETWORK, *PROCESSES]  # TF first: nothing is published yet
_MOST_FAILED = 4  # faults that could not be tried


def main() -> int:
    """Try what has not been tried, then write the page."""
    options = _parser().parse_args()
    chosen = [fault for fault in FAULTS if any(text in fault.key for text in options.only)]
    missing = [fault for fault in chosen if not _file(options.keep, fault).exists()]
    if missing and not options.page:
        _run(missing, options)
    files = [_file(options.keep, fault) for fault in chosen]
    rows = [json.loads(file.read_text(encoding="utf-8")) for file in files if file.exists()]
    missing = [fault for fault, file in zip(chosen, files, strict=True) if not file.exists()]
    commits = ", ".join(sorted({row["commit"] for row in rows}))
    minutes = sum(row["wall_s"] for row in rows) / 60.0
    head = (
        f"`benchmarks/fault_campaign.py`, tried at commit {commits}; {describe_machine()}; "
        f"{minutes:.0f} minutes of wall time."
    )
    text = page(rows, [fault.key for fault in missing], head, _notes())
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    return int(bool(missing) or any(row["bad"] for row in rows))


def _run(faults: list[Fault], options: argparse.Namespace) -> None:
    options.keep.mkdir(parents=True, exist_ok=True)
    with bench(options.keep) as cell:
        began_s, failed = time.monotonic(), 0
        for fault in _in_turn(faults):
            if fault.group != "TF":
                cell.cell.ask("camera_tf", "static")
            if options.stop_after and time.monotonic() - began_s > 60.0 * options.stop_after:
                return
            print(f"{fault.key} ...", file=sys.stderr, flush=True)
            try:
                row = try_fault(cell, fault).as_dict()
                if row["bad"]:  # once more, and the table tells of both
                    before = "; ".join(row["bad"])
                    row = try_fault(cell, fault).as_dict()
                    row["outcome"] += f" (second try; the first: {before})"
            except (TimeoutError, RuntimeError, OSError):
                traceback.print_exc()
                failed += 1
                if failed == _MOST_FAILED:
                    return
                continue  # the bench failed, not the stack: the next call tries this fault
            row["commit"] = commit()
            row["resident_mib"] = {name: resident_mib(node.pid) for name, node in cell.nodes.items()}
            print(f"    {row['arm']}; {row['outcome']}; {row['bad'] or 'good'}", file=sys.stderr, flush=True)
            _file(options.keep, fault).write_text(json.dumps(row, indent=2) + "\n", encoding="utf-8")


def _in_turn(faults: list[Fault]) -> list[Fault]:
    """The first of each group, the second of each, and so on: an interrupted campaign has tried of all."""
    seen: Counter[str] = Counter()
    ranks = []
    for fault in faults:
        ranks.append(seen[fault.group])
        seen[fault.group] += 1
    return [fault for _, fault in sorted(zip(ranks, faults, strict=True), key=lambda pair: pair[0])]


def _notes() -> list[str]:
    return [
        """Each fault strikes a `clear_bin` run at the stage named ("start": before it). *Arm after* is
measured by the emulator, from the tool's own way, and not taken from any node's word: how long after the
fault the arm came to stand for good, how far the tool still went, and where it stands; "raised" is above the
plate and what lies on it. A fault that ends the run leaves the arm where it is until somebody asks for more,
also once its cause is gone; one that does not lets the pick be finished. *Log* is the first warning or error
that names the cause. *Outcome* is how the run ended, what the operator had to ask for, and what the cell did
then. Good: the arm stands, the log names the cause, the run ended as it should, the cell works again.""",
        f"""Parameters beside those of `config/bin_picking.yaml`, to wait less and to bear a busy machine:
`{json.dumps(OVERRIDES)}`; `grasp_detection` `image_timeout_s: 5.0`; a cell of six objects.""",
    ]


def _file(folder: Path, fault: Fault) -> Path:
    name = "".join(letter if letter.isalnum() else "_" for letter in fault.key)
    return folder / f"{name}.json"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="Markdown file for the table")
    parser.add_argument("--only", nargs="+", default=[""], help="faults whose name contains one of these")
    parser.add_argument("--page", action="store_true", help="only write the table of what has been tried")
    parser.add_argument("--stop-after", type=float, default=0.0, help="begin no fault after so many minutes")
    parser.add_argument(
        "--keep",
        type=Path,
        default=ROOT / "runs" / "faults",
        help="folder of the verdicts and logs; remove it to try again after a change of the code",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
