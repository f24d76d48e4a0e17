# SPDX-License-Identifier: Apache-2.0
"""The action that starts a process (API of launch.actions.ExecuteProcess)."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from anygrasp_bringup.launch_runner.actions import Action
from anygrasp_bringup.launch_runner.conditions import Condition
from anygrasp_bringup.launch_runner.context import LaunchContext
from anygrasp_bringup.launch_runner.substitutions import SomeText, perform

__all__ = ["ExecuteProcess"]


class ExecuteProcess(Action):
    """Start a command. Its output is shown whatever `output` says: this runner keeps no log files."""

    def __init__(
        self,
        *,
        cmd: Iterable[SomeText],
        name: SomeText | None = None,
        prefix: SomeText | None = None,
        cwd: SomeText | None = None,
        env: Mapping[Any, Any] | None = None,
        additional_env: Mapping[Any, Any] | None = None,
        output: Any = "log",
        emulate_tty: Any = False,
        shell: bool = False,
        respawn: bool | SomeText = False,
        respawn_delay: float | None = None,
        respawn_max_retries: int = -1,
        sigterm_timeout: float | SomeText = 5.0,
        sigkill_timeout: float | SomeText = 5.0,
        on_exit: Any = None,
        condition: Condition | None = None,
    ) -> None:
        super().__init__(condition=condition)
        self._cmd = list(cmd)
        self._name = name
        self._prefix = prefix
        self._cwd = cwd
        self._env = env
        self._additional_env = dict(additional_env or {})
        self._shell = shell
        self._respawn = respawn
        self._timeouts = (sigterm_timeout, sigkill_timeout)
        self.respawn_delay_s = respawn_delay or 0.0
        self.respawn_max_retries = respawn_max_retries
        self.on_exit = on_exit
        # Known once executed:
        self.process_name = ""
        self.working_directory: Path | None = None
        self.respawns = False
        self.sigterm_after_s = 5.0
        self.sigkill_after_s = 5.0

    def command(self, context: LaunchContext) -> list[str]:
        """Return the command line."""
        return [perform(part, context) for part in self._cmd]

    def label(self, context: LaunchContext, command: list[str]) -> str:
        """Return the name to show, without the number that the runner adds."""
        return perform(self._name, context) if self._name is not None else Path(command[0]).name

    def execute(self, context: LaunchContext) -> None:
        command = self.command(context)
        self.process_name = self.label(context, command)
        if self._prefix is not None:
            command = [*shlex.split(perform(self._prefix, context)), *command]
        if self._shell:
            command = ["/bin/sh", "-c", " ".join(command)]
        self.working_directory = None if self._cwd is None else Path(perform(self._cwd, context))
        self.respawns = self._respawn in (True, "true", "True") or (
            not isinstance(self._respawn, bool) and perform(self._respawn, context).lower() == "true"
        )
        self.sigterm_after_s, self.sigkill_after_s = (
            float(t if isinstance(t, (int, float)) else perform(t, context)) for t in self._timeouts
        )
        environment = context.environment if self._env is None else _performed(self._env, context)
        context.launcher.start(self, command, {**environment, **_performed(self._additional_env, context)})


def _performed(variables: Mapping[Any, Any], context: LaunchContext) -> dict[str, str]:
    return {perform(name, context): perform(value, context) for name, value in variables.items()}
