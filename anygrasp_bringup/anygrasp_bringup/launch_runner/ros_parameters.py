# SPDX-License-Identifier: Apache-2.0
"""Parameters of a node as files for its command line (API of launch_ros.parameter_descriptions)."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from anygrasp_bringup.launch_runner.context import LaunchContext, LaunchError
from anygrasp_bringup.launch_runner.substitutions import SomeText, Substitution, perform

__all__ = ["ParameterFile", "ParameterValue", "parameter_file"]

_SCALARS = (bool, int, float, str)


class ParameterValue:
    """A value with its type: a text from a launch argument becomes a number only where that is meant."""

    def __init__(self, value: Any, *, value_type: Any = None) -> None:
        self._value = value
        self._type = value_type

    def evaluate(self, context: LaunchContext) -> Any:
        """Return the plain value; raises LaunchError where it is not of the type."""
        if self._type is str:
            return perform(self._value, context)
        value = _plain(self._value, context)
        if self._type is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if self._type in _SCALARS and type(value) is not self._type:
            article = "an" if self._type is int else "a"
            raise LaunchError(f"{value!r} is given where a parameter needs {article} {self._type.__name__}")
        return value


class ParameterFile:
    """A YAML file of parameters, with `$(...)`-free content only."""

    def __init__(self, param_file: SomeText, *, allow_substs: bool = False) -> None:
        if allow_substs:
            raise LaunchError("this runner reads parameter files as they are: allow_substs is not supported")
        self.param_file = param_file


def parameter_file(parameters: Any, context: LaunchContext) -> Path:
    """Return the YAML file of one entry of a node's `parameters`: a path as it is, a dict written out.

    Raises LaunchError on a file that is not there and on values that ROS parameters cannot hold.
    """
    if isinstance(parameters, Mapping):
        content = {"/**": {"ros__parameters": dict(_flat(parameters, context))}}
        with tempfile.NamedTemporaryFile(
            "w", prefix="launch_params_", suffix=".yaml", dir=context.temporary_directory, delete=False
        ) as file:
            yaml.safe_dump(content, file)
        return Path(file.name)
    path = Path(perform(getattr(parameters, "param_file", parameters), context))
    if not path.is_file():
        raise LaunchError(f"parameter file {path} does not exist")
    return path.resolve()


def _flat(parameters: Mapping[Any, Any], context: LaunchContext, prefix: str = "") -> list[tuple[str, Any]]:
    items: list[tuple[str, Any]] = []
    for key, value in parameters.items():
        name = prefix + perform(key, context)
        if isinstance(value, Mapping):
            items += _flat(value, context, name + ".")
        else:
            items.append((name, _checked(name, _plain(value, context))))
    return items


def _plain(value: Any, context: LaunchContext) -> Any:
    """Return bool, int, float, text or a list of them; texts from substitutions are read as YAML."""
    if isinstance(value, ParameterValue):
        return value.evaluate(context)
    if isinstance(value, Substitution) or (
        isinstance(value, (list, tuple)) and any(isinstance(item, Substitution) for item in value)
    ):
        text = perform(value, context)
        try:
            read = yaml.safe_load(text)
        except yaml.YAMLError:
            return text
        return read if isinstance(read, (*_SCALARS, list)) else text
    if isinstance(value, (list, tuple)):
        return [_plain(item, context) for item in value]
    return str(value) if isinstance(value, Path) else value


def _checked(name: str, value: Any) -> Any:
    items = value if isinstance(value, list) else [value]
    if not all(type(item) in _SCALARS for item in items) or len({type(item) for item in items}) > 1:
        raise LaunchError(
            f"parameter '{name}' is {value!r}, but must be a bool, int, float, str, or a list of one of them"
        )
    return value
