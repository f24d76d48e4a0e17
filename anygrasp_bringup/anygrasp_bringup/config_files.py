# SPDX-License-Identifier: Apache-2.0
"""Check the YAML parameter files of nodes against their config dataclasses, without starting a node."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from anygrasp_bringup.dataclass_parameters import (
    ConfigError,
    build_config,
    parameter_fields,
    reject_unknown,
)

__all__ = ["load_config_file", "load_node_config", "node_parameters"]

Config = TypeVar("Config")

_BUILT_IN = "use_sim_time"  # every node has it


def load_config_file(path: Path, config_classes: Mapping[str, type]) -> dict[str, Any]:
    """Return the config of every node named in a parameter file, by node name without its namespace.

    `config_classes` maps node names to dataclasses; the section `/**` applies to all of them, as far as they
    have its parameters. Raises ConfigError on an unknown node or parameter, a wrong type or value.
    """
    content = yaml.safe_load(path.read_text()) or {}
    sections = {key: _parameters(path, key, section) for key, section in content.items()}
    everywhere = sections.pop("/**", {})
    known_somewhere = {leaf.name for c in config_classes.values() for leaf in parameter_fields(c)}
    try:
        reject_unknown(everywhere, known_somewhere)
        reject_unknown([key.rsplit("/", 1)[-1] for key in sections], config_classes, "node")
        configs: dict[str, Any] = {}
        for key, values in sections.items():
            config_class = config_classes[key.rsplit("/", 1)[-1]]
            names = {leaf.name for leaf in parameter_fields(config_class)}
            shared = {name: value for name, value in everywhere.items() if name in names}
            configs[key.rsplit("/", 1)[-1]] = build_config(config_class, {**shared, **values})
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    return configs


def load_node_config(path: Path, node: str, config_class: type[Config]) -> Config:
    """Return the config of one node of a parameter file, its defaults where the file has no section for it.

    The sections of other nodes are not looked at. Raises ConfigError like `load_config_file`.
    """
    values: dict[str, Any] = {}
    for key, section in (yaml.safe_load(path.read_text()) or {}).items():
        if key.rsplit("/", 1)[-1] == node:
            values |= _parameters(path, key, section)
    try:
        return build_config(config_class, values)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def node_parameters(path: Path, node: str) -> dict[str, Any]:
    """Return the parameters that a file gives one node, by dotted name, checked by nobody; empty without any.

    Raises:
        ConfigError: it is no parameter file.
        OSError: it cannot be read.
    """
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: no YAML: {error}") from error
    if not isinstance(content, Mapping):
        raise ConfigError(f"{path}: no sections of nodes, like '/**/{node}:'")
    values: dict[str, Any] = {}
    for key, section in content.items():
        if str(key).rsplit("/", 1)[-1] == node:
            values |= _parameters(path, key, section)
    return values


def _parameters(path: Path, key: str, section: Any) -> dict[str, Any]:
    if not isinstance(section, Mapping) or list(section) != ["ros__parameters"]:
        raise ConfigError(f"{path}: section '{key}' must hold 'ros__parameters:' and nothing else")
    flat = _flat(section["ros__parameters"] or {})
    flat.pop(_BUILT_IN, None)
    return flat


def _flat(parameters: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in parameters.items():
        flat.update(
            _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
        )
    return flat
