# SPDX-License-Identifier: Apache-2.0
"""What the entities of a launch file share while they are carried out."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from anygrasp_bringup.launch_runner.actions import Action
    from anygrasp_bringup.launch_runner.event_handlers import EventHandler
    from anygrasp_bringup.launch_runner.execute_process import ExecuteProcess
    from anygrasp_bringup.launch_runner.substitutions import Substitution

__all__ = ["LaunchArgument", "LaunchContext", "LaunchDescription", "LaunchError", "Launcher"]


class LaunchError(RuntimeError):
    """A launch file cannot be carried out."""


class LaunchDescription:
    """The list of entities that `generate_launch_description()` returns."""

    def __init__(self, initial_entities: Any = None) -> None:
        self.entities: list[Any] = list(initial_entities or ())

    def add_action(self, action: Action) -> None:
        """Append one action."""
        self.entities.append(action)


class Launcher(Protocol):
    """Carries out what takes time; actions reach it through the context."""

    def start(self, action: ExecuteProcess, command: list[str], environment: dict[str, str]) -> None:
        """Start a process and watch it."""

    def after(self, delay_s: float, entities: Any) -> None:
        """Visit entities later."""

    def shutdown(self, reason: str) -> None:
        """Stop everything."""

    def log(self, text: str) -> None:
        """Show a line to the user."""


@dataclass(frozen=True)
class LaunchArgument:
    """A launch argument as `--show-args` lists it."""

    name: str
    description: str
    default: str | None  # None: has to be given
    choices: tuple[str, ...] | None


@dataclass
class LaunchContext:
    """State of one launch: configurations, environment, namespace, handlers."""

    launcher: Launcher
    temporary_directory: Path  # parameter files live here until the launch ends
    launch_configurations: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    ros_namespace: str = ""
    ros_parameters: list[Any] = field(default_factory=list)  # of SetParameter, for every node that follows
    files: list[Path] = field(default_factory=list)  # the launch files being carried out, innermost last
    declared: dict[str, LaunchArgument] = field(default_factory=dict)  # filled by Action.describe
    event_handlers: list[EventHandler] = field(default_factory=list)

    def perform_substitution(self, substitution: Substitution) -> str:
        """Return the text of a substitution."""
        return substitution.perform(self)

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Undo every change of configurations, environment and namespace made inside."""
        saved = (
            dict(self.launch_configurations),
            dict(self.environment),
            self.ros_namespace,
            copy.copy(self.ros_parameters),
        )
        try:
            yield
        finally:
            self.launch_configurations, self.environment, self.ros_namespace, self.ros_parameters = saved
