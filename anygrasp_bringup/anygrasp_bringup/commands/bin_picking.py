# SPDX-License-Identifier: Apache-2.0
"""`./run bin_picking`: clears a bin through ROS 2 and reports."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from anygrasp_bringup.ament_index import config_directory

__all__ = ["launch_arguments", "main", "parse"]

_DESCRIPTION = """\
A UR5 arm clears a bin: camera, grasp detection and executor run as ROS 2 nodes, and every motion goes over
TCP to a UR controller. Without --robot-ip that is the controller emulator of a simulated cell."""

_EPILOG = """\
examples:
  ./run bin_picking                                  the simulated cell, 8 objects
  ./run bin_picking --objects 12 --seed 3 --view     another heap, in a window
  ./run bin_picking --report run.json                also writes run.json and run.png, the sheet of picks
  ./run bin_picking --robot-ip 192.168.1.10          a real arm; see config/bin_picking.yaml first

Everything else is a parameter: copy config/bin_picking.yaml, change it, pass it with --config. The same
thing with ROS 2's own tools: ros2 launch anygrasp_bringup bin_picking.launch.py (--show-args)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the launch file; return the exit code of the node that failed first, 0 after a clean run."""
    options = parse(argv)
    from anygrasp_bringup.launch_runner import cli  # not needed for --help, nor is what it imports

    path = config_directory().parent / "launch/bin_picking.launch.py"
    return cli.main([str(path), *(f"{name}:={value}" for name, value in launch_arguments(options).items())])


def launch_arguments(options: argparse.Namespace) -> dict[str, str]:
    """Return the launch arguments of the options; those not given are left to the launch file."""
    arguments = {
        "objects": options.objects,
        "seed": options.seed,
        "max_attempts": options.max_attempts,
        "viewer": _text(options.view),
        "sim": None if options.robot_ip is None else _text(False),
        "robot_ip": options.robot_ip,
        "detector": options.detector,
        "weights": options.weights and options.weights.resolve(),
        "params_file": options.config and options.config.resolve(),
        "report": options.report and options.report.resolve(),
        "contact_sheet": options.report and options.report.resolve().with_suffix(".png"),
    }
    return {name: str(value) for name, value in arguments.items() if value is not None}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the options; a wrong one ends the program with code 2."""
    parser = argparse.ArgumentParser(
        prog="./run bin_picking",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--objects", type=_positive, metavar="N", help="objects dropped into the simulated bin"
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="of the heap and the detector: same seed, same heap"
    )
    parser.add_argument("--max-attempts", type=_positive, metavar="N", help="stop after N attempts")
    parser.add_argument(
        "--report", type=Path, metavar="F.json", help="write the statistics, and the picks as F.png"
    )
    # As anygrasp_perception.detectors names them; --help works before it is installed.
    parser.add_argument(
        "--detector", choices=("network", "geometric"), help="that finds the grasps (default: as configured)"
    )
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="of the network, instead of those shipped"
    )
    parser.add_argument(
        "--config", type=Path, metavar="F.yaml", help="parameters (default: config/bin_picking.yaml)"
    )
    parser.add_argument(
        "--robot-ip", metavar="IP", help="drive the real arm at this address instead of the cell"
    )
    screen = parser.add_mutually_exclusive_group()
    screen.add_argument(
        "--view", action="store_true", dest="view", help="show the cell (default with a screen)"
    )
    screen.add_argument("--headless", action="store_false", dest="view", help="show no window")
    parser.set_defaults(view=bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")))
    return parser.parse_args(argv)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a positive number")
    return value


def _text(value: bool) -> str:
    return str(value).lower()
