# SPDX-License-Identifier: Apache-2.0
"""The geometric detector's score: a product of named factors, each in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.antipodal import friction_quality
from anygrasp_perception.arrays import Float64Array

__all__ = ["GraspScoreConfig"]


@dataclass(frozen=True)
class GraspScoreConfig:
    """What a good grasp is, and how much each shortcoming costs. Raises ValueError on values out of range."""

    best_friction: float = 0.1  # contacts that need no more have full quality (DESIGN 3)
    worst_friction: float = 0.8  # contacts that need more slip on common materials: not antipodal
    hold_scale_m: float = 0.008  # insertion of the fingers that gives 63 % of a firm hold
    off_centre_loss: float = 0.5  # share of the score lost at the far end of the object
    partial_contact_loss: float = 0.8  # ... lost when the fingers touch at hardly any height
    tight_loss: float = 0.7  # ... lost when the open fingers just fit around the object
    hidden_loss: float = 0.6  # ... lost when the camera has seen nothing of the space the fingers need
    min_contact_share: float = 0.3  # of the finger height; fingers that touch less are no grasp
    min_score: float = 0.1  # worse grasps are dropped

    def __post_init__(self) -> None:
        if not 0.0 < self.best_friction < self.worst_friction:
            raise ValueError(
                f"GraspScoreConfig needs 0 < best_friction < worst_friction, got {self.best_friction} "
                f"and {self.worst_friction}"
            )
        if not self.hold_scale_m > 0.0:
            raise ValueError(f"GraspScoreConfig.hold_scale_m must be positive, got {self.hold_scale_m}")
        shares = (
            "off_centre_loss",
            "partial_contact_loss",
            "tight_loss",
            "hidden_loss",
            "min_contact_share",
            "min_score",
        )
        for name in shares:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"GraspScoreConfig.{name} must be in [0, 1], got {getattr(self, name)}")

    def score(
        self,
        friction: ArrayLike,
        insertion_m: ArrayLike,
        stable_score: ArrayLike,
        contact_share: ArrayLike = 1.0,
        room_share: ArrayLike = 1.0,
        free_share: ArrayLike = 1.0,
    ) -> Float64Array:
        """Score in [0, 1] of grasps (...); all arguments broadcast.

        friction: needed at the worse contact. insertion_m: of the fingertips below the object's top.
        stable_score: distance of the object's centre from the gripper plane, over the object's radius.
        contact_share: of the finger height that touches. room_share: of the wanted space beside the object
        that the widest opening leaves. free_share: of the fingers' space that was seen to be free.
        """
        quality = friction_quality(friction, self.best_friction, self.worst_friction)
        hold = 1.0 - np.exp(-np.maximum(insertion_m, 0.0) / self.hold_scale_m)
        centred = 1.0 - self.off_centre_loss * np.asarray(stable_score)
        contact = 1.0 - self.partial_contact_loss * (1.0 - np.asarray(contact_share))
        room = 1.0 - self.tight_loss * (1.0 - np.asarray(room_share))
        free = 1.0 - self.hidden_loss * (1.0 - np.asarray(free_share))
        return np.asarray(quality * hold * centred * contact * room * free, dtype=np.float64)
