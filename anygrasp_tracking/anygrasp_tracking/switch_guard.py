# SPDX-License-Identifier: Apache-2.0
"""Guard against the correspondence switch between two close and similar objects (paper VI-B)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import BoolArray, Float64Array

__all__ = ["SwitchGuardConfig", "guard_switch"]


@dataclass(frozen=True)
class SwitchGuardConfig:
    """When a correspondence is held against the motion. Raises ValueError on values out of range."""

    jump_m: float = 0.025  # further than this from where the motion leads is a jump
    margin: float = 0.15  # grasps whose correspondence is this near to the best's are its rivals
    same_place_m: float = 0.025  # rivals so near to the best are on the same object as it
    # Once the motion is known a target is looked for this far from where it leads, and so much further for
    # each second that it was not seen: of what is further away another object is the better explanation.
    reach_m: float = 0.10
    reach_speed_m_s: float = 0.15
    min_poses: int = 3  # no motion is known before

    def __post_init__(self) -> None:
        for name in ("jump_m", "margin", "same_place_m", "reach_m", "reach_speed_m_s"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"SwitchGuardConfig.{name} is {getattr(self, name)}; use 0 or more")
        if self.min_poses < 1:
            raise ValueError(f"SwitchGuardConfig.min_poses is {self.min_poses}; use 1 or more")


def guard_switch(
    feasible: BoolArray,
    correspondence: Float64Array,
    shift_m: Float64Array,
    positions: Float64Array,
    pose_count: int,
    config: SwitchGuardConfig,
) -> BoolArray:
    """Return which of the feasible grasps (N,) may be taken, given how far each is from the expectation.

    A best grasp that would be a jump is taken only where nothing else is nearly as good. With rivals where
    the motion leads, those are the choice; with rivals elsewhere there is none, and the target counts as
    not seen in this frame: waiting costs less than a wrong object in the motion buffer.
    """
    if pose_count < config.min_poses or not feasible.any():
        return feasible
    best = int(np.argmax(np.where(feasible, correspondence, -np.inf)))
    if shift_m[best] <= config.jump_m:
        return feasible
    rivals = feasible & (correspondence >= correspondence[best] - config.margin)
    expected = rivals & (shift_m <= config.jump_m)
    if expected.any():
        return np.asarray(expected)
    elsewhere = np.linalg.norm(positions - positions[best], axis=1) > config.same_place_m
    return np.zeros_like(feasible) if (rivals & elsewhere).any() else feasible
