# SPDX-License-Identifier: Apache-2.0
"""`./run doctor`: what this machine, the camera and the robot lack, and what to do about it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from anygrasp_bringup.doctor.checks import CHECKS

__all__ = ["main", "parse"]

_DESCRIPTION = """\
Looks at everything that a pick needs and says of each thing whether it is ok, and what to do where it is
not. It only asks: no program is sent to a robot, no gripper is activated, nothing moves. A camera is started
for one image, so end the camera node first. Each check runs in a process of its own, within a time limit."""

_EPILOG = """\
examples:
  ./run doctor                                     this machine, and what happens to be plugged in
  ./run doctor --robot-ip 192.168.0.10             and a UR with its gripper, as for ./run bin_picking
  ./run doctor --config config/bin_picking.yaml --robot-ip 192.168.0.10      and camera and calibration
  ./run doctor --config config/fish_catching.yaml --serial-number Rizon4-062016      a Flexiv cell
  ./run doctor --only camera calibration           just these, as asked for
  ./run doctor --json > doctor.json                for programs, and for a bug report

A thing is asked for when an option or the file given by --config names it: a section `camera`, an
`arm.robot_ip`, an `arm.serial_number`, something of `gripper`. What is not asked for gives warnings at most.
Exit status: 0 all that is asked for works, 1 it does not, 2 the options or the file are wrong."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the checks; return 0, 1 with problems, 2 on bad input."""
    options = parse(argv)
    # not needed for --help, nor is what they import
    from anygrasp_bringup.dataclass_parameters import ConfigError
    from anygrasp_bringup.doctor.isolation import run_checks
    from anygrasp_bringup.doctor.report import as_json, as_text, exit_code, summary
    from anygrasp_bringup.doctor.settings import read_settings

    only = tuple(options.only or ())
    try:
        settings = read_settings(
            options.config, options.robot_ip, options.serial_number, options.calibration, only
        )
    except ConfigError as error:
        print(f"doctor: {error}", file=sys.stderr)
        return 2
    outcomes = []
    try:
        for outcome in run_checks(only or list(CHECKS), settings):
            outcomes.append(outcome)
            if not options.json:
                print(as_text(outcome, colour=sys.stdout.isatty()), flush=True)
    except KeyboardInterrupt:
        print("doctor: interrupted", file=sys.stderr)
        return 130
    print(as_json(outcomes) if options.json else summary(outcomes))
    return exit_code(outcomes)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the options; a wrong one ends the program with code 2."""
    checks = "\n".join(f"  {name:<14} {check.about}" for name, check in CHECKS.items())
    parser = argparse.ArgumentParser(
        prog="./run doctor",
        description=f"{_DESCRIPTION}\n\nchecks:\n{checks}",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config", type=Path, metavar="F.yaml", help="parameters of the nodes (config/bin_picking.yaml)"
    )
    parser.add_argument(
        "--only", nargs="+", choices=list(CHECKS), metavar="NAME", help="run these checks, and no others"
    )
    robot = parser.add_mutually_exclusive_group()
    robot.add_argument("--robot-ip", metavar="IP", help="address of the UR, as for ./run bin_picking")
    robot.add_argument("--serial-number", metavar="S", help="of the Flexiv, as for fish_catching.launch.py")
    parser.add_argument(
        "--calibration", type=Path, metavar="F.yaml", help="pose of the camera (config/calibration.yaml)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    return parser.parse_args(argv)
