# SPDX-License-Identifier: Apache-2.0
"""The body that a grasp is on, as seen from above: where its middle is, and how it lies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from anygrasp_perception.arrays import BoolArray, Float64Array
from anygrasp_perception.connected_pieces import pieces_within

__all__ = ["BodyConfig", "SeenBody", "find_body"]


@dataclass(frozen=True)
class BodyConfig:
    """How a body is told from its neighbours. Raises ValueError on values out of range."""

    reach_m: float = 0.10  # its points lie no further, horizontally, from the grasp
    voxel_m: float = 0.004  # what is seen counts by places, not by points: a camera sees some parts denser
    gap_m: float = 0.008  # places no further apart than this are of one body
    min_places: int = 15  # fewer are noise
    off_m: float = 0.03  # a grasp further than this from all places, horizontally, is on none of them
    growth_m: float = 0.012  # so far past where it was expected a body may reach: what is beyond is another
    growth: float = 1.6  # a body this many times as long as before, or broader by growth_m, has met another
    max_half_width_m: float = 0.03  # of the place where it is expected
    elongated: float = 1.5  # length over width from which on a body has a direction of its own
    memory_s: float = 0.8  # motion this long ago counts 1/e as much
    buffer: int = 8  # bodies remembered
    max_gap_s: float = 0.6  # a body that was not seen for longer is not known any more
    # What is known of motion before it is seen, and how far one look is off: of few looks little is believed.
    speed_m_s: float = 0.05
    turn_rate_rad_s: float = 0.8
    middle_error_m: float = 0.01  # a part of it is hidden now and then
    axis_error_rad: float = 0.08

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"BodyConfig.{name} is {value}; it must be positive")
        if self.buffer < 2:
            raise ValueError(f"BodyConfig.buffer is {self.buffer}; motion takes at least 2 looks")


@dataclass(frozen=True, eq=False)
class SeenBody:
    """One look at a body, in the horizontal plane of the fixed frame."""

    middle: Float64Array  # (2,) of the places that were seen
    axis: Float64Array  # (2,) of unit length, along it; its sign means nothing
    half_length_m: float
    half_width_m: float
    cut_off: bool = False  # more of what is connected lay beyond where the body was expected

    def outgrows(self, before: SeenBody, config: BodyConfig) -> bool:
        """Whether it is too broad or too long to be the body that it was before."""
        broader_m = self.half_width_m - before.half_width_m
        return broader_m > config.growth_m / 2 or self.half_length_m > config.growth * before.half_length_m

    def box_mask(self, points: Float64Array, margin_m: float) -> BoolArray:
        """Which points (N, 2) lie within its rectangle, so much larger at each side."""
        offset = points - self.middle
        across = offset @ np.array([-self.axis[1], self.axis[0]])
        inside = (np.abs(offset @ self.axis) <= self.half_length_m + margin_m) & (
            np.abs(across) <= self.half_width_m + margin_m
        )
        return np.asarray(inside)


def find_body(
    points: Float64Array, T_fixed_grasp: Float64Array, config: BodyConfig, expected: SeenBody | None = None
) -> SeenBody | None:
    """The connected points (N, 3), fixed frame, z up, without the support, that a grasp (4, 4) is on.

    Of them only those where the body is `expected`, unless that leaves none: bodies that touch are one
    to the camera. A round body has the direction that the fingers close across. None: there is no body.
    """
    at = T_fixed_grasp[:2, 3]
    near = points[np.linalg.norm(points[:, :2] - at, axis=1) <= config.reach_m]
    places = np.unique(np.rint(near / config.voxel_m).astype(np.int64), axis=0) * config.voxel_m
    if len(places) < config.min_places:
        return None
    labels = pieces_within(cKDTree(places), config.gap_m)
    bodies = np.bincount(labels)[labels] >= config.min_places
    if not bodies.any():
        return None
    places, labels = places[bodies], labels[bodies]
    off_m = np.linalg.norm(places[:, :2] - at, axis=1)
    nearest = int(np.argmin(off_m))
    if off_m[nearest] > config.off_m:
        return None
    flat = np.unique(np.rint(places[labels == labels[nearest], :2] / config.voxel_m), axis=0)
    flat = flat * config.voxel_m
    body = _measured(flat, T_fixed_grasp, config)
    if expected is None or not body.outgrows(expected, config):
        return body
    inside = expected.box_mask(flat, config.growth_m)
    if np.count_nonzero(inside) < config.min_places:
        return body
    return replace(_measured(flat[inside], T_fixed_grasp, config), cut_off=True)


def _measured(flat: Float64Array, T_fixed_grasp: Float64Array, config: BodyConfig) -> SeenBody:
    middle = flat.mean(axis=0)
    spread, axes = np.linalg.eigh(np.cov((flat - middle).T))
    axis = axes[:, 1]
    if spread[1] < config.elongated**2 * spread[0]:
        closing = T_fixed_grasp[:2, 1]
        across = np.array([closing[1], -closing[0]])
        axis = across / max(float(np.linalg.norm(across)), 1e-9) if np.linalg.norm(across) > 1e-6 else axis
    offset = flat - middle
    half_length = float(np.quantile(np.abs(offset @ axis), 0.97))
    half_width = float(np.quantile(np.abs(offset @ np.array([-axis[1], axis[0]])), 0.95))
    return SeenBody(middle, axis, half_length, min(half_width, config.max_half_width_m))
