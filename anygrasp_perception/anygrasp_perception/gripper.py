# SPDX-License-Identifier: Apache-2.0
"""Geometry of a parallel gripper as three boxes: two fingers and the base behind them."""

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import Float64Array

__all__ = ["ROBOTIQ_2F85", "GripperGeometry"]


@dataclass(frozen=True)
class GripperGeometry:
    """Parallel gripper in the grasp frame: x approach, y closing, z finger height. Lengths in metres.

    The defaults are the three boxes of the GraspNet tools with the stroke of a Robotiq 2F-85. Another
    parallel gripper is another instance, not another network.
    Raises ValueError on a negative, zero or non-finite length and on limits that contradict each other.
    """

    max_width_m: float = 0.085  # widest opening between the fingertips
    min_width_m: float = 0.0  # narrowest opening
    finger_thickness_m: float = 0.01  # along y
    finger_length_m: float = 0.06  # along x, fingertip to base
    finger_height_m: float = 0.02  # along z
    base_length_m: float = 0.04  # along x
    base_width_m: float = 0.105  # along y; does not shrink when the fingers close
    base_height_m: float = 0.02  # along z

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            least = 0.0 if field.name == "min_width_m" else math.nextafter(0.0, 1.0)
            if not (math.isfinite(value) and value >= least):
                raise ValueError(f"GripperGeometry.{field.name} must be a positive length, got {value}")
        if self.min_width_m >= self.max_width_m:
            raise ValueError(
                f"GripperGeometry.min_width_m {self.min_width_m} must be below max_width_m {self.max_width_m}"
            )
        # The base then sweeps the fingers' way too, which the collision check relies on.
        spread = self.max_width_m + 2 * self.finger_thickness_m
        for name, least in (("base_width_m", spread), ("base_height_m", self.finger_height_m)):
            if getattr(self, name) < least - 1e-9:
                raise ValueError(
                    f"GripperGeometry.{name} {getattr(self, name)} must cover the open fingers, {least:.4g}"
                )

    def clamp_width(self, widths: ArrayLike) -> Float64Array:
        """Return openings (...) limited to what the gripper can do, metres."""
        return np.clip(np.asarray(widths, dtype=np.float64), self.min_width_m, self.max_width_m)

    def boxes(self, width_m: ArrayLike, depth_m: ArrayLike) -> Float64Array:
        """Return left finger, right finger and base as corners (..., 3, 2, 3), lower then upper.

        `width_m` and `depth_m` (...) broadcast; corners in the grasp frame, metres.
        """
        half, tip = np.broadcast_arrays(
            np.asarray(width_m, dtype=np.float64) / 2, np.asarray(depth_m, dtype=np.float64)
        )
        root = tip - self.finger_length_m
        z_finger = np.full_like(tip, self.finger_height_m / 2)
        z_base = np.full_like(tip, self.base_height_m / 2)
        y_base = np.full_like(tip, self.base_width_m / 2)
        outer = half + self.finger_thickness_m
        left = _box(root, tip, half, outer, -z_finger, z_finger)
        right = _box(root, tip, -outer, -half, -z_finger, z_finger)
        base = _box(root - self.base_length_m, root, -y_base, y_base, -z_base, z_base)
        return np.stack([left, right, base], axis=-3)


def _box(
    x0: Float64Array, x1: Float64Array, y0: Float64Array, y1: Float64Array, z0: Float64Array, z1: Float64Array
) -> Float64Array:
    return np.stack([np.stack([x0, y0, z0], axis=-1), np.stack([x1, y1, z1], axis=-1)], axis=-2)


# Measured on the maker's meshes: pads and links within 0.0563 m of the middle when open, linkage within
# 0.0742 m, palm 0.075 m across and its face 0.06 m behind the fingertips, flange 0.16 m behind them.
ROBOTIQ_2F85 = GripperGeometry(
    finger_thickness_m=0.014,
    finger_height_m=0.022,
    base_length_m=0.10,
    base_width_m=0.15,
    base_height_m=0.075,
)
