# SPDX-License-Identifier: Apache-2.0
"""Declare a config dataclass as ROS parameters and read it back with the user's values."""

from __future__ import annotations

from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from anygrasp_bringup.dataclass_parameters import (
    ConfigError,
    ParameterField,
    build_config,
    parameter_fields,
    reject_unknown,
)

__all__ = ["ConfigError", "declare_parameters"]

Config = TypeVar("Config")

_BUILT_IN = ("use_sim_time", "qos_overrides.", "start_type_description_service")
_SCALAR_TYPES = {
    bool: Parameter.Type.BOOL,
    int: Parameter.Type.INTEGER,
    float: Parameter.Type.DOUBLE,
    str: Parameter.Type.STRING,
}
_ARRAY_TYPES = {
    bool: Parameter.Type.BOOL_ARRAY,
    int: Parameter.Type.INTEGER_ARRAY,
    float: Parameter.Type.DOUBLE_ARRAY,
    str: Parameter.Type.STRING_ARRAY,
}


def declare_parameters(node: Node, config_class: type[Config], prefix: str = "") -> Config:
    """Declare every leaf of `config_class` on `node` and return the config with the values given to the node.

    The parameters are read-only: a config is fixed once the node has started. Values given to the node that
    no parameter claims are refused, those under `prefix.` or, without a prefix, all: a node with several
    configs declares the prefixed ones first, or nests them in one dataclass.

    Raises ConfigError on an unknown name, a wrong type, a value out of range, or one the dataclass refuses.
    """
    # rclpy shows the values it was given only for declared parameters, and nothing of the others.
    given: dict[str, Parameter] = node._parameter_overrides
    leaves = {leaf.name: leaf for leaf in parameter_fields(config_class, prefix)}
    claims = [name for name in given if name.startswith(f"{prefix}." if prefix else "")]
    free = [name for name in claims if not name.startswith(_BUILT_IN) and not node.has_parameter(name)]
    reject_unknown(free, leaves)

    values = {name: given[name].value for name in leaves if name in given}
    config = build_config(config_class, values, prefix)
    for name, leaf in leaves.items():
        _declare(node, leaf, _typed(leaf, values[name]) if name in values else leaf.default)
    return config


def _declare(node: Node, leaf: ParameterField, value: Any) -> None:
    descriptor = ParameterDescriptor(description=leaf.description, read_only=True)
    kind = (_ARRAY_TYPES if leaf.is_array else _SCALAR_TYPES)[leaf.element]
    if leaf.range is not None and not leaf.is_array:
        low, high = leaf.range
        if leaf.element is int:
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
        else:
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(low), to_value=float(high), step=0.0)
            ]
    if value is None:  # an Optional that nobody set: declared by type, without a value
        node.declare_parameter(leaf.name, kind, descriptor)
    else:
        node.declare_parameter(leaf.name, value, descriptor, ignore_override=True)


def _typed(leaf: ParameterField, value: Any) -> Any:
    """Return a value that build_config has accepted as ROS stores it: whole numbers as floats."""
    if leaf.element is not float:
        return value
    return [float(item) for item in value] if leaf.is_array else float(value)
