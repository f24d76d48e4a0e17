# SPDX-License-Identifier: Apache-2.0
"""Plain URScript programs: movej, movel, stopj and stopl with literal arguments, and what takes no time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from anygrasp_sim.emulators.arm_motion import ArmMotion
from anygrasp_sim.emulators.rotation_vector import pose_to_transform
from anygrasp_sim.emulators.ur_robot import ProgramError, UrRobot
from anygrasp_sim.emulators.urscript_statement import UrscriptStatement

__all__ = ["UrscriptProgram"]

# Default speed and acceleration (for stops the deceleration) of the URScript manual.
_DEFAULTS = {"movej": (1.05, 1.4), "movel": (0.25, 1.2), "stopj": (0.0, 2.0), "stopl": (0.0, 2.0)}

_CALL = re.compile(r"\s*(movej|movel|stopj|stopl)\s*\(\s*(?:(p?)\[([^\]]*)\])?\s*,?([^\])]*)\)\s*")
_IS_CALL = re.compile(r"\s*(movej|movel|stopj|stopl)\b")
_IGNORED = re.compile(r"\s*((def\s.*:|end)|textmsg\(.*\))?\s*")


class UrscriptProgram:
    """The lines of a program, one after the other; each but a stop waits until the arm rests.

    Raises:
        ProgramError: a line that is neither one of the four calls with literal numbers nor a statement.
    """

    def __init__(self, robot: UrRobot, source: str) -> None:
        self.running = True
        self._robot = robot
        self._motion = robot.motion
        self._variables: dict[str, Any] = {}
        lines = [line.split("#")[0] for line in source.splitlines()]
        self._lines = [_parse(line) for line in lines if not _IGNORED.fullmatch(line)]

    def step(self) -> None:
        """Start the next call when its turn has come; the program ends when the arm rests after the last."""
        while self._lines:
            line = self._lines[0]
            if self._motion.moving and not (isinstance(line, _Call) and line.is_stop):
                return
            self._lines.pop(0)
            if isinstance(line, _Call):
                line.start(self._motion)
                return
            line.run(self._robot, self._variables)
        self.running = self._motion.moving


def _parse(line: str) -> _Call | UrscriptStatement:
    return _Call.parse(line) if _IS_CALL.match(line) else UrscriptStatement(line)


@dataclass(frozen=True)
class _Call:
    name: str
    is_pose: bool
    target: tuple[float, ...]
    speed: float
    acceleration: float

    @property
    def is_stop(self) -> bool:
        return self.name.startswith("stop")

    @classmethod
    def parse(cls, line: str) -> _Call:
        match = _CALL.fullmatch(line)
        if match is None:
            raise ProgramError(f"not emulated: {line.strip()!r}; use movej, movel, stopj, stopl with numbers")
        name, prefix, numbers, rest = match.groups()
        try:
            target = tuple(float(number) for number in numbers.split(",")) if numbers else ()
            arguments = dict(
                _argument(index, text) for index, text in enumerate(filter(None, rest.split(",")))
            )
        except ValueError as error:
            raise ProgramError(f"{line.strip()!r}: {error}") from error
        speed, acceleration = arguments.get("v", _DEFAULTS[name][0]), arguments.get("a", _DEFAULTS[name][1])
        if len(target) != (0 if name.startswith("stop") else 6):
            raise ProgramError(f"{line.strip()!r}: a move takes six numbers in brackets, a stop none")
        if not np.all(np.isfinite((*target, speed, acceleration))):
            raise ProgramError(f"{line.strip()!r}: numbers must be finite")
        if not acceleration > 0 or (target and not speed > 0):
            raise ProgramError(f"{line.strip()!r}: speed and acceleration must be positive")
        return cls(name, prefix == "p", target, speed, acceleration)

    def start(self, motion: ArmMotion) -> None:
        if self.name == "stopj":
            motion.stopj(self.acceleration)
        elif self.name == "stopl":
            motion.stopl(self.acceleration)
        elif self.name == "movej":
            q = motion.inverse(self.target) if self.is_pose else np.array(self.target)
            if q is None:
                raise ProgramError(f"get_inverse_kin: no solution for p{list(self.target)}")
            motion.movej(q, self.speed, self.acceleration)
        else:
            T_base_goal = (
                pose_to_transform(self.target)
                if self.is_pose
                else motion.kinematics.forward(self.target) @ motion.T_flange_tcp
            )
            motion.movel(T_base_goal, self.speed, self.acceleration)


def _argument(index: int, text: str) -> tuple[str, float]:
    """Name and value of one argument after the target; unnamed ones come as a, v, t, r."""
    name, equals, value = text.partition("=")
    return (name.strip(), float(value)) if equals else ("avtr"[index], float(text))
