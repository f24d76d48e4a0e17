# SPDX-License-Identifier: Apache-2.0
"""Turn a config dataclass into named, described, typed parameters, and named values into the dataclass."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["ConfigError", "ParameterField", "build_config", "parameter_fields", "reject_unknown"]

Config = TypeVar("Config")

_SCALARS: dict[type, type] = {bool: bool, int: int, float: float, str: str, Path: str}
_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


class ConfigError(ValueError):
    """A configuration value is unknown, of the wrong type, or out of its limits."""


@dataclass(frozen=True)
class ParameterField:
    """One leaf of a config dataclass, by its dotted name."""

    name: str
    annotation: Any  # the leaf's type; Optional is stripped
    default: Any  # plain value: lists for tuples, text for enums and paths; None without a default
    description: str
    range: tuple[float, float] | None  # inclusive, from metadata {"range": (low, high)}

    @property
    def element(self) -> type:
        """Plain type of the value, or of its elements where `is_array`."""
        inner = typing.get_args(self.annotation)[0] if self.is_array else self.annotation
        return str if isinstance(inner, type) and issubclass(inner, Enum) else _SCALARS[inner]

    @property
    def is_array(self) -> bool:
        """Whether the value is a list."""
        return typing.get_origin(self.annotation) is tuple


def parameter_fields(config_class: type, prefix: str = "") -> list[ParameterField]:
    """Return the leaves of `config_class`, nested dataclasses flattened to dotted names.

    A leaf is bool, int, float, str, Path, an Enum of str, or a tuple of them, Optional or not. Descriptions
    come from metadata {"description": ...}, else from the comment behind or above the field.
    Raises TypeError on a field of another type.
    """
    hints = typing.get_type_hints(config_class)
    comments = _comments(config_class)
    leaves: list[ParameterField] = []
    for field in dataclasses.fields(config_class):
        name = f"{prefix}.{field.name}" if prefix else field.name
        annotation = _strip_optional(hints[field.name])
        if dataclasses.is_dataclass(annotation):
            default = _default(field)
            nested = parameter_fields(typing.cast(type, annotation), name)
            leaves += nested if default is None else [_with_default(leaf, default, name) for leaf in nested]
            continue
        description = field.metadata.get("description", comments.get(field.name, ""))
        leaf = ParameterField(
            name, annotation, _plain(_default(field)), description, field.metadata.get("range")
        )
        try:
            _ = leaf.element
        except (KeyError, IndexError) as error:
            raise TypeError(
                f"{config_class.__name__}.{field.name} is a {annotation}, but a parameter is one of bool, "
                "int, float, str, Path, Enum, a tuple of them, or a nested dataclass"
            ) from error
        leaves.append(leaf)
    return leaves


def build_config(config_class: type[Config], values: Mapping[str, Any], prefix: str = "") -> Config:
    """Return the config with `values` (by dotted name) over its defaults.

    Raises ConfigError on an unknown name, a value of the wrong type or out of range, a missing one without
    a default, or one that the dataclass itself refuses.
    """
    leaves = {leaf.name: leaf for leaf in parameter_fields(config_class, prefix)}
    reject_unknown(values, leaves)
    converted = {name: _convert(leaves[name], value) for name, value in values.items()}
    return _build(config_class, None, converted, prefix)


def reject_unknown(names: Iterable[str], known: Iterable[str], kind: str = "parameter") -> None:
    """Raise ConfigError on the first of `names` that is not among `known`, with the nearest one."""
    known = sorted(known)
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known) or 'none'}"
            raise ConfigError(f"unknown {kind} '{name}'; {hint}")


def _build(config_class: type[Config], base: Any, values: Mapping[str, Any], prefix: str) -> Config:
    """Return `base` (None: the class' own defaults) with the values under `prefix`."""
    hints = typing.get_type_hints(config_class)
    arguments: dict[str, Any] = {}
    for field in dataclasses.fields(typing.cast(Any, config_class)):
        name = f"{prefix}.{field.name}" if prefix else field.name
        default = _default(field) if base is None else getattr(base, field.name)
        if name in values:
            arguments[field.name] = values[name]
        elif any(key.startswith(f"{name}.") for key in values):
            arguments[field.name] = _build(_strip_optional(hints[field.name]), default, values, name)
        elif base is None and field.default is field.default_factory is dataclasses.MISSING:
            raise ConfigError(f"parameter '{name}' has no default and was not given")
    try:
        return config_class(**arguments) if base is None else dataclasses.replace(base, **arguments)
    except ValueError as error:
        raise ConfigError(f"{config_class.__name__}: {error}") from error


def _convert(leaf: ParameterField, value: Any) -> Any:
    """Return `value` as the field's type; whole numbers pass as floats, lists as tuples."""
    if not leaf.is_array:
        return _convert_scalar(leaf, leaf.annotation, value)
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"parameter '{leaf.name}' is {value!r}, but must be a list")
    inner = typing.get_args(leaf.annotation)
    if inner[-1] is not Ellipsis and len(value) != len(inner):
        raise ConfigError(f"parameter '{leaf.name}' has {len(value)} values, but must have {len(inner)}")
    return tuple(_convert_scalar(leaf, inner[0], item) for item in value)


def _convert_scalar(leaf: ParameterField, annotation: Any, value: Any) -> Any:
    kind: Any = leaf.element
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not kind:
        raise ConfigError(f"parameter '{leaf.name}' is {value!r}, but must be {_NAMES[kind]}")
    if leaf.range is not None and not leaf.range[0] <= value <= leaf.range[1]:
        raise ConfigError(f"parameter '{leaf.name}' is {value}, but must be in {list(leaf.range)}")
    if annotation in (bool, int, float, str):
        return value
    try:
        return annotation(value)
    except ValueError as error:
        choices = ", ".join(str(item.value) for item in annotation)
        raise ConfigError(f"parameter '{leaf.name}' is {value!r}, but must be one of {choices}") from error


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else None


def _with_default(leaf: ParameterField, config: Any, prefix: str) -> ParameterField:
    """Return `leaf` with the value it has in `config`, the default of the nested dataclass at `prefix`."""
    value = config
    for part in leaf.name[len(prefix) + 1 :].split("."):
        value = getattr(value, part)
    return dataclasses.replace(leaf, default=_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _strip_optional(annotation: Any) -> Any:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        inner = [item for item in typing.get_args(annotation) if item is not type(None)]
        return inner[0] if len(inner) == 1 else annotation
    return annotation


def _comments(config_class: type) -> dict[str, str]:
    """Return the comment behind each field, or else the comment lines above it."""
    try:
        lines = inspect.getsource(config_class).splitlines()
    except (OSError, TypeError):  # made without a source file
        return {}
    comments: dict[str, str] = {}
    above: list[str] = []
    for line in lines:
        if match := re.match(r"\s+(\w+)\s*:[^#]*(?:#\s*(.*))?$", line):
            comments[match[1]] = match[2] or " ".join(above)
        comment = re.match(r"\s+#\s*(.*)$", line)
        above = [*above, comment[1]] if comment else []
    return comments
