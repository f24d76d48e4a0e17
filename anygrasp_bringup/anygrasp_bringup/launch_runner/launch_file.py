# SPDX-License-Identifier: Apache-2.0
"""Find, load and include launch files (API of launch.launch_description_sources)."""

from __future__ import annotations

import os
import runpy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anygrasp_bringup.ament_index import package_share
from anygrasp_bringup.launch_runner.actions import Action, describe, visit
from anygrasp_bringup.launch_runner.conditions import Condition
from anygrasp_bringup.launch_runner.context import LaunchContext, LaunchDescription, LaunchError
from anygrasp_bringup.launch_runner.substitutions import SomeText, perform

__all__ = [
    "IncludeLaunchDescription",
    "PythonLaunchDescriptionSource",
    "describe_file",
    "find_launch_file",
    "visit_file",
]


def find_launch_file(package: str, name: str) -> Path:
    """Return the launch file `name` of `package`; raises LaunchError with those it has."""
    share = package_share(package)
    found = [
        Path(folder) / name
        for folder, _, names in os.walk(share / "launch", followlinks=True)
        if name in names
    ]
    if not found:
        there = sorted(path.name for path in (share / "launch").glob("*launch.py"))
        raise LaunchError(
            f"package '{package}' has no launch file '{name}'; it has: {', '.join(there) or 'none'}"
        )
    return found[0]


def visit_file(path: Path, context: LaunchContext) -> None:
    """Carry out a launch file."""
    with _inside(path, context):
        visit(_load(path), context)


def describe_file(path: Path, context: LaunchContext) -> None:
    """Declare the arguments of a launch file and of those it includes, without doing anything else."""
    with _inside(path, context):
        describe(_load(path), context)


@contextmanager
def _inside(path: Path, context: LaunchContext) -> Iterator[None]:
    context.files.append(path.resolve() if path.is_symlink() else path.absolute())
    try:
        yield
    finally:
        context.files.pop()


def _load(path: Path) -> LaunchDescription:
    if path.suffix != ".py":
        raise LaunchError(f"{path}: this runner reads Python launch files (.py) only")
    if not path.is_file():
        raise LaunchError(f"launch file {path} does not exist")
    module = runpy.run_path(str(path.absolute()))
    if "generate_launch_description" not in module:
        raise LaunchError(f"{path} has no function generate_launch_description()")
    description: LaunchDescription = module["generate_launch_description"]()
    return description


class PythonLaunchDescriptionSource:
    """Names the launch file to include."""

    def __init__(self, launch_file_path: SomeText) -> None:
        self.launch_file_path = launch_file_path


class IncludeLaunchDescription(Action):
    """Carry out another launch file, or a description, with launch arguments."""

    def __init__(
        self,
        launch_description_source: Any,
        *,
        launch_arguments: Iterable[tuple[SomeText, SomeText]] | None = None,
        condition: Condition | None = None,
    ) -> None:
        super().__init__(condition=condition)
        self._source = launch_description_source
        self._arguments = list(launch_arguments or ())

    def execute(self, context: LaunchContext) -> None:
        context.launch_configurations.update(self._given(context))
        if isinstance(self._source, LaunchDescription):
            visit(self._source, context)
        else:
            visit_file(self._path(context), context)

    def describe(self, context: LaunchContext) -> None:
        given = self._given(context)
        outside = dict(context.declared)
        with context.scope():
            context.launch_configurations.update(given)
            if isinstance(self._source, LaunchDescription):
                describe(self._source, context)
            else:
                describe_file(self._path(context), context)
        # What the include sets itself is no argument of the file around it.
        context.declared = {
            name: declared
            for name, declared in context.declared.items()
            if name in outside or name not in given
        }

    def _given(self, context: LaunchContext) -> dict[str, str]:
        return {perform(name, context): perform(value, context) for name, value in self._arguments}

    def _path(self, context: LaunchContext) -> Path:
        return Path(perform(getattr(self._source, "launch_file_path", self._source), context))
