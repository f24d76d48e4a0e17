# SPDX-License-Identifier: Apache-2.0
"""How a grasp is carried out in physics, and what came of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

__all__ = ["FRICTION", "TrialConfig", "TrialResult"]

# Midway between 0.4, which must hold, and 0.9, which must not, and between the values that Menagerie gives
# the pads of the 2F-85, 0.6 and 0.7.
FRICTION = 0.65


@dataclass(frozen=True)
class TrialConfig:
    """How a grasp is carried out."""

    friction: float = FRICTION  # coefficient of every contact
    force: float = 0.5  # share of the gripper's range
    speed: float = 0.2  # share of the gripper's range
    clearance_m: float = 0.005  # a side, that labels add to the opening (LabelConfig.clearance_m)
    approach_m: float = 0.08
    lift_m: float = 0.25
    hold_s: float = 2.0
    shake_s: float = 1.5
    shake_m: float = 0.03  # amplitude, in a random direction at 2 Hz
    max_tilt_rad: float = math.radians(25)  # of the approach from plumb, as the robots are limited to
    # Until it is released the object is held fast, as labels suppose: it cannot turn nor give way to the
    # side, or it would roll into the fingers' grip and the trial be of another grasp than the label's. Along
    # the closing direction it gives way, since both fingers move alike and the first pushes it to the other.
    support_n_s_m: float = 10_000.0  # across the closing direction
    support_closing_n_s_m: float = 200.0
    support_nm_s_rad: float = 100.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0.0 <= value < math.inf:
                raise ValueError(f"TrialConfig.{field.name} is {value}; use a finite number, 0 or more")
        for name in ("force", "speed"):
            if getattr(self, name) > 1.0:
                raise ValueError(f"TrialConfig.{name} is {getattr(self, name)}; it is a share, 1 at most")


@dataclass(frozen=True)
class TrialResult:
    """What became of the object while the fingers closed, and from then to the end of the shake."""

    held: bool
    rolled_rad: float  # how far the object turned while the fingers closed on it
    slip_m: float  # of its centre of mass in the hand, infinite where it was dropped
    turn_rad: float  # in the hand, infinite where it was dropped
