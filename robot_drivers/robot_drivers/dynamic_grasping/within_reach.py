# SPDX-License-Identifier: Apache-2.0
"""Which grasps may become targets, and whether a predicted one still may: the fingers meet no wall."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import Float64Array, IntpArray
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_tracking.tracking_frame import TrackingFrame
from robot_drivers.dynamic_grasping.catch_config import ServoConfig
from robot_drivers.dynamic_grasping.servo_geometry import fingers_inside
from robot_drivers.executors.grasp_target import R_GRASP_TCP

__all__ = ["WithinReach", "in_reach"]

_TRIED = 12  # of the best grasps: inverse kinematics takes a millisecond or more for each


def in_reach(T_base_target: Float64Array, servo: ServoConfig) -> bool:
    """Whether the open fingers fit between the walls at a tool pose (4, 4)."""
    R_grasp = T_base_target[:3, :3] @ R_GRASP_TCP.T
    return bool(
        fingers_inside(
            T_base_target[None, :3, 3],
            R_grasp[None],
            servo.fingers_m,
            servo.rim_m,
            servo.workspace_min_m,
            servo.workspace_max_m,
        )[0]
    )


@dataclass(frozen=True)
class WithinReach:
    """Selection (see anygrasp_tracking.selection): the best grasp the open fingers fit to, far from walls.

    `passable` tells of a grasp (group of one) whether the arm can go there, and on with what it holds.
    """

    servo: ServoConfig
    count: int = 1
    passable: Callable[[GraspGroup], bool] = lambda grasp: True

    def rank(self, frame: TrackingFrame) -> IntpArray:
        """See Selection."""
        grasps, servo = frame.grasps, self.servo
        tips = grasps.fingertips + servo.reach_beyond_m * grasps.approaches
        tips[:, 2] = np.maximum(tips[:, 2], servo.workspace_min_m[2])
        inset = np.array([servo.selection_margin_m, servo.selection_margin_m, 0.0])
        fits = fingers_inside(
            tips,
            grasps.rotation_matrices,
            servo.fingers_m,
            servo.rim_m,
            servo.workspace_min_m + inset,
            servo.workspace_max_m - inset,
        )
        low, high = np.array(servo.workspace_min_m[:2]), np.array(servo.workspace_max_m[:2])
        from_walls = np.minimum(tips[:, :2] - low, high - tips[:, :2]).min(axis=1)
        scores = grasps.scores + servo.middle_weight * np.clip(from_walls, 0.0, servo.middle_m)
        order = np.argsort(-scores, kind="stable")
        ranked = order[fits[order]]
        for place, index in enumerate(ranked[:_TRIED].tolist()):
            if self.passable(grasps[index]):
                return np.asarray(ranked[place:], dtype=np.intp)
        return np.zeros(0, dtype=np.intp)
