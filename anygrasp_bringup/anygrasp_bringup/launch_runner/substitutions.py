# SPDX-License-Identifier: Apache-2.0
"""Texts that are known only when the launch file is carried out (API of launch.substitutions)."""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from anygrasp_bringup.ament_index import package_prefix, package_share
from anygrasp_bringup.launch_runner.context import LaunchContext, LaunchError

__all__ = [
    "AndSubstitution",
    "EnvironmentVariable",
    "EqualsSubstitution",
    "ExecutableInPackage",
    "FindExecutable",
    "FindPackagePrefix",
    "FindPackageShare",
    "IfElseSubstitution",
    "LaunchConfiguration",
    "NotEqualsSubstitution",
    "NotSubstitution",
    "OrSubstitution",
    "PathJoinSubstitution",
    "PythonExpression",
    "Substitution",
    "TextSubstitution",
    "ThisLaunchFile",
    "ThisLaunchFileDir",
    "is_true",
    "perform",
]


class Substitution:
    """Base: a text computed from the context."""

    def perform(self, context: LaunchContext) -> str:
        """Return the text."""
        raise NotImplementedError


SomeText = str | Path | Substitution | Iterable[Any]  # what every argument of the API may be


def perform(value: SomeText, context: LaunchContext) -> str:
    """Return the text of a string, path, substitution, or a sequence of them joined without a gap."""
    if isinstance(value, Substitution):
        return value.perform(context)
    if isinstance(value, (str, Path)):
        return str(value)
    if isinstance(value, Iterable):
        return "".join(perform(item, context) for item in value)
    raise LaunchError(f"{value!r} is of type {type(value).__name__}, but a text or substitution is needed")


def is_true(text: str) -> bool:
    """Read a truth value as launch does; raises LaunchError on anything but true, false, 1, 0."""
    lowered = text.strip().lower()
    if lowered not in ("true", "1", "false", "0"):
        raise LaunchError(f"'{text}' is no truth value: write true, false, 1 or 0")
    return lowered in ("true", "1")


class TextSubstitution(Substitution):
    """A fixed text."""

    def __init__(self, *, text: str) -> None:
        self._text = text

    def perform(self, context: LaunchContext) -> str:
        return self._text


class LaunchConfiguration(Substitution):
    """The value of a launch argument."""

    def __init__(self, variable_name: SomeText, *, default: SomeText | None = None) -> None:
        self._name = variable_name
        self._default = default

    def perform(self, context: LaunchContext) -> str:
        name = perform(self._name, context)
        if name in context.launch_configurations:
            return context.launch_configurations[name]
        if self._default is None:
            known = ", ".join(sorted(context.launch_configurations)) or "none"
            raise LaunchError(f"launch configuration '{name}' does not exist here; known: {known}")
        return perform(self._default, context)


class PathJoinSubstitution(Substitution):
    """Parts joined with the path separator."""

    def __init__(self, substitutions: Iterable[SomeText]) -> None:
        self._parts = list(substitutions)

    def perform(self, context: LaunchContext) -> str:
        return os.path.join(*(perform(part, context) for part in self._parts))


class EnvironmentVariable(Substitution):
    """The value of an environment variable."""

    def __init__(self, name: SomeText, *, default_value: SomeText | None = None) -> None:
        self._name = name
        self._default = default_value

    def perform(self, context: LaunchContext) -> str:
        name = perform(self._name, context)
        if name in context.environment:
            return context.environment[name]
        if self._default is None:
            raise LaunchError(f"environment variable '{name}' is not set and has no default_value")
        return perform(self._default, context)


