# SPDX-License-Identifier: Apache-2.0
"""`./run fish_catching`: a Flexiv arm catches swimming robot fish, and reports."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main", "parse"]

_DESCRIPTION = """\
A Flexiv Rizon 4 catches robot fish in a tank by Algorithm 1 of the AnyGrasp paper. The simulated cell, the
perception and the executor run in lock-step: simulated time passes for a decision as long as a robot would
need (0.2 s), whatever this machine needs, so the same seed gives the same trials."""

_EPILOG = """\
examples:
  ./run fish_catching --trials 1                               eight fish, one trial
  ./run fish_catching --policy nearest --report nearest.json   the paper's baseline; also nearest.png
  ./run fish_catching --no-prediction                          servo to where the fish was seen

The same executor as a ROS 2 node with the cell in real time, or with a real arm:
  ./run launch anygrasp_bringup fish_catching.launch.py        (--show-args)"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the trials; return 0 when all ended by themselves, else 1."""
    options = parse(argv)
    from robot_drivers.fish_trials.cli import TrialSeries, run_series  # not needed for --help

    series = TrialSeries(
        trials=options.trials,
        seed=options.seed,
        policy=options.policy,
        prediction=options.prediction,
        detector=options.detector,
        fish=options.fish,
        max_attempts=options.max_attempts,
    )
    report = run_series(series, options.report)
    return int(any(trial.error for trial in report.trials))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the options; a wrong one ends the program with code 2."""
    parser = argparse.ArgumentParser(
        prog="./run fish_catching",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--trials", type=_positive, default=5, metavar="N", help="trials (5)")
    parser.add_argument("--seed", type=_seed, default=0, metavar="N", help="of the first trial (0)")
    parser.add_argument(
        "--policy",
        choices=("association", "appearance", "nearest"),
        default="association",
        help="what tells which grasp is the target's in a new image: association is learned and needs "
        "the detector network (association)",
    )
    parser.add_argument(
        "--no-prediction",
        action="store_false",
        dest="prediction",
        help="do not look ahead over the gripper's closing time",
    )
    parser.add_argument(
        "--detector",
        choices=("network", "geometric"),
        default="network",
        help="that finds the grasps (network)",
    )
    parser.add_argument("--fish", type=_positive, default=8, metavar="N", help="fish in the tank (8)")
    parser.add_argument(
        "--max-attempts", type=_positive, default=16, metavar="N", help="attempts in one trial (16)"
    )
    parser.add_argument("--headless", action="store_true", help="show no window; trials never do")
    parser.add_argument(
        "--report", type=Path, metavar="F.json", help="write the statistics, and the attempts as F.png"
    )
    return parser.parse_args(argv)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a positive number")
    return value


def _seed(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is negative")
    return value
