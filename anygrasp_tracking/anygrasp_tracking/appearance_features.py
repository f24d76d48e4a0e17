# SPDX-License-Identifier: Apache-2.0
"""Hand-made grasp features, for the `association` policy without trained weights."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial import cKDTree

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.se3 import transform_points
from anygrasp_tracking.tracking_frame import TrackingFrame

__all__ = ["AppearanceFeatures", "AppearanceFeaturesConfig"]


@dataclass(frozen=True)
class AppearanceFeaturesConfig:
    """How alike two grasps are: 1 / e^0.5 less at each of these differences. All must be positive."""

    position_m: float = 0.05
    axis: float = 0.7  # of the closing direction's outer product
    color: float = 0.10  # of mean RGB in [0, 1]
    width_m: float = 0.02
    grasp_radius_m: float = 0.03  # around the grasp centre whose points give the colour
    waves: int = 64  # features for each of the four; more are more exact

    def __post_init__(self) -> None:
        for name in ("position_m", "axis", "color", "width_m", "grasp_radius_m", "waves"):
            if not getattr(self, name) > 0:
                raise ValueError(
                    f"AppearanceFeaturesConfig.{name} is {getattr(self, name)}; it must be positive"
                )


@dataclass(frozen=True)
class AppearanceFeatures:
    """Position, closing direction, colour and width as features whose cosine is a mean of Gaussian kernels.

    By random Fourier features (Rahimi and Recht, 2007): the cosine of two grasps falls from 1 with each of
    their differences. No learning: a stand-in for the association network, and its lower bar.
    """

    config: AppearanceFeaturesConfig = field(default_factory=AppearanceFeaturesConfig)

    def __call__(self, frame: TrackingFrame) -> Float64Array:
        """Features (N, 4 x 2 x waves) of the frame's grasps."""
        config, grasps = self.config, frame.grasps
        y = grasps.closing_directions
        # The outer product is the same for a grasp and its half turn.
        axes = (y[:, :, None] * y[:, None, :]).reshape(-1, 9)
        parts = (
            (grasps.translations, config.position_m),
            (axes, config.axis),
            (self._colors(frame), config.color),
            (grasps.widths[:, None], config.width_m),
        )
        rng = np.random.default_rng(0)  # the same waves in every frame
        return np.concatenate([_waves(values / scale, config.waves, rng) for values, scale in parts], axis=1)

    def _colors(self, frame: TrackingFrame) -> Float64Array:
        """Mean colour (N, 3) of the points about each grasp; grey where there is none."""
        colors = np.full((len(frame.grasps), 3), 0.5)
        cloud = frame.cloud
        if cloud is None or cloud.colors is None or len(cloud) == 0:
            return colors
        tree = cKDTree(transform_points(frame.T_fixed_camera, cloud.points))
        near = tree.query_ball_point(frame.grasps.translations, self.config.grasp_radius_m)
        for row, members in enumerate(near):
            if members:
                colors[row] = cloud.colors[members].mean(axis=0)
        return colors


def _waves(values: Float64Array, count: int, rng: np.random.Generator) -> Float64Array:
    """Features (N, 2 x count) of unit length whose inner product nears exp(-|difference|^2 / 2)."""
    phase = values @ rng.normal(size=(values.shape[1], count))
    return np.concatenate([np.cos(phase), np.sin(phase)], axis=1) / math.sqrt(count)
