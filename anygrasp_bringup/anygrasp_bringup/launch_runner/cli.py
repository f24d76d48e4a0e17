# SPDX-License-Identifier: Apache-2.0
"""Command line: `launch_runner PACKAGE FILE [name:=value ...]`, like `ros2 launch`."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from anygrasp_bringup.ament_index import PackageNotFound
from anygrasp_bringup.dataclass_parameters import ConfigError, reject_unknown
from anygrasp_bringup.launch_runner.console import Console
from anygrasp_bringup.launch_runner.context import LaunchArgument, LaunchError
from anygrasp_bringup.launch_runner.launch_api import install_launch_api
from anygrasp_bringup.launch_runner.launch_file import find_launch_file
from anygrasp_bringup.launch_runner.real_launch import run_with_launch_service
from anygrasp_bringup.launch_runner.runner import LaunchRunner
from anygrasp_bringup.ros_environment import apply_ros_environment, shared_memory_problem

__all__ = ["launch", "main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code of the first process that failed, 1 on a bad launch."""
    parser = argparse.ArgumentParser(prog="launch_runner", description=__doc__)
    parser.add_argument("target", metavar="PACKAGE FILE | PATH", nargs="+", help="launch file to run")
    parser.add_argument("-s", "--show-args", action="store_true", help="list the launch arguments and stop")
    options, rest = parser.parse_known_args(argv)
    words = [*options.target, *rest]
    arguments = dict(word.split(":=", 1) for word in words if ":=" in word)
    target = [word for word in words if ":=" not in word]
    try:
        if len(target) not in (1, 2) or target[0].startswith("-"):
            raise LaunchError(
                f"give a package and a launch file, or a path; got {' '.join(target) or 'neither'}"
            )
        apply_ros_environment()
        path = Path(target[0]) if len(target) == 1 else find_launch_file(target[0], target[1])
        return launch(path, arguments, show_arguments=options.show_args)
    except (LaunchError, PackageNotFound, ConfigError) as error:
        Console(sys.stderr).error("launch", str(error))
        return 1


def launch(path: Path, arguments: Mapping[str, str], *, show_arguments: bool = False) -> int:
    """Run a launch file, with ROS 2's own launch where it is installed; return the exit code.

    Raises LaunchError on a launch file that cannot be carried out, ConfigError on an unknown argument.
    """
    console = Console()
    if problem := shared_memory_problem():
        console.error("launch", problem)
    if importlib.util.find_spec("launch_ros") is not None:
        if show_arguments:
            return subprocess.run(["ros2", "launch", str(path), "--show-args"], check=False).returncode
        return run_with_launch_service(path, arguments)
    install_launch_api()
    runner = LaunchRunner(console)
    declared = runner.arguments(path, arguments)
    if show_arguments:
        print(_listing(declared.values()))
        return 0
    reject_unknown(arguments, declared, "launch argument")
    return runner.run(path, arguments)


def _listing(arguments: Iterable[LaunchArgument]) -> str:
    lines = ["Arguments (pass arguments as '<name>:=<value>'):"]
    for argument in arguments:
        lines += ["", f"    '{argument.name}':", f"        {argument.description or 'no description given'}"]
        if argument.choices is not None:
            lines.append(f"        choices: {', '.join(argument.choices)}")
        given = "has to be given" if argument.default is None else f"default: '{argument.default}'"
        lines.append(f"        ({given})")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
