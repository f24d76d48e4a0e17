# SPDX-License-Identifier: Apache-2.0
"""Plain URScript programs: movej, movel, stopj and stopl with literal arguments, one after the other."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from anygrasp_sim.emulators.arm_motion import ArmMotion
from anygrasp_sim.emulators.rotation_vector import pose_to_transform
from anygrasp_sim.emulators.ur_robot import ProgramError, UrRobot

__all__ = ["UrscriptProgram"]

# Default speed and acceleration (for stops the deceleration) of the URScript manual.
_DEFAULTS = {"movej": (1.05, 1.4), "movel": (0.25, 1.2), "stopj": (0.0, 2.0), "stopl": (0.0, 2.0)}

_CALL = re.compile(r"\s*(movej|movel|stopj|stopl)\s*\(\s*(?:(p?)\[([^\]]*)\])?\s*,?([^\])]*)\)\s*")
_IGNORED = re.compile(r"\s*((def\s.*:|end)|textmsg\(.*\))?\s*")


class UrscriptProgram:
    """The calls of a program; a move waits until the arm rests, a stop does not.

    Raises:
        ProgramError: a line that is not one of the four calls with literal numbers.
    """

    def __init__(self, robot: UrRobot, source: str) -> None:
        self.running = True
        self._motion = robot.motion
        lines = [line.split("#")[0] for line in source.splitlines()]
        self._calls = [_Call.parse(line) for line in lines if not _IGNORED.fullmatch(line)]

    def step(self) -> None:
        """Start the next call when its turn has come; the program ends when the arm rests after the last."""
        if self._calls and (self._calls[0].is_stop or not self._motion.moving):
            self._calls.pop(0).start(self._motion)
        elif not self._calls and not self._motion.moving:
            self.running = False


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
