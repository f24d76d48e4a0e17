# SPDX-License-Identifier: Apache-2.0
"""Offers this runner's classes under the names that launch files import: launch, launch_ros and below."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from anygrasp_bringup.launch_runner import (
    actions,
    conditions,
    context,
    event_handlers,
    execute_process,
    launch_file,
    ros_actions,
    ros_parameters,
    substitutions,
)

__all__ = ["install_launch_api"]

_ACTIONS = {
    **{name: getattr(actions, name) for name in actions.__all__ if name[0].isupper()},
    "EmitEvent": event_handlers.EmitEvent,
    "ExecuteProcess": execute_process.ExecuteProcess,
    "IncludeLaunchDescription": launch_file.IncludeLaunchDescription,
    "RegisterEventHandler": event_handlers.RegisterEventHandler,
    "Shutdown": event_handlers.Shutdown,
    "UnregisterEventHandler": event_handlers.UnregisterEventHandler,
}
_IN_PACKAGE = ("ExecutableInPackage", "FindPackagePrefix", "FindPackageShare")
_SOURCES = {
    "AnyLaunchDescriptionSource": launch_file.PythonLaunchDescriptionSource,
    "PythonLaunchDescriptionSource": launch_file.PythonLaunchDescriptionSource,
}
_PARAMETERS = {name: getattr(ros_parameters, name) for name in ("ParameterFile", "ParameterValue")}

_MODULES: dict[str, dict[str, Any]] = {
    "launch": {
        "Action": actions.Action,
        "Condition": conditions.Condition,
        "LaunchContext": context.LaunchContext,
        "LaunchDescription": context.LaunchDescription,
        "Substitution": substitutions.Substitution,
    },
    "launch.actions": _ACTIONS,
    "launch.conditions": {name: getattr(conditions, name) for name in conditions.__all__},
    "launch.event_handlers": {
        name: getattr(event_handlers, name) for name in ("OnProcessExit", "OnProcessStart", "OnShutdown")
    },
    "launch.events": {"Shutdown": event_handlers.ShutdownEvent},
    "launch.launch_context": {"LaunchContext": context.LaunchContext},
    "launch.launch_description": {"LaunchDescription": context.LaunchDescription},
    "launch.launch_description_sources": _SOURCES,
    "launch.substitutions": {
        name: getattr(substitutions, name)
        for name in substitutions.__all__
        if name[0].isupper() and name not in _IN_PACKAGE
    },
    "launch_ros": {},
    "launch_ros.actions": {name: getattr(ros_actions, name) for name in ros_actions.__all__},
    "launch_ros.descriptions": _PARAMETERS,
    "launch_ros.parameter_descriptions": _PARAMETERS,
    "launch_ros.substitutions": {name: getattr(substitutions, name) for name in _IN_PACKAGE},
}


class _ApiModule(ModuleType):
    """A module that says what it has when it is asked for something else."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        offered = ", ".join(sorted(key for key in vars(self) if key[0].isupper()))
        raise ImportError(
            f"'{self.__name__}.{name}' is not in this launch runner, which offers {offered}; "
            "source a ROS 2 distribution to use all of launch"
        )


def install_launch_api() -> None:
    """Put the modules in sys.modules; call it only where the real `launch` is not installed."""
    for name, content in _MODULES.items():
        module = _ApiModule(name)
        module.__path__ = []
        vars(module).update(content)
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
