# SPDX-License-Identifier: Apache-2.0
"""Random motion of a scene before the camera (paper IV-C)."""

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_training.training.geometry_config import AugmentationConfig

__all__ = ["draw_motion"]


def draw_motion(config: AugmentationConfig, rng: np.random.Generator) -> Float64Array:
    """Draw a flip, turn and shift (4, 4), to be applied to points in the camera frame.

    A flip has determinant -1: what it is applied to is no rigid transform any more.
    """
    angle = rng.uniform(-config.max_turn_rad, config.max_turn_rad)
    motion = np.eye(4)
    motion[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    motion[:3, 3] = rng.uniform(config.shift_min_m, config.shift_max_m)
    if rng.random() < config.flip_probability:
        motion[:, 0] *= -1
    return motion
