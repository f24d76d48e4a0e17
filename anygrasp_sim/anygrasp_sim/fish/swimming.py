# SPDX-License-Identifier: Apache-2.0
"""Where the fish want to go: they wander, change their speed, and turn away from walls and each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_sim.fish.fish_cell_config import FishCellConfig
from anygrasp_sim.fish.fish_kinds import FishKind

__all__ = ["Course", "Swimming"]

_TURN_AWAY_RAD_S = 1.6
_SPEED_TIME_S = 0.6  # in which a fish takes on a new speed
_NEIGHBOUR_M = 0.11  # nearer than this ahead, another fish is turned away from


@dataclass(frozen=True, eq=False)
class Course:
    """What each of N fish wants."""

    speed_m_s: Float64Array  # (N,) along its body
    turn_rad_s: Float64Array  # (N,) to the left
    height_m: Float64Array  # (N,) of its middle, base frame


class Swimming:
    """Draws the course of all fish, step by step; a seed fixes it as far as the fish swim alike."""

    def __init__(self, kinds: Sequence[FishKind], config: FishCellConfig, rng: np.random.Generator) -> None:
        self._config = config
        self._rng = rng
        count = len(kinds)
        self._half_length = np.array([kind.length_m for kind in kinds]) / 2
        self._slow, self._fast = np.array([kind.speed_m_s for kind in kinds]).T * config.fish.speed_factor
        self._wanted = rng.uniform(self._slow, self._fast)
        self._speed = self._wanted.copy()
        self._until_change_s = rng.uniform(0, config.fish.speed_change_s[1], count)
        self._wander = np.zeros(count)
        low, high = config.fish.depth_m
        self._height = config.water.level_m - rng.uniform(low, high, count)

    @property
    def pace(self) -> Float64Array:
        """(N,) present speed as a share of each fish's fastest."""
        return np.asarray(self._speed / self._fast)

    def advance(self, positions: Float64Array, headings: Float64Array, dt_s: float) -> Course:
        """The course after `dt_s`, given where the fish are (N, 2) and head to (N,), radians."""
        fish = self._config.fish
        self._until_change_s -= dt_s
        changing = self._until_change_s <= 0
        draws = self._rng.uniform(self._slow, self._fast)
        waits = self._rng.uniform(*fish.speed_change_s, len(draws))
        self._wanted = np.where(changing, draws, self._wanted)
        self._until_change_s = np.where(changing, waits, self._until_change_s)
        self._speed += (self._wanted - self._speed) * min(1.0, dt_s / _SPEED_TIME_S)
        # An Ornstein-Uhlenbeck process: turns come and go.
        fade = np.exp(-dt_s / fish.wander_time_s)
        kick = fish.wander_rad_s * np.sqrt(1 - fade**2)
        self._wander = fade * self._wander + kick * self._rng.standard_normal(len(self._wander))
        away = self._from_walls(positions, headings)
        away = np.where(away != 0, away, self._from_others(positions, headings))
        turn = np.where(away != 0, away, self._wander)
        return Course(self._speed.copy(), turn, self._height)

    def _from_walls(self, positions: Float64Array, headings: Float64Array) -> Float64Array:
        """Turn (N,) towards the middle for those whose nose comes near a wall; 0 for the others."""
        config = self._config
        forward = np.stack([np.cos(headings), np.sin(headings)], axis=1)
        reach = self._half_length + config.fish.avoid_distance_m
        half = np.array(config.tank_inner_size_m) / 2
        center = np.array(config.tank_center_m)
        ahead = positions + forward * reach[:, None] - center
        beyond = np.abs(ahead) - half
        inward = center - positions
        side = forward[:, 0] * inward[:, 1] - forward[:, 1] * inward[:, 0]
        urgency = np.clip(beyond.max(axis=1) / config.fish.avoid_distance_m + 0.4, 0.4, 1.0)
        turn = np.where(side >= 0, 1.0, -1.0) * _TURN_AWAY_RAD_S * urgency
        return np.where((beyond > 0).any(axis=1), turn, 0.0)

    def _from_others(self, positions: Float64Array, headings: Float64Array) -> Float64Array:
        """Turn (N,) away from the nearest fish ahead; 0 where none is near."""
        offsets = positions[None] - positions[:, None]
        distance = np.linalg.norm(offsets, axis=2)
        np.fill_diagonal(distance, np.inf)
        forward = np.stack([np.cos(headings), np.sin(headings)], axis=1)
        ahead = np.einsum("ni,nmi->nm", forward, offsets)
        distance = np.where(ahead > 0, distance, np.inf)
        nearest = np.argmin(distance, axis=1)
        rows = np.arange(len(positions))
        near = distance[rows, nearest] < _NEIGHBOUR_M
        offset = offsets[rows, nearest]
        side = forward[:, 0] * offset[:, 1] - forward[:, 1] * offset[:, 0]
        return np.where(near, np.where(side >= 0, -1.0, 1.0) * 0.6 * _TURN_AWAY_RAD_S, 0.0)
