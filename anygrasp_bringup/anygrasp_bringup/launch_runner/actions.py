# SPDX-License-Identifier: Apache-2.0
"""What a launch file can do apart from starting processes (API of launch.actions)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from anygrasp_bringup.launch_runner.conditions import Condition
from anygrasp_bringup.launch_runner.context import (
    LaunchArgument,
    LaunchContext,
    LaunchDescription,
    LaunchError,
)
from anygrasp_bringup.launch_runner.substitutions import SomeText, perform

__all__ = [
    "Action",
    "AppendEnvironmentVariable",
    "DeclareLaunchArgument",
    "GroupAction",
    "LogInfo",
    "OpaqueFunction",
    "SetEnvironmentVariable",
    "SetLaunchConfiguration",
    "TimerAction",
    "UnsetEnvironmentVariable",
    "UnsetLaunchConfiguration",
    "describe",
    "visit",
]


class Action:
    """Base: does something when visited, unless its condition says no."""

    def __init__(self, *, condition: Condition | None = None) -> None:
        self.condition = condition

    def execute(self, context: LaunchContext) -> Any:
        """Do it; entities returned are visited next."""
        raise NotImplementedError

    def describe(self, context: LaunchContext) -> None:
        """Declare the launch arguments found here, without doing anything else."""


def visit(entities: Any, context: LaunchContext) -> None:
    """Carry out an action, a launch description, or a sequence of them."""
    if isinstance(entities, Action):
        if entities.condition is None or entities.condition.evaluate(context):
            visit(entities.execute(context), context)
    elif isinstance(entities, LaunchDescription):
        visit(entities.entities, context)
    elif isinstance(entities, Iterable):
        for entity in entities:
            visit(entity, context)
    elif entities is not None:
        raise LaunchError(f"a launch description holds actions, not {entities!r}")


def describe(entities: Any, context: LaunchContext) -> None:
    """Declare the launch arguments found in an action, a launch description, or a sequence of them."""
    if isinstance(entities, Action):
        entities.describe(context)
    elif isinstance(entities, LaunchDescription):
        describe(entities.entities, context)
    elif isinstance(entities, Iterable):
        for entity in entities:
            describe(entity, context)


class DeclareLaunchArgument(Action):
    """A `name:=value` that the launch file takes."""

    def __init__(
        self,
        name: str,
        *,
        default_value: SomeText | None = None,
        description: str = "",
        choices: Iterable[str] | None = None,
        condition: Condition | None = None,
    ) -> None:
        super().__init__(condition=condition)
        self.name = name
        self.default_value = default_value
        self.description = description
        self.choices = None if choices is None else tuple(choices)

    def execute(self, context: LaunchContext) -> None:
        if self.name not in context.launch_configurations:
            if self.default_value is None:
                raise LaunchError(f"launch argument '{self.name}' ({self.description}) has to be given")
            context.launch_configurations[self.name] = perform(self.default_value, context)
        value = context.launch_configurations[self.name]
        if self.choices is not None and value not in self.choices:
            raise LaunchError(f"{self.name}:={value} is not one of {', '.join(self.choices)}")

    def describe(self, context: LaunchContext) -> None:
        default = None if self.default_value is None else perform(self.default_value, context)
        argument = LaunchArgument(self.name, self.description, default, self.choices)
        context.declared.setdefault(self.name, argument)
        if default is not None:
            context.launch_configurations.setdefault(self.name, default)


class SetLaunchConfiguration(Action):
    """Set a launch configuration."""

    def __init__(self, name: SomeText, value: SomeText, *, condition: Condition | None = None) -> None:
        super().__init__(condition=condition)
        self._name = name
        self._value = value

    def execute(self, context: LaunchContext) -> None:
        context.launch_configurations[perform(self._name, context)] = perform(self._value, context)

    def describe(self, context: LaunchContext) -> None:
        self.execute(context)  # the path of an include may depend on it


class UnsetLaunchConfiguration(Action):
    """Remove a launch configuration."""

    def __init__(self, name: SomeText, *, condition: Condition | None = None) -> None:
        super().__init__(condition=condition)
        self._name = name

    def execute(self, context: LaunchContext) -> None:
        context.launch_configurations.pop(perform(self._name, context), None)


class SetEnvironmentVariable(SetLaunchConfiguration):
    """Set an environment variable of the processes that follow."""

    def execute(self, context: LaunchContext) -> None:
        context.environment[perform(self._name, context)] = perform(self._value, context)


class UnsetEnvironmentVariable(UnsetLaunchConfiguration):
    """Remove an environment variable of the processes that follow."""

    def execute(self, context: LaunchContext) -> None:
        context.environment.pop(perform(self._name, context), None)


class AppendEnvironmentVariable(Action):
    """Add to a list-like environment variable, behind what it holds or in front of it."""

    def __init__(
        self,
        name: SomeText,
        value: SomeText,
        prepend: bool = False,
        separator: str = ":",
        *,
        condition: Condition | None = None,
    ) -> None:
        super().__init__(condition=condition)
        self._name = name
        self._value = value
        self._prepend = prepend
        self._separator = separator

    def execute(self, context: LaunchContext) -> None:
        name, value = perform(self._name, context), perform(self._value, context)
        present = [context.environment[name]] if context.environment.get(name) else []
        parts = [value, *present] if self._prepend else [*present, value]
        context.environment[name] = self._separator.join(parts)


class LogInfo(Action):
    """Print a line."""

    def __init__(self, *, msg: SomeText, condition: Condition | None = None) -> None:
        super().__init__(condition=condition)
        self._msg = msg

    def execute(self, context: LaunchContext) -> None:
        context.launcher.log(perform(self._msg, context))


class GroupAction(Action):
    """Actions in a scope of their own: configurations, environment and namespace end with it."""

    def __init__(
        self,
        actions: Iterable[Action],
        *,
        scoped: bool = True,
        forwarding: bool = True,
        launch_configurations: Mapping[str, SomeText] | None = None,
        condition: Condition | None = None,
    ) -> None:
        super().__init__(condition=condition)
        self._actions = list(actions)
        self._scoped = scoped
        self._forwarding = forwarding
        self._configurations = dict(launch_configurations or {})

    def execute(self, context: LaunchContext) -> None:
        if self._scoped:
            with context.scope():
                self._enter(context)
                visit(self._actions, context)
        else:
            self._enter(context)
            visit(self._actions, context)

    def _enter(self, context: LaunchContext) -> None:
        inside = {name: perform(value, context) for name, value in self._configurations.items()}
        outside = context.launch_configurations if self._forwarding else {}
        context.launch_configurations = {**outside, **inside}

    def describe(self, context: LaunchContext) -> None:
        with context.scope():
            self._enter(context)
            describe(self._actions, context)


class OpaqueFunction(Action):
    """Call a function of the launch file with the context; it may return entities."""

    def __init__(
        self,
        *,
        function: Callable[..., Any],
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        condition: Condition | None = None,
    ) -> None:
        super().__init__(condition=condition)
        self._function = function
        self._args = tuple(args or ())
        self._kwargs = dict(kwargs or {})

    def execute(self, context: LaunchContext) -> Any:
        return self._function(context, *self._args, **self._kwargs)


class TimerAction(Action):
    """Visit actions after a time."""

    def __init__(
        self, *, period: float | SomeText, actions: Iterable[Action], condition: Condition | None = None
    ) -> None:
        super().__init__(condition=condition)
        self._period = period
        self._actions = list(actions)

    def execute(self, context: LaunchContext) -> None:
        period = self._period
        delay_s = float(period if isinstance(period, (int, float)) else perform(period, context))
        context.launcher.after(delay_s, self._actions)

    def describe(self, context: LaunchContext) -> None:
        describe(self._actions, context)
