# SPDX-License-Identifier: Apache-2.0
"""Runs one of the commands: `python -m anygrasp_bringup.commands COMMAND ...`."""

from __future__ import annotations

import difflib
import importlib
import sys

from anygrasp_bringup.ros_environment import apply_ros_environment

__all__ = ["COMMANDS", "main"]

# name: (module with main(argv) -> exit code, what it does)
COMMANDS = {
    "bin_picking": ("anygrasp_bringup.commands.bin_picking", "a robot arm clears a bin, simulated or real"),
    "fish_catching": (
        "anygrasp_bringup.commands.fish_catching",
        "a Flexiv arm catches swimming robot fish, simulated",
    ),
    "detect": ("anygrasp_perception.cli", "find grasps in one RGB-D image, without ROS"),
    "record": ("anygrasp_perception.cameras.record_cli", "record a RealSense to a file that can be played"),
    "calibrate": (
        "anygrasp_perception.calibration.cli",
        "find where the camera is, and check that it still is there",
    ),
    "doctor": ("anygrasp_bringup.commands.doctor", "what machine, camera and robot lack, and what to do"),
    "launch": (
        "anygrasp_bringup.launch_runner.cli",
        "run a launch file: ./run launch PACKAGE FILE [name:=value]",
    ),
    "test": ("anygrasp_bringup.commands.test", "lint, type check and test; with arguments: pytest with them"),
    "bench": ("anygrasp_bringup.commands.bench", "print the benchmarks; with names: only those"),
}
_OWN = {
    "setup": "install or update everything; the other commands do it when needed",
    "help": "show this",
}


def main(argv: list[str]) -> int:
    """Run the command named first; return its exit code."""
    name, rest = (argv[0], argv[1:]) if argv else ("help", [])
    if name == "help":
        print(_help())
        return 0
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, [*COMMANDS, *_OWN], 1)
        hint = f"did you mean '{close[0]}'?" if close else "see ./run help"
        print(f"run: unknown command '{name}'; {hint}", file=sys.stderr)
        return 2
    apply_ros_environment()
    sys.argv[0] = f"./run {name}"
    code: int | None = importlib.import_module(COMMANDS[name][0]).main(rest)
    return code or 0


def _help() -> str:
    entries = {**{name: text for name, (_, text) in COMMANDS.items()}, **_OWN}
    return "\n".join(
        [
            "usage: ./run COMMAND [ARGUMENTS]    (./run COMMAND --help)",
            "",
            *(f"  {name:<13} {text}" for name, text in entries.items()),
            "",
            "The first use installs what is missing. `source .venv/bin/activate` gives a shell with it.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
