# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the module flexivrdk 1.9.1: its API to the letter, answered by objects of ours."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import Any

from anygrasp_sim.emulators.flexiv_api import ApiSpec, ClassSpec, load_flexiv_api

__all__ = ["ApiCall", "FlexivModule"]

# A servo loop of minutes; older calls are forgotten.
_CALLS_KEPT = 20_000


@dataclass(frozen=True)
class ApiCall:
    """One call that the API allows, before it was answered."""

    class_name: str
    method: str
    arguments: dict[str, object]


class FlexivModule:
    """Hand it to the driver in place of `import flexivrdk`.

    Enums and structs (`Mode`, `RobotStates()`) are made from the stub. `Robot`, `Gripper`, `Tool` and the
    other classes are answered by objects of the caller: `answers["Gripper"]` is called with the constructor's
    arguments (a stand-in arrives as the object that answers for it) and returns an object with methods of
    the same names. Arguments arrive by position, defaults filled in. A name, an argument or an answer that
    the real module would not have raises AttributeError or TypeError, a method without an answer
    NotImplementedError. Every call is recorded in `calls` before it is answered.

    Args:
        answers: factories by class name.
    """

    def __init__(self, answers: Mapping[str, Callable[..., object]]) -> None:
        self.spec: ApiSpec = load_flexiv_api()
        self.calls: deque[ApiCall] = deque(maxlen=_CALLS_KEPT)
        unknown = set(answers) - set(self.spec.classes)
        if unknown:
            raise ValueError(f"flexivrdk has no class {sorted(unknown)}; it has {sorted(self.spec.classes)}")
        self._answers = dict(answers)
        self._classes = {name: self._make_class(spec) for name, spec in self.spec.classes.items()}

    def __getattr__(self, name: str) -> Any:
        classes = self.__dict__.get("_classes", {})
        if name in classes:
            return classes[name]
        for kind in classes.values():  # the module exports its enums' values, too
            if issubclass(kind, Enum) and name in kind.__members__:
                return kind[name]
        raise AttributeError(f"module flexivrdk has no {name!r}")

    def calls_of(self, method: str) -> list[ApiCall]:
        """The calls of one method, in order."""
        return [call for call in self.calls if call.method == method]

    def _make_class(self, spec: ClassSpec) -> type:
        if spec.members:
            return Enum(spec.name, spec.members)  # type: ignore[return-value]
        base = _Struct if spec.fields else _Service
        return type(spec.name, (base,), {"_module": self, "_class": spec})

    def _answer_for(self, class_name: str) -> Callable[..., object]:
        if class_name not in self._answers:
            raise NotImplementedError(f"nobody answers for flexivrdk.{class_name} here")
        return self._answers[class_name]


class _Struct:
    """Fields of the stub, zero at first; assigning checks name and type."""

    _module: FlexivModule
    _class: ClassSpec

    def __init__(self, *arguments: object, **named: object) -> None:
        bound, _ = self._module.spec.bind(self._class.name, "__init__", arguments, named)
        for name, annotation in self._class.fields.items():
            object.__setattr__(self, name, self._zero(annotation))
        for name, value in bound.items():
            setattr(self, name.lstrip("_"), value)

    def __setattr__(self, name: str, value: object) -> None:
        if name not in self._class.fields:
            raise AttributeError(f"flexivrdk.{self._class.name} has no field {name!r}")
        if not self._module.spec.fits(value, self._class.fields[name]):
            wanted = ast.unparse(self._class.fields[name])
            raise TypeError(f"flexivrdk.{self._class.name}.{name} = {value!r} is no {wanted}")
        object.__setattr__(self, name, value)

    def _zero(self, annotation: ast.expr) -> object:
        match annotation:
            case ast.Name(id=name) if name in self._module.spec.classes:
                return next(iter(getattr(self._module, name)))
            case ast.Name(id="datetime"):
                return datetime.fromtimestamp(0, timezone.utc)
            case ast.Name(id=name):
                return {"float": 0.0, "int": 0, "bool": False, "str": ""}[name]
            case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[kind, size])):
                item = kind.slice if isinstance(kind, ast.Subscript) else kind
                return [self._zero(item) for _ in range(ast.literal_eval(size))]
            case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=kinds)):
                return tuple(self._zero(kind) for kind in kinds)
        return []


class _Service:
    """Robot, Gripper, Tool: every call is checked, recorded, answered, and the answer checked."""

    _module: FlexivModule
    _class: ClassSpec

    def __init__(self, *arguments: object, **named: object) -> None:
        bound, _ = self._module.spec.bind(self._class.name, "__init__", arguments, named)
        self._module.calls.append(ApiCall(self._class.name, "__init__", bound))
        answer = self._module._answer_for(self._class.name)
        self._answers: object = answer(
            *(value._answers if isinstance(value, _Service) else value for value in bound.values())
        )

    def __getattr__(self, method: str) -> Callable[..., Any]:
        if method not in self._class.methods:
            known = ", ".join(sorted(self._class.methods))
            raise AttributeError(f"flexivrdk.{self._class.name} has no {method!r}; it has {known}")

        def call(*arguments: object, **named: object) -> object:
            bound, signature = self._module.spec.bind(self._class.name, method, arguments, named)
            self._module.calls.append(ApiCall(self._class.name, method, bound))
            answer = getattr(self._answers, method, None)
            if answer is None:
                raise NotImplementedError(f"nobody answers flexivrdk.{self._class.name}.{method} here")
            returned = answer(*bound.values())
            if not self._module.spec.fits(returned, signature.return_annotation):
                wanted = ast.unparse(signature.return_annotation)
                raise TypeError(
                    f"{self._class.name}.{method} was answered with {returned!r}, which is no {wanted}"
                )
            return returned

        return call
