# SPDX-License-Identifier: Apache-2.0
"""Ways to say which grasps of a frame are to be followed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from anygrasp_perception.arrays import BoolArray, Float64Array, IntpArray, check_vector
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.nms import symmetric_rotation_angle
from anygrasp_perception.se3 import check_transform, inverse, transform_points
from anygrasp_tracking.tracking_frame import TrackingFrame

__all__ = ["Best", "InRegion", "NearestTo", "NoGrasps", "OnMask", "Selection", "spread_out"]


class NoGrasps(ValueError):
    """Nothing to follow: no grasp of the last frame fits the selection; the message says why."""


class Selection(Protocol):
    """Ranks the grasps of a frame; the first that are far enough from each other become targets."""

    @property
    def count(self) -> int:
        """How many targets at most."""
        ...

    def rank(self, frame: TrackingFrame) -> IntpArray:
        """Indices of the grasps that fit, the most wanted first; empty when none does."""
        ...


@dataclass(frozen=True)
class Best:
    """The highest scores. Raises ValueError on a count below 1."""

    count: int = 1

    def __post_init__(self) -> None:
        _check_count(self.count)

    def rank(self, frame: TrackingFrame) -> IntpArray:
        """See Selection."""
        return _by_score(frame.grasps, np.ones(len(frame.grasps), dtype=bool))


@dataclass(frozen=True, eq=False)
class InRegion:
    """The best with their centre in a box, metres. Raises ValueError on an empty box or a bad transform."""

    lower: Float64Array  # (3,) corner, box frame
    upper: Float64Array  # (3,) opposite corner
    T_box_fixed: Float64Array = field(default_factory=lambda: np.eye(4))
    count: int = 1

    def __post_init__(self) -> None:
        _check_count(self.count)
        if (check_vector(self.lower, "lower") > check_vector(self.upper, "upper")).any():
            raise ValueError(f"region {self.lower} to {self.upper} is empty: give lower <= upper")
        check_transform(self.T_box_fixed, "T_box_fixed")

    def rank(self, frame: TrackingFrame) -> IntpArray:
        """See Selection."""
        inside = frame.grasps.in_box_mask(self.lower, self.upper, self.T_box_fixed)
        return _by_score(frame.grasps, inside)


@dataclass(frozen=True, eq=False)
class OnMask:
    """The best whose centre projects onto a mask of the image. Raises ValueError where they do not fit."""

    mask: BoolArray  # (H, W)
    intrinsics: CameraIntrinsics
    count: int = 1

    def __post_init__(self) -> None:
        _check_count(self.count)
        size = (self.intrinsics.height, self.intrinsics.width)
        if self.mask.shape != size or self.mask.dtype != np.bool_:
            raise ValueError(
                f"mask is {self.mask.shape} {self.mask.dtype}; the intrinsics ask for {size} bool"
            )

    def rank(self, frame: TrackingFrame) -> IntpArray:
        """See Selection."""
        p_camera = transform_points(inverse(frame.T_fixed_camera), frame.grasps.translations)
        pixels = self.intrinsics.project(p_camera)
        seen = np.asarray(np.isfinite(pixels).all(axis=1))
        column, row = np.rint(np.where(seen[:, None], pixels, -1.0)).astype(int).T
        seen &= (column >= 0) & (column < self.intrinsics.width) & (row >= 0) & (row < self.intrinsics.height)
        on_mask = seen.copy()
        on_mask[seen] = self.mask[row[seen], column[seen]]
        return _by_score(frame.grasps, on_mask)


@dataclass(frozen=True, eq=False)
class NearestTo:
    """Those nearest to a pose, a radian counting as `metres_per_rad`. Raises ValueError on no pose."""

    T_fixed_pose: Float64Array  # (4, 4) of a grasp frame
    count: int = 1
    metres_per_rad: float = 0.02

    def __post_init__(self) -> None:
        _check_count(self.count)
        check_transform(self.T_fixed_pose, "T_fixed_pose")

    def rank(self, frame: TrackingFrame) -> IntpArray:
        """See Selection."""
        shift = np.linalg.norm(frame.grasps.translations - self.T_fixed_pose[:3, 3], axis=1)
        turn = symmetric_rotation_angle(self.T_fixed_pose[None, :3, :3], frame.grasps.rotation_matrices)
        return np.argsort(shift + self.metres_per_rad * turn, kind="stable")


def spread_out(grasps: GraspGroup, ranked: IntpArray, count: int, apart_m: float) -> list[int]:
    """The first `count` of the ranked whose centres lie `apart_m` or more from each other."""
    chosen: list[int] = []
    for index in ranked:
        offsets = grasps.translations[chosen] - grasps.translations[index]
        if np.all(np.linalg.norm(offsets, axis=1) >= apart_m):
            chosen.append(int(index))
        if len(chosen) == count:
            break
    return chosen


def _by_score(grasps: GraspGroup, fits: BoolArray) -> IntpArray:
    order = np.argsort(-grasps.scores, kind="stable")
    return np.asarray(order[fits[order]], dtype=np.intp)


def _check_count(count: int) -> None:
    if count < 1:
        raise ValueError(f"count is {count}; follow at least 1 target")
