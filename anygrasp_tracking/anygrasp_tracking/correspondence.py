# SPDX-License-Identifier: Apache-2.0
"""Which grasp of a new frame is that of the last one: by learned features, or simply the nearest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.grasp import LABEL_MAX_WIDTH_M
from anygrasp_perception.nms import symmetric_rotation_angle
from anygrasp_tracking.tracking_frame import TrackingFrame

ROTATION_WEIGHT = 0.1  # gamma of Eq. 5

__all__ = ["ROTATION_WEIGHT", "AssociationPolicy", "CorrespondencePolicy", "GraspFeatures", "NearestPolicy"]

GraspFeatures = Callable[[TrackingFrame], NDArray[Any]]  # one row (D,) for each grasp of the frame


class CorrespondencePolicy(Protocol):
    """Describes grasps, and compares descriptions of two frames."""

    @property
    def name(self) -> str:
        """For reports."""
        ...

    @property
    def guarded(self) -> bool:
        """Whether the tracker may overrule it where the motion speaks against it."""
        ...

    def describe(self, frame: TrackingFrame) -> Float64Array:
        """What is remembered of each grasp (N, D)."""
        ...

    def correspond(self, remembered: Float64Array, described: Float64Array) -> Float64Array:
        """Correspondence (N,) in [-1, 1], higher is better, of a remembered grasp (D,) with others (N, D)."""
        ...

    def remember(self, remembered: Float64Array, found: Float64Array) -> Float64Array:
        """What is remembered (D,) of a grasp once it was found again under another description (D,)."""
        ...


class AssociationPolicy:
    """Cosine between the features of a network or of any other function (paper IV-B.2).

    Args:
        features: gives the features (N, D) of a frame's N grasps.
        guarded: let the tracker hold the answer against the motion so far.
        name: of the policy in reports.
        memory: share of the older features that is kept when a grasp is found again, in [0, 1). The paper
            keeps none; with some, one poor match does not become what is looked for.
    """

    def __init__(
        self,
        features: GraspFeatures,
        guarded: bool = True,
        name: str = "association",
        memory: float = 0.0,
    ) -> None:
        """Raises ValueError on a memory out of range."""
        if not 0 <= memory < 1:
            raise ValueError(f"memory is {memory}; use 0 up to below 1")
        self._features = features
        self.guarded = guarded
        self.name = name
        self.memory = memory

    def describe(self, frame: TrackingFrame) -> Float64Array:
        """See CorrespondencePolicy; rows have unit length.

        Raises:
            ValueError: the function gave another number of rows, or values that are not finite.
        """
        features = np.asarray(self._features(frame), dtype=np.float64)
        if features.ndim != 2 or len(features) != len(frame.grasps):
            raise ValueError(
                f"features have shape {features.shape} for {len(frame.grasps)} grasps: give one row for each"
            )
        if not np.isfinite(features).all():
            raise ValueError("features have NaN or infinite values: check the cloud and the weights")
        return np.asarray(features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12))

    def correspond(self, remembered: Float64Array, described: Float64Array) -> Float64Array:
        """See CorrespondencePolicy."""
        return np.asarray(np.clip(described @ remembered, -1.0, 1.0))

    def remember(self, remembered: Float64Array, found: Float64Array) -> Float64Array:
        """See CorrespondencePolicy; of unit length."""
        mixed = self.memory * remembered + (1 - self.memory) * found
        return np.asarray(mixed / max(float(np.linalg.norm(mixed)), 1e-12))


@dataclass(frozen=True)
class NearestPolicy:
    """The heuristic that the paper compares with (VI-B): the grasp nearest to that of the last frame.

    Its correspondence is 1 minus the distance of Eq. 5. Raises ValueError on values out of range.
    """

    max_width_m: float = LABEL_MAX_WIDTH_M  # w_max of Eq. 5
    rotation_weight: float = ROTATION_WEIGHT
    name: str = "nearest"
    guarded: bool = False

    def __post_init__(self) -> None:
        if not self.max_width_m > 0 or not self.rotation_weight >= 0:
            raise ValueError(
                f"NearestPolicy needs max_width_m > 0 and rotation_weight >= 0, got {self.max_width_m} "
                f"and {self.rotation_weight}"
            )

    def describe(self, frame: TrackingFrame) -> Float64Array:
        """See CorrespondencePolicy; the poses."""
        return frame.grasps.poses[:, :3].reshape(-1, 12)

    def correspond(self, remembered: Float64Array, described: Float64Array) -> Float64Array:
        """See CorrespondencePolicy."""
        old, new = remembered.reshape(3, 4), described.reshape(-1, 3, 4)
        shift = np.linalg.norm(new[:, :, 3] - old[:, 3], axis=1)
        turn = symmetric_rotation_angle(old[None, :, :3], new[:, :, :3])
        distance = shift / self.max_width_m + self.rotation_weight * turn / np.pi
        return np.asarray(np.maximum(1.0 - distance, -1.0))

    def remember(self, remembered: Float64Array, found: Float64Array) -> Float64Array:
        """See CorrespondencePolicy; the newest pose."""
        return found
