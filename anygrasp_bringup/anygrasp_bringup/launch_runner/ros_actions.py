# SPDX-License-Identifier: Apache-2.0
"""Nodes, namespaces and shared parameters (API of launch_ros.actions)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from anygrasp_bringup.launch_runner.actions import Action
from anygrasp_bringup.launch_runner.conditions import Condition
from anygrasp_bringup.launch_runner.context import LaunchContext
from anygrasp_bringup.launch_runner.executables import executable_command
from anygrasp_bringup.launch_runner.execute_process import ExecuteProcess
from anygrasp_bringup.launch_runner.ros_parameters import parameter_file
from anygrasp_bringup.launch_runner.substitutions import SomeText, perform

__all__ = ["Node", "PushRosNamespace", "SetParameter"]


class Node(ExecuteProcess):
    """Start a ROS node."""

    def __init__(
        self,
        *,
        executable: SomeText,
        package: SomeText | None = None,
        name: SomeText | None = None,
        namespace: SomeText | None = None,
        exec_name: SomeText | None = None,
        parameters: Iterable[Any] | None = None,
        remappings: Iterable[tuple[SomeText, SomeText]] | None = None,
        ros_arguments: Iterable[SomeText] | None = None,
        arguments: Iterable[SomeText] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(cmd=[], name=exec_name, **kwargs)
        self._executable = executable
        self._package = package
        self._node_name = name
        self._namespace = namespace
        self._parameters = list(parameters or ())
        self._remappings = list(remappings or ())
        self._ros_arguments = list(ros_arguments or ())
        self._arguments = list(arguments or ())

    def command(self, context: LaunchContext) -> list[str]:
        executable = perform(self._executable, context)
        package = None if self._package is None else perform(self._package, context)
        command = [executable] if package is None else executable_command(package, executable)
        command += [perform(argument, context) for argument in self._arguments]
        command += ["--ros-args", *(perform(argument, context) for argument in self._ros_arguments)]
        if self._node_name is not None:
            command += ["-r", f"__node:={perform(self._node_name, context)}"]
        own = "" if self._namespace is None else perform(self._namespace, context)
        if namespace := join_namespaces(context.ros_namespace, own):
            command += ["-r", f"__ns:={namespace}"]
        for parameters in (*context.ros_parameters, *self._parameters):
            command += ["--params-file", str(parameter_file(parameters, context))]
        for source, target in self._remappings:
            command += ["-r", f"{perform(source, context)}:={perform(target, context)}"]
        return command

    def label(self, context: LaunchContext, command: list[str]) -> str:
        return perform(self._executable if self._name is None else self._name, context)


class PushRosNamespace(Action):
    """Put the nodes that follow, up to the end of the group, in a namespace."""

    def __init__(self, namespace: SomeText, *, condition: Condition | None = None) -> None:
        super().__init__(condition=condition)
        self._namespace = namespace

    def execute(self, context: LaunchContext) -> None:
        context.ros_namespace = join_namespaces(context.ros_namespace, perform(self._namespace, context))


class SetParameter(Action):
    """Set a parameter of all nodes that follow, up to the end of the group."""

    def __init__(self, name: SomeText, value: Any, *, condition: Condition | None = None) -> None:
        super().__init__(condition=condition)
        self._name = name
        self._value = value

    def execute(self, context: LaunchContext) -> None:
        context.ros_parameters = [*context.ros_parameters, {perform(self._name, context): self._value}]


def join_namespaces(outer: str, inner: str) -> str:
    """Return the absolute namespace of `inner` within `outer`; "" for the root."""
    joined = inner if inner.startswith("/") else f"{outer}/{inner}"
    parts = [part for part in joined.split("/") if part]
    return "/" + "/".join(parts) if parts else ""
