# SPDX-License-Identifier: Apache-2.0
"""What a height profile says about a grasp: where the object ends, how steeply, and whether fingers fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import BoolArray, Float32Array, Float64Array, IntpArray
from anygrasp_perception.closing_profile import ProfileGrid

__all__ = ["Outlines", "Runs", "edge_friction", "find_runs", "outlines", "run_tops"]

_UNSEEN_DROP_M = 0.02  # below the fingertips; an edge with nothing seen beyond it is taken for such a drop


@dataclass(frozen=True, eq=False)
class Runs:
    """The stretch around the middle bin that stands above the fingertips, for each profile and depth."""

    left: IntpArray  # (F, 12, D) first free bin on the left, counted from the middle
    right: IntpArray  # (F, 12, D) first free bin on the right
    bounded: BoolArray  # (F, 12, D) both ends, and the fingers beyond them, lie within the profile
    fingers_free: BoolArray  # (F, 12, D) nothing stands where the fingers go down

    def edges_m(self, cell_m: float) -> tuple[Float64Array, Float64Array]:
        """y (F, 12, D) of the left and of the right edge, metres from the seed."""
        left, right = (0.5 - self.left) * cell_m, (self.right - 0.5) * cell_m
        return left.astype(np.float64), right.astype(np.float64)


def find_runs(
    profiles: Float32Array, tips_m: Float32Array, finger_stairs: tuple[tuple[int, int, float], ...]
) -> Runs:
    """Runs of profiles (F, 12, B) for fingertips at depths tips_m (F, 12, D) from the seed.

    One empty bin does not end a run: depth cameras leave holes. Fingers widen upwards like stairs: for each
    (start, end, rise_m), the bins from start to end, counted from either end of the run, must hold nothing
    that reaches higher than rise_m above the tips; a negative rise asks for space below them.
    """
    middle = profiles.shape[-1] // 2
    right = _first_gap(profiles[..., middle:], tips_m)
    left = _first_gap(profiles[..., middle::-1], tips_m)
    furthest = middle + 1 - max(end for _, end, _ in finger_stairs)
    bounded = (right <= furthest) & (left <= furthest)
    free = np.ones(tips_m.shape, dtype=bool)
    for start, end, rise_m in finger_stairs:
        windows = _highest_in_windows(profiles, end - start)
        lowest = tips_m - np.float32(rise_m)
        right_window = np.minimum(middle + right + start, windows.shape[-1] - 1)
        left_window = np.maximum(middle - left - end + 1, 0)
        free &= np.take_along_axis(windows, right_window, axis=-1) >= lowest
        free &= np.take_along_axis(windows, left_window, axis=-1) >= lowest
    return Runs(left=left, right=right, bounded=bounded, fingers_free=free)


def run_tops(profiles: Float32Array, runs: Runs) -> Float32Array:
    """Depth (F, 12, D) of the highest surface of each run, metres along the approach from the seed."""
    middle = profiles.shape[-1] // 2
    right = np.minimum.accumulate(profiles[..., middle:], axis=-1)
    left = np.minimum.accumulate(profiles[..., middle::-1], axis=-1)
    highest_right = np.take_along_axis(right, np.maximum(runs.right - 1, 0), axis=-1)
    highest_left = np.take_along_axis(left, np.maximum(runs.left - 1, 0), axis=-1)
    return np.asarray(np.minimum(highest_right, highest_left))


def edge_friction(profiles: Float32Array, runs: Runs, tips_m: Float32Array, cell_m: float) -> Float32Array:
    """Friction (F, 12, D, 2) that the steepness of the left and right edge asks for.

    A surface that falls by dx over dy has its normal at atan(dy / dx) from the closing direction. The
    steeper of the drops over one and two bins counts: smear at depth edges only ever flattens them.
    """
    middle, last = profiles.shape[-1] // 2, profiles.shape[-1] - 1
    lowest = tips_m + np.float32(_UNSEEN_DROP_M)

    def friction(first_free: IntpArray, sign: int) -> Float32Array:
        def depth(offset: int) -> Float32Array:
            bins = np.clip(middle + sign * (first_free + offset), 0, last)
            return np.asarray(np.minimum(np.take_along_axis(profiles, bins, axis=-1), lowest))

        inner = depth(-1)
        steepest = np.maximum(depth(0) - inner, (depth(1) - inner) / 2)
        return np.asarray(np.float32(cell_m) / np.maximum(steepest, np.float32(1e-4)))

    return np.stack([friction(runs.left, -1), friction(runs.right, 1)], axis=-1)


@dataclass(frozen=True, eq=False)
class Outlines:
    """The object's outline seen along the approach, on either side of N grasps."""

    slopes: Float64Array  # (N, 2) dy/dz on the left and right: how far the contact normal is turned about x
    contact_share: Float64Array  # (N,) of the finger height in which both fingers touch


def outlines(
    rows: Float32Array, tips_m: Float32Array, left: IntpArray, right: IntpArray, grid: ProfileGrid
) -> Outlines:
    """Outlines of profile rows (N, Z, B), at tips_m (N,), between the ends left and right (N,) of a run."""
    bins = np.arange(-grid.half_bins, grid.half_bins + 1)
    inside = (bins > -left[:, None]) & (bins < right[:, None])
    standing = (rows < tips_m[:, None, None]) & inside[:, None, :]  # (N, Z, B)
    filled: BoolArray = np.any(standing, axis=-1)  # (N, Z)
    left_end = np.argmax(standing, axis=-1) - grid.half_bins
    right_end = grid.half_bins - np.argmax(standing[..., ::-1], axis=-1)
    ends = np.stack([left_end, right_end], axis=-1).astype(np.float64)  # (N, Z, 2) bins
    z = np.arange(-grid.half_rows, grid.half_rows + 1)
    weight = filled / np.maximum(filled.sum(axis=1, keepdims=True), 1)
    offset = np.where(filled, z - (weight * z).sum(axis=1, keepdims=True), 0.0)
    spread = np.maximum((offset**2).sum(axis=1), 1.0)  # one row alone has no slope
    slopes = np.einsum("nz,nzs->ns", offset, ends) / spread[:, None]
    outermost = np.stack([1.0 - left, right - 1.0], axis=-1)
    touching = filled[..., None] & (np.abs(ends - outermost[:, None]) <= 1.0)
    return Outlines(slopes, touching.mean(axis=1).min(axis=1))


def _first_gap(outward: Float32Array, tips_m: Float32Array) -> IntpArray:
    """Bins (F, 12, D) before the first two in a row that lie below the tips; all of them: no gap."""
    pair = np.minimum(outward[..., :-1], outward[..., 1:])
    highest = np.maximum.accumulate(pair, axis=-1)  # rising, so counting finds the first
    gaps = [np.count_nonzero(highest < tips_m[..., d, None], axis=-1) for d in range(tips_m.shape[-1])]
    return np.stack(gaps, axis=-1)


def _highest_in_windows(profiles: Float32Array, length: int) -> Float32Array:
    """Depth (F, 12, B - length + 1) of what stands highest in the window from each bin on."""
    count = profiles.shape[-1] - length + 1
    highest = profiles[..., :count].copy()
    for start in range(1, length):
        np.minimum(highest, profiles[..., start : start + count], out=highest)
    return highest
