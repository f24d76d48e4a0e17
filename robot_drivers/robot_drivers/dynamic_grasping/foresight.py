# SPDX-License-Identifier: Apache-2.0
"""Whether predictions of a while ago came true: what cannot be foreseen is not worth a grasp."""

from __future__ import annotations

from collections import deque

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.grasp import HALF_TURN_X
from anygrasp_perception.se3 import rotation_angle
from robot_drivers.dynamic_grasping.catch_config import ServoConfig

__all__ = ["Foresight"]

_KEPT = 30
_LATE_S = 0.1  # a prediction for a moment this near is one for now


class Foresight:
    """Remembers predicted poses (4, 4) of one target, and compares them with what is seen in time."""

    def __init__(self, config: ServoConfig) -> None:
        self._config = config
        self._foreseen: deque[tuple[float, Float64Array]] = deque(maxlen=_KEPT)

    def clear(self) -> None:
        """Another target."""
        self._foreseen.clear()

    def note(self, time_s: float, T_base_grasp: Float64Array) -> None:
        """It was foreseen to be there (4, 4) at that time."""
        self._foreseen.append((time_s, T_base_grasp))

    def came_true(self, time_s: float, T_base_grasp: Float64Array) -> bool:
        """Whether it is (4, 4) about where it was foreseen for now; False while nothing was."""
        config = self._config
        if config.proof_s == 0:
            return True
        near = [entry for entry in self._foreseen if abs(entry[0] - time_s) <= _LATE_S]
        if not near:
            return False
        _, T_foreseen = min(near, key=lambda entry: abs(entry[0] - time_s))
        shift_m = float(np.linalg.norm(T_base_grasp[:3, 3] - T_foreseen[:3, 3]))
        turns = [T_foreseen[:3, :3], T_foreseen[:3, :3] @ HALF_TURN_X]
        turn_rad = min(float(rotation_angle(R, T_base_grasp[:3, :3])) for R in turns)
        return shift_m <= config.max_surprise_m and turn_rad <= config.max_surprise_rad
