# SPDX-License-Identifier: Apache-2.0
"""Which of the perceived grasps to execute, and why the better ones were refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from anygrasp_perception.grasp_group import GraspGroup
from robot_drivers.arms.arm import Arm
from robot_drivers.executors.failure_memory import FailureMemory
from robot_drivers.executors.grasp_target import GraspTarget, TargetConfig, aim_grasp
from robot_drivers.executors.pick_errors import PickFailed
from robot_drivers.safety import SafetyLimits

__all__ = ["FAILED_BEFORE", "Selection", "select_grasp"]

FAILED_BEFORE = "FAILED_BEFORE"  # refused because it failed too often at this place


@dataclass(frozen=True, eq=False)
class Selection:
    """The chosen grasp, if any, and the refused ones by reason.

    A grasp that scores lower than the chosen one is neither chosen nor refused: nobody looked at it.
    """

    target: GraspTarget | None
    index: int  # of the chosen grasp in the perceived group; -1: none
    perceived: int
    refused: Counter[str]

    def summary(self) -> str:
        """One line, as "12 perceived: 7 OUTSIDE_WORKSPACE, 5 TILT_TOO_LARGE"."""
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.refused.most_common())
        return f"{self.perceived} perceived" + (f": {reasons}" if reasons else "")


def select_grasp(
    grasps: GraspGroup, arm: Arm, limits: SafetyLimits, config: TargetConfig, memory: FailureMemory
) -> Selection:
    """The best grasp, base frame, that is inside the limits and within reach (paper V-B).

    Best is the highest score, lowered by each remembered failure at the grasp's place.

    Raises:
        ArmError: the arm does not answer.
    """
    failures = memory.failures(grasps)
    ranks = grasps.scores * memory.config.score_factor**failures
    refused: Counter[str] = Counter()
    for index in np.argsort(-ranks, kind="stable"):
        if failures[index] >= memory.config.max_failures:
            refused[FAILED_BEFORE] += 1
            continue
        try:
            target = aim_grasp(grasps[int(index)], arm, limits, config)
        except PickFailed as refusal:
            refused[refusal.code.value] += 1
            continue
        return Selection(target, int(index), len(grasps), refused)
    return Selection(None, -1, len(grasps), refused)