class PythonExpression(Substitution):
    """The text of an evaluated Python expression."""

    def __init__(self, expression: SomeText, python_modules: Iterable[SomeText] = ("math",)) -> None:
        self._expression = expression
        self._modules = list(python_modules)

    def perform(self, context: LaunchContext) -> str:
        names: dict[str, Any] = {}
        for name in (perform(module, context) for module in self._modules):
            module = importlib.import_module(name)
            names[name] = module
            if name == "math":  # launch offers its functions without the module's name, too
                names.update(vars(module))
        expression = perform(self._expression, context)
        try:
            return str(eval(expression, {}, names))
        except Exception as error:  # whatever the launch file's own expression raises
            raise LaunchError(f"PythonExpression({expression!r}) failed: {error}") from error


class ThisLaunchFile(Substitution):
    """Path of the launch file being carried out."""

    def perform(self, context: LaunchContext) -> str:
        return str(context.files[-1])


class ThisLaunchFileDir(Substitution):
    """Folder of the launch file being carried out."""

    def perform(self, context: LaunchContext) -> str:
        return str(context.files[-1].parent)


class FindExecutable(Substitution):
    """Path of a program on PATH."""

    def __init__(self, *, name: SomeText) -> None:
        self._name = name

    def perform(self, context: LaunchContext) -> str:
        name = perform(self._name, context)
        path = shutil.which(name, path=context.environment.get("PATH"))
        if path is None:
            raise LaunchError(f"program '{name}' is not on PATH")
        return path


class _Package(Substitution):
    def __init__(self, package: SomeText) -> None:
        self._package = package


class FindPackagePrefix(_Package):
    """Install prefix of a package."""

    def perform(self, context: LaunchContext) -> str:
        return str(package_prefix(perform(self._package, context)))


class FindPackageShare(_Package):
    """Share folder of a package."""

    def perform(self, context: LaunchContext) -> str:
        return str(package_share(perform(self._package, context)))


class ExecutableInPackage(Substitution):
    """Path of an executable in `lib/<package>`."""

    def __init__(self, executable: SomeText, package: SomeText) -> None:
        self._executable = executable
        self._package = package

    def perform(self, context: LaunchContext) -> str:
        package = perform(self._package, context)
        return str(package_prefix(package) / "lib" / package / perform(self._executable, context))


class _Pair(Substitution):
    def __init__(self, left: Any, right: Any) -> None:
        self._left = left
        self._right = right

    def _texts(self, context: LaunchContext) -> tuple[str, str]:
        left, right = (str(v) if isinstance(v, (bool, int, float)) else v for v in (self._left, self._right))
        return perform(left, context), perform(right, context)


class EqualsSubstitution(_Pair):
    """`true` where both texts agree; truth values in any spelling, and numbers, by value."""

    def perform(self, context: LaunchContext) -> str:
        left, right = self._texts(context)
        return str(_comparable(left) == _comparable(right)).lower()


class NotEqualsSubstitution(EqualsSubstitution):
    """`true` where the texts differ."""

    def perform(self, context: LaunchContext) -> str:
        return str(not is_true(super().perform(context))).lower()


class AndSubstitution(_Pair):
    """`true` where both are."""

    def perform(self, context: LaunchContext) -> str:
        left, right = self._texts(context)
        return str(is_true(left) and is_true(right)).lower()


class OrSubstitution(_Pair):
    """`true` where at least one is."""

    def perform(self, context: LaunchContext) -> str:
        left, right = self._texts(context)
        return str(is_true(left) or is_true(right)).lower()


class NotSubstitution(Substitution):
    """`true` where the value is not."""

    def __init__(self, value: SomeText) -> None:
        self._value = value

    def perform(self, context: LaunchContext) -> str:
        return str(not is_true(perform(self._value, context))).lower()


class IfElseSubstitution(Substitution):
    """One of two texts."""

    def __init__(self, condition: SomeText, if_value: SomeText = "", else_value: SomeText = "") -> None:
        self._condition = condition
        self._values = (else_value, if_value)

    def perform(self, context: LaunchContext) -> str:
        return perform(self._values[is_true(perform(self._condition, context))], context)


def _comparable(text: str) -> object:
    lowered = text.strip().lower()
    if lowered in ("true", "false"):
        return lowered
    try:
        return float(lowered)
    except ValueError:
        return text
