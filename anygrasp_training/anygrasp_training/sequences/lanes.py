# SPDX-License-Identifier: Apache-2.0
"""Smooth paths side by side: each body keeps to its lane, so that none runs into another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.se3 import make_transform

__all__ = ["LanePath", "draw_lane_paths"]

_KNOT_INTERVAL_S = 0.8
_REACH_M = 0.22  # along the lane, to both sides of the origin
_SWERVE_M = 0.012  # across it
_GAP_M = 0.01


@dataclass(frozen=True, eq=False)
class LanePath:
    """Position (x, y), height and heading over time, twice continuously differentiable."""

    place: CubicSpline  # s -> x, y, z in metres
    turn: CubicSpline  # s -> yaw in radians beside that of the lane
    follows_path: bool  # heads where it goes, as a fish does
    R_scene_lane: Float64Array  # (3, 3)

    def velocity(self, time_s: float) -> Float64Array:
        """(3,) metres a second, scene frame."""
        return np.asarray(self.R_scene_lane @ self.place(time_s, 1))

    def pose(self, time_s: float) -> Float64Array:
        """T_scene_body (4, 4) of a body that stands upright with its front along x."""
        yaw = float(self.turn(time_s))
        if self.follows_path:
            vx, vy, _ = self.place(time_s, 1)
            yaw = float(np.arctan2(vy, vx))
        cos, sin = np.cos(yaw), np.sin(yaw)
        turned = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]])
        return make_transform(self.R_scene_lane @ turned, self.R_scene_lane @ self.place(time_s))


def draw_lane_paths(
    half_widths_m: Sequence[float],
    duration_s: float,
    max_speed_m_s: float,
    rng: np.random.Generator,
    *,
    follows_path: bool = False,
    max_height_m: float = 0.0,
) -> list[LanePath]:
    """Draw one path for each body, given how far it reaches to either side of its lane.

    Bodies that follow their path go steadily one way; others go to and fro, turn, and rise up to
    `max_height_m`. Lanes lie around the origin in a random direction.
    Raises ValueError on a duration or speed that is not positive.
    """
    if not duration_s > 0 or not max_speed_m_s > 0:
        raise ValueError(f"need duration_s > 0 and max_speed_m_s > 0, got {duration_s} and {max_speed_m_s}")
    spans = 2 * (np.asarray(half_widths_m, dtype=np.float64) + _SWERVE_M) + _GAP_M
    centers = np.cumsum(spans) - spans / 2 - spans.sum() / 2
    azimuth = rng.uniform(0, 2 * np.pi)
    cos, sin = np.cos(azimuth), np.sin(azimuth)
    R_scene_lane = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]])
    knots = np.linspace(0, duration_s, max(4, int(np.ceil(duration_s / _KNOT_INTERVAL_S)) + 1))
    step = np.diff(knots)[0]
    paths = []
    for center in centers:
        if follows_path:
            speeds = rng.uniform(0.4, 0.8, size=len(knots)) * max_speed_m_s
            along = np.concatenate([[0.0], np.cumsum(speeds[1:] * step)])
            along -= along[-1] / 2
        else:
            # Steps of at most half the speed: a spline overshoots between its knots.
            along = np.cumsum(rng.uniform(-0.5, 0.5, size=len(knots))) * max_speed_m_s * step
            along = np.clip(along + rng.uniform(-0.1, 0.1), -_REACH_M, _REACH_M)
        across = center + rng.uniform(-0.6, 0.6, size=len(knots)) * _SWERVE_M
        up = rng.uniform(0, max_height_m, size=len(knots))
        turn = rng.uniform(-np.pi, np.pi) + np.cumsum(rng.uniform(-0.5, 0.5, size=len(knots)))
        place = CubicSpline(knots, np.stack([along, across, up], axis=-1), bc_type="natural")
        paths.append(LanePath(place, CubicSpline(knots, turn, bc_type="natural"), follows_path, R_scene_lane))
    return paths
