# SPDX-License-Identifier: Apache-2.0
"""URScript statements that take no time: tool and payload, kinematics into a variable, output registers."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from anygrasp_sim.emulators.rotation_vector import pose_to_transform, transform_to_pose
from anygrasp_sim.emulators.ur_robot import ProgramError, UrRobot

__all__ = ["UrscriptStatement"]

_FUNCTIONS = frozenset(
    {
        "floor",
        "get_forward_kin",
        "get_inverse_kin",
        "set_payload",
        "set_tcp",
        "write_output_float_register",
        "write_output_integer_register",
    }
)

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


class UrscriptStatement:
    """One line: a call of those below, or `name = value`; values are numbers, lists, names, items, calls.

    Raises:
        ProgramError: another line; from `run`, one that fails as on the controller.
    """

    def __init__(self, line: str) -> None:
        self._line = line.strip()
        try:
            # A pose p[...] is a list of six numbers here.
            (self._tree,) = ast.parse(re.sub(r"\bp\[", "[", self._line)).body
        except (SyntaxError, ValueError) as error:
            raise ProgramError(f"not emulated: {self._line!r}") from error
        calls = [node.func for node in ast.walk(self._tree) if isinstance(node, ast.Call)]
        known = all(isinstance(function, ast.Name) and function.id in _FUNCTIONS for function in calls)
        match self._tree:
            case ast.Assign(targets=[ast.Name()]) | ast.Expr(value=ast.Call()) if known:
                pass
            case _:
                raise ProgramError(f"not emulated: {self._line!r}")

    def run(self, robot: UrRobot, variables: dict[str, Any]) -> None:
        """Carry it out."""
        try:
            match self._tree:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    variables[name] = self._value(value, robot, variables)
                case ast.Expr(value=value):
                    self._value(value, robot, variables)
        except (IndexError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise ProgramError(f"{self._line!r}: {error!r}") from error

    def _value(self, node: ast.expr, robot: UrRobot, variables: dict[str, Any]) -> Any:
        def value(inner: ast.expr) -> Any:
            return self._value(inner, robot, variables)

        match node:
            case ast.Constant(value=int() | float() as number):
                return number
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -value(operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](value(left), value(right))
            case ast.List(elts=items):
                return [value(item) for item in items]
            case ast.Name(id=name):
                return variables[name]
            case ast.Subscript(value=container, slice=index):
                return value(container)[value(index)]
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self._call(robot, name, [value(argument) for argument in arguments])
        raise ProgramError(f"not emulated: {self._line!r}")

    def _call(self, robot: UrRobot, name: str, arguments: list[Any]) -> Any:
        motion = robot.motion
        match name, arguments:
            case "floor", [number]:
                return math.floor(number)
            case "set_tcp", [pose]:
                motion.T_flange_tcp = pose_to_transform(_six(pose))
            case "set_payload", [mass, *_]:
                robot.payload_kg = float(mass)
            case "write_output_integer_register", [int() as register, number] if register >= 0:
                robot.output_ints[register] = int(number)
            case "write_output_float_register", [int() as register, number] if register >= 0:
                robot.output_doubles[register] = float(number)
            case "get_inverse_kin", [pose, *near]:
                q = motion.inverse(_six(pose), *map(_six, near))
                if q is None:
                    raise ProgramError(f"get_inverse_kin: no solution for p{pose}")
                return q.tolist()
            case "get_forward_kin", [joints, *tcp]:
                T_flange_tcp = pose_to_transform(_six(tcp[0])) if tcp else motion.T_flange_tcp
                return transform_to_pose(robot.kinematics.forward(_six(joints)) @ T_flange_tcp).tolist()
            case _:
                raise ProgramError(f"not emulated: {self._line!r}")
        return None


def _six(values: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    array = np.array(values, dtype=float)
    if array.shape != (6,) or not np.isfinite(array).all():
        raise ValueError(f"{values} are not six numbers")
    return array
