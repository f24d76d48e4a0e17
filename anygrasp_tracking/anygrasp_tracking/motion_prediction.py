# SPDX-License-Identifier: Apache-2.0
"""Where a followed grasp will be: its last pose plus the momentum of the poses before (paper V-B)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.grasp import HALF_TURN_X
from anygrasp_perception.se3 import check_transform, rotation_angle
from anygrasp_tracking.robust_momentum import Momentum, fit_momentum

__all__ = ["MotionConfig", "MotionPredictor"]


@dataclass(frozen=True)
class MotionConfig:
    """How the momentum is taken from the buffer. Raises ValueError on values out of range."""

    buffer: int = 10  # poses remembered (paper V-B)
    memory_s: float = 0.6  # motion this long ago counts 1/e as much: objects change their speed
    max_gap_s: float = 1.0  # a longer pause between two poses empties the buffer
    outlier_m: float = 0.03  # a newest pose further than this from its expectation is not believed ...
    outlier_rad: float = 0.6  # ... nor one turned by more, until a second one agrees with it
    max_speed_m_s: float = 0.5  # faster momentum is cut down to it
    max_turn_rate_rad_s: float = 3.0  # likewise

    def __post_init__(self) -> None:
        if self.buffer < 2:
            raise ValueError(f"MotionConfig.buffer is {self.buffer}; momentum takes at least 2 poses")
        for name in (
            "memory_s",
            "max_gap_s",
            "outlier_m",
            "outlier_rad",
            "max_speed_m_s",
            "max_turn_rate_rad_s",
        ):
            if not getattr(self, name) > 0:
                raise ValueError(f"MotionConfig.{name} is {getattr(self, name)}; it must be positive")


class MotionPredictor:
    """Buffer of stamped poses (4, 4) of one grasp in a frame that stands still; metres, seconds.

    One wrong pose among right ones changes nothing; frame times may be uneven.
    """

    def __init__(self, config: MotionConfig | None = None) -> None:
        self.config = config or MotionConfig()
        self._times: deque[float] = deque(maxlen=self.config.buffer)
        self._poses: deque[Float64Array] = deque(maxlen=self.config.buffer)
        self._momentum: Momentum | None = None

    def __len__(self) -> int:
        return len(self._times)

    @property
    def last_time_s(self) -> float | None:
        """Stamp of the newest pose; None when empty."""
        return self._times[-1] if self._times else None

    @property
    def last_pose(self) -> Float64Array:
        """T_fixed_grasp (4, 4) added last, turned as it is remembered.

        Raises:
            ValueError: the buffer is empty.
        """
        if not self._poses:
            raise ValueError("no pose yet: add one first")
        return self._poses[-1].copy()

    def clear(self) -> None:
        """Forget all poses."""
        self._times.clear()
        self._poses.clear()
        self._momentum = None

    def add(self, time_s: float, T_fixed_grasp: Float64Array) -> None:
        """Remember a pose; after a pause longer than `max_gap_s` only this one.

        A grasp and its half turn about the approach are the same: the one nearer to the pose before is kept.

        Raises:
            ValueError: not a rigid transform, or not later than the pose before.
        """
        T = check_transform(T_fixed_grasp, "T_fixed_grasp").copy()
        if not np.isfinite(time_s):
            raise ValueError(f"time_s is {time_s}; give a finite stamp in seconds")
        if self._times:
            if time_s <= self._times[-1]:
                raise ValueError(
                    f"pose at {time_s:.3f} s is not later than the last one, {self._times[-1]:.3f} s: drop it"
                )
            if time_s - self._times[-1] > self.config.max_gap_s:
                self.clear()
        if self._poses:
            turned = T[:3, :3] @ HALF_TURN_X
            before = self._poses[-1][:3, :3]
            if rotation_angle(before, turned) < rotation_angle(before, T[:3, :3]):
                T[:3, :3] = turned
        self._times.append(float(time_s))
        self._poses.append(T)
        self._momentum = None

    def predict(self, time_s: float) -> Float64Array:
        """T_fixed_grasp (4, 4) at `time_s`, as if the momentum went on.

        Raises:
            ValueError: the buffer is empty, or `time_s` lies before the newest pose.
        """
        if not self._times:
            raise ValueError("no pose to predict from: add one first")
        ahead_s = time_s - self._times[-1]
        if not ahead_s >= 0:
            raise ValueError(f"cannot predict {time_s:.3f} s from a pose at {self._times[-1]:.3f} s")
        momentum = self._fitted()
        anchor = self._poses[-1]
        if self._newest_is_outlier():
            # Extrapolated over it from the poses before, as if it had not been seen.
            momentum, anchor = self._fit(-1), self._poses[-2]
            ahead_s = time_s - self._times[-2]
        T = np.eye(4)
        turn = Rotation.from_rotvec(momentum.turn_rate_rad_s * ahead_s).as_matrix()
        T[:3, :3] = turn @ anchor[:3, :3]
        T[:3, 3] = anchor[:3, 3] + momentum.travel(ahead_s)
        return T

    @property
    def velocity_m_s(self) -> Float64Array:
        """(3,) of the translation at the newest pose; zero with fewer than two poses."""
        return self._fitted().velocity_m_s.copy()

    @property
    def turn_rate_rad_s(self) -> Float64Array:
        """(3,) rotation vector a second, fixed frame; zero with fewer than two poses."""
        return self._fitted().turn_rate_rad_s.copy()

    def _fitted(self) -> Momentum:
        if self._momentum is None:
            self._momentum = self._fit(None)
        return self._momentum

    def _fit(self, end: int | None) -> Momentum:
        times, poses = np.array(self._times)[:end], list(self._poses)[:end]
        momentum = fit_momentum(times, np.array(poses).reshape(-1, 4, 4), self.config.memory_s)
        return momentum.limited(self.config.max_speed_m_s, self.config.max_turn_rate_rad_s)

    def _newest_is_outlier(self) -> bool:
        """Neither where the pose before leads to, as on a new course, nor where the one before that does."""
        if len(self._times) < 4:
            return False
        momentum = self._fit(-1)
        return self._departs(-2, momentum) and self._departs(-3, momentum)

    def _departs(self, start: int, momentum: Momentum) -> bool:
        step_s = self._times[-1] - self._times[start]
        expected = self._poses[start][:3, 3] + momentum.travel(step_s)
        turn = Rotation.from_rotvec(momentum.turn_rate_rad_s * step_s).as_matrix()
        angle = rotation_angle(turn @ self._poses[start][:3, :3], self._poses[-1][:3, :3])
        far = np.linalg.norm(self._poses[-1][:3, 3] - expected) > self.config.outlier_m
        return bool(far or angle > self.config.outlier_rad)
