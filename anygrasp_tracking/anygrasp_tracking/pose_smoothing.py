# SPDX-License-Identifier: Apache-2.0
"""Optional smoothing of a followed pose: one-euro filter, or a Kalman filter of constant velocity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.spatial.transform import Rotation

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.se3 import make_transform

__all__ = ["SMOOTHERS", "PoseSmoother", "SmoothingConfig", "create_smoother"]

SMOOTHERS = ("none", "one_euro", "kalman")


@dataclass(frozen=True)
class SmoothingConfig:
    """Which filter, and how strong. Raises ValueError on an unknown name and on values out of range."""

    method: str = "none"  # none, one_euro or kalman
    min_cutoff_hz: float = 0.7  # one-euro: of a pose at rest; lower is smoother
    speed_coefficient: float = 3.0  # one-euro: Hz more for each m/s (or rad/s); higher lags less
    measurement_m: float = 0.004  # Kalman: standard deviation of a measured position
    acceleration_m_s2: float = 0.5  # Kalman: of the target's unknown acceleration

    def __post_init__(self) -> None:
        if self.method not in SMOOTHERS:
            raise ValueError(
                f"SmoothingConfig.method is {self.method!r}; choose one of {', '.join(SMOOTHERS)}"
            )
        for name in ("min_cutoff_hz", "measurement_m", "acceleration_m_s2"):
            if not getattr(self, name) > 0:
                raise ValueError(f"SmoothingConfig.{name} is {getattr(self, name)}; it must be positive")
        if not self.speed_coefficient >= 0:
            raise ValueError(f"SmoothingConfig.speed_coefficient is {self.speed_coefficient}; use 0 or more")


class PoseSmoother(Protocol):
    """Takes the poses (4, 4) of one target at rising times and returns them calmer."""

    def update(self, time_s: float, T: Float64Array) -> Float64Array:
        """Smoothed pose (4, 4) at `time_s`."""
        ...


def create_smoother(config: SmoothingConfig) -> PoseSmoother:
    """The smoother that the config names."""
    if config.method == "one_euro":
        return _OneEuro(config)
    return _Kalman(config) if config.method == "kalman" else _None()


class _None:
    def update(self, time_s: float, T: Float64Array) -> Float64Array:
        return T


class _OneEuro:
    """Low-pass whose cut-off rises with speed (Casiez et al., CHI 2012), for position and rotation."""

    _SPEED_CUTOFF_HZ = 1.0

    def __init__(self, config: SmoothingConfig) -> None:
        self._config = config
        self._time_s = 0.0
        self._T: Float64Array | None = None
        self._velocity = np.zeros(6)  # m/s, rad/s

    def update(self, time_s: float, T: Float64Array) -> Float64Array:
        if self._T is None:
            self._time_s, self._T = time_s, T.copy()
            return T
        step_s = time_s - self._time_s
        turn = Rotation.from_matrix(T[:3, :3] @ self._T[:3, :3].T).as_rotvec()
        change = np.concatenate([T[:3, 3] - self._T[:3, 3], turn])
        self._velocity += _gain(self._SPEED_CUTOFF_HZ, step_s) * (change / step_s - self._velocity)
        gains = []
        for part in (self._velocity[:3], self._velocity[3:]):
            cutoff = self._config.min_cutoff_hz + self._config.speed_coefficient * np.linalg.norm(part)
            gains.append(_gain(float(cutoff), step_s))
        R = Rotation.from_rotvec(gains[1] * turn).as_matrix() @ self._T[:3, :3]
        self._T = make_transform(R, self._T[:3, 3] + gains[0] * change[:3])
        self._time_s = time_s
        return self._T.copy()


class _Kalman:
    """Position with constant velocity; the rotation follows with the gain of the position."""

    def __init__(self, config: SmoothingConfig) -> None:
        self._config = config
        self._time_s = 0.0
        self._R: Float64Array | None = None
        self._state = np.zeros((2, 3))  # position and velocity, one column an axis
        self._covariance = np.zeros((2, 2))  # the same for all axes

    def update(self, time_s: float, T: Float64Array) -> Float64Array:
        noise = self._config.measurement_m**2
        if self._R is None:
            self._time_s, self._R = time_s, T[:3, :3].copy()
            self._state[0] = T[:3, 3]
            self._covariance = np.diag([noise, 0.25])
            return T
        step_s = time_s - self._time_s
        transition = np.array([[1.0, step_s], [0.0, 1.0]])
        push = np.array([step_s**2 / 2, step_s])
        self._state = transition @ self._state
        self._covariance = transition @ self._covariance @ transition.T
        self._covariance += self._config.acceleration_m_s2**2 * np.outer(push, push)
        gain = self._covariance[:, 0] / (self._covariance[0, 0] + noise)
        self._state += np.outer(gain, T[:3, 3] - self._state[0])
        self._covariance -= np.outer(gain, self._covariance[0])
        turn = Rotation.from_matrix(T[:3, :3] @ self._R.T).as_rotvec()
        self._R = Rotation.from_rotvec(float(gain[0]) * turn).as_matrix() @ self._R
        self._time_s = time_s
        return make_transform(self._R, self._state[0])


def _gain(cutoff_hz: float, step_s: float) -> float:
    """Weight of a new value in a first-order low-pass."""
    return 1.0 / (1.0 + 1.0 / (2.0 * math.pi * cutoff_hz * step_s))
