# SPDX-License-Identifier: Apache-2.0
"""What flexivrdk 1.9.1 takes and returns, read from its stub file: names, arguments, types, enum values."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from numbers import Integral, Real
from pathlib import Path

import numpy as np

__all__ = ["ApiSpec", "ClassSpec", "load_flexiv_api", "parse_stub"]

_STUB = Path(__file__).with_name("flexivrdk_1_9_1.pyi")


@dataclass(frozen=True)
class ClassSpec:
    """One class: an enum has `members`, a struct `fields`, the others only methods.

    Annotations are expressions of the stub; `ApiSpec.fits` compares values with them.
    """

    name: str
    members: dict[str, int] = field(default_factory=dict)
    fields: dict[str, ast.expr] = field(default_factory=dict)
    methods: dict[str, list[inspect.Signature]] = field(default_factory=dict)  # several when overloaded


@dataclass(frozen=True)
class ApiSpec:
    """All classes by name."""

    classes: dict[str, ClassSpec]

    def bind(
        self, class_name: str, method: str, arguments: Sequence[object], named: Mapping[str, object]
    ) -> tuple[dict[str, object], inspect.Signature]:
        """Arguments by name, with defaults, and the first signature they fit, as pybind11 does it.

        Raises:
            AttributeError: the class has no such method.
            TypeError: count, name or type of an argument is not what the real module takes.
        """
        signatures = self.classes[class_name].methods.get(method)
        if signatures is None:
            known = ", ".join(sorted(self.classes[class_name].methods))
            raise AttributeError(f"flexivrdk.{class_name} has no method {method!r}; it has {known}")
        problems = []
        for signature in signatures:
            try:
                bound = signature.bind(*arguments, **named)
            except TypeError as error:
                problems.append(str(error))
                continue
            bound.apply_defaults()
            wrong = [
                f"{name} = {value!r} is no {ast.unparse(signature.parameters[name].annotation)}"
                for name, value in bound.arguments.items()
                if not self.fits(value, signature.parameters[name].annotation)
            ]
            if not wrong:
                return dict(bound.arguments), signature
            problems.extend(wrong)
        raise TypeError(f"flexivrdk.{class_name}.{method}: {'; '.join(problems)}")

    def fits(self, value: object, annotation: ast.expr) -> bool:
        """Whether the real module converts `value` to the type; a bool never passes for a number."""
        match annotation:
            case ast.Constant(value=None):
                return value is None
            case ast.Name(id=name):
                return self._fits_name(value, name)
            case ast.BinOp(left=one, op=ast.BitOr(), right=other):
                return self.fits(value, one) or self.fits(value, other)
            case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[kind, size])):
                return self.fits(value, kind) and len(value) == ast.literal_eval(size)  # type: ignore[arg-type]
            case ast.Subscript(value=ast.Name(id="_list"), slice=kind):
                return _is_list(value) and all(self.fits(item, kind) for item in value)  # type: ignore[attr-defined]
            case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=kinds)):
                return (
                    isinstance(value, tuple)
                    and len(value) == len(kinds)
                    and all(self.fits(item, kind) for item, kind in zip(value, kinds, strict=True))
                )
            case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[key, kind])):
                return isinstance(value, dict) and all(
                    self.fits(name, key) and self.fits(item, kind) for name, item in value.items()
                )
        raise NotImplementedError(f"{_STUB.name} has a type that is not read: {ast.unparse(annotation)}")

    def _fits_name(self, value: object, name: str) -> bool:
        match name:
            case "float":
                return isinstance(value, Real) and not isinstance(value, bool)
            case "int":
                return isinstance(value, Integral) and not isinstance(value, bool)
            case "bool":
                return isinstance(value, bool | np.bool_)
            case "object":
                return True
            case "str":
                return isinstance(value, str)
        return type(value).__name__ == name  # an enum or class of the module, or datetime


@cache
def load_flexiv_api() -> ApiSpec:
    """The API of flexivrdk 1.9.1, the last that serves the Rizon."""
    return parse_stub(_STUB.read_text(encoding="utf-8"))


def parse_stub(text: str) -> ApiSpec:
    """The classes of a stub file as `flexiv_dump` writes it."""
    classes = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    return ApiSpec({node.name: _parse_class(node) for node in classes})


def _parse_class(node: ast.ClassDef) -> ClassSpec:
    spec = ClassSpec(node.name)
    for statement in node.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                spec.members[name] = ast.literal_eval(value)
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                spec.fields[name] = annotation
            case ast.FunctionDef(name=name):
                spec.methods.setdefault(name, []).append(_parse_signature(statement))
    return spec


def _parse_signature(node: ast.FunctionDef) -> inspect.Signature:
    by_position = node.args.posonlyargs
    arguments = [*by_position, *node.args.args]
    defaults: list[object] = [inspect.Parameter.empty] * (len(arguments) - len(node.args.defaults))
    defaults += [ast.literal_eval(default) for default in node.args.defaults]
    parameters = [
        inspect.Parameter(
            argument.arg,
            inspect.Parameter.POSITIONAL_ONLY
            if argument in by_position
            else inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=default,
            annotation=argument.annotation,
        )
        for argument, default in zip(arguments, defaults, strict=True)
        if argument.arg != "self"
    ]
    return inspect.Signature(parameters, return_annotation=node.returns)


def _is_list(value: object) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim == 1
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)
