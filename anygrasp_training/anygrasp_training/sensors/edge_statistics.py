# SPDX-License-Identifier: Apache-2.0
"""What a depth image does at depth edges: holes on the hidden side, ramps, and edges that grow or wander."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from anygrasp_perception.arrays import BoolArray, Float32Array, Float64Array
from anygrasp_perception.camera import CameraIntrinsics

__all__ = ["EdgeStatistics", "edge_offsets_px", "fill_holes", "measure_edges"]

_STEP_M = 0.02  # a depth edge
_ZONE_MRAD = 25.0  # beside an edge, for the invalid share


@dataclass(frozen=True)
class EdgeStatistics:
    """Figures of one depth image; NaN where it has too few edges to tell."""

    invalid_share_edges: float  # within 25 mrad of a depth edge
    invalid_share_surface: float  # elsewhere, holes that touch no edge zone's core
    shadow_left_mrad: float  # mean hole width where depth drops to nearer going right
    shadow_right_mrad: float  # mean hole width where depth rises going right
    shadow_baseline_m: float  # the left hole width over the change of inverse depth
    ramp_mrad: float  # width of the 20-80 % rise at right-hand edges without a hole


def measure_edges(depth_m: Float32Array, intrinsics: CameraIntrinsics, region: BoolArray) -> EdgeStatistics:
    """Measure a depth image (H, W; metres, 0 invalid) inside `region` (H, W)."""
    filled = fill_holes(depth_m)
    edge = _edges(filled) & region
    radius = round(_ZONE_MRAD / 1000 * intrinsics.fx)
    zone = cv2.dilate(edge.astype(np.uint8), _disc(radius)) > 0
    invalid = (depth_m <= 0) & region
    at_edge = _touching(invalid, cv2.dilate(edge.astype(np.uint8), _disc(3)) > 0)
    to_mrad = 1000.0 / intrinsics.fx
    left, right = (
        _holes(depth_m, region, nearer_on_right=True),
        _holes(depth_m, region, nearer_on_right=False),
    )
    return EdgeStatistics(
        invalid_share_edges=_mean(invalid[zone & region]),
        invalid_share_surface=_mean((invalid & ~at_edge)[region & ~zone]),
        shadow_left_mrad=_mean(left[:, 0]) * to_mrad,
        shadow_right_mrad=_mean(right[:, 0]) * to_mrad,
        shadow_baseline_m=float(left[:, 0].sum() / intrinsics.fx / left[:, 1].sum()) if len(left) else np.nan,
        ramp_mrad=_mean(_ramps(depth_m, region)) * to_mrad,
    )


def fill_holes(depth_m: Float32Array) -> Float32Array:
    """Depth (H, W) with holes filled by the farther neighbour along the row, as a hidden side would be."""
    from_left = _carried(depth_m)
    from_right = _carried(depth_m[:, ::-1])[:, ::-1]
    return np.where(depth_m > 0, depth_m, np.maximum(from_left, from_right))


def edge_offsets_px(
    height_m: Float64Array, object_mask: BoolArray, reach_px: int, min_height_m: float = 0.015
) -> Float64Array:
    """How far right-hand object edges of a depth image lie right of the true ones, one a row and edge (N,).

    `height_m` (H, W) is above the supporting plane with NaN where invalid, `object_mask` the true silhouette.
    The measured edge is where the height falls to half of what it is inside. Edges lower than
    `min_height_m`, without 2 `reach_px` of room, or beside a hole are left out.
    """
    offsets = []
    rows, columns = np.nonzero(object_mask[:, :-1] & ~object_mask[:, 1:])
    for row, column in zip(rows, columns, strict=True):
        first, last = column - reach_px, column + reach_px + 1
        if first < 0 or last > object_mask.shape[1]:
            continue
        inside, outside = object_mask[row, first : column + 1], object_mask[row, column + 1 : last]
        profile = height_m[row, first:last]
        if not inside.all() or outside.any() or not np.isfinite(profile).all():
            continue
        level = float(np.median(profile[: reach_px // 2]))
        if level < min_height_m or abs(float(np.median(profile[-(reach_px // 2) :]))) > level / 4:
            continue
        first_below = int(np.nonzero(profile < level / 2)[0][0])
        if first_below == 0:
            continue
        above, below = profile[first_below - 1], profile[first_below]
        crossing = first_below - 1 + (above - level / 2) / (above - below)
        offsets.append(float(crossing - reach_px - 0.5))
    return np.array(offsets)


def _edges(filled: Float32Array) -> BoolArray:
    smooth = cv2.medianBlur(filled, 5)
    known = smooth > 0
    edge = np.zeros(filled.shape, dtype=bool)
    for axis in (0, 1):
        # Over three pixels, so that ramps of flying pixels count once.
        step = np.abs(np.roll(smooth, -2, axis) - np.roll(smooth, 1, axis)) > _STEP_M
        edge |= step & np.roll(known, -2, axis) & np.roll(known, 1, axis)
    edge[[0, -1, -2]] = False
    edge[:, [0, -1, -2]] = False
    return edge


def _holes(depth_m: Float32Array, region: BoolArray, *, nearer_on_right: bool) -> Float64Array:
    """Rows (width px, change of inverse depth 1/m) of the steps along image rows, width 0 without a hole."""
    found = []
    for row in np.nonzero(region.any(axis=1))[0]:
        known = np.nonzero((depth_m[row] > 0) & region[row])[0]
        left, right = depth_m[row, known[:-1]], depth_m[row, known[1:]]
        change = left - right if nearer_on_right else right - left
        step = change > _STEP_M
        width = np.diff(known)[step] - 1
        inverse = np.abs(1 / right[step] - 1 / left[step])
        whole = np.array(
            [region[row, a:b].all() for a, b in zip(known[:-1][step], known[1:][step], strict=True)]
        )
        found.append(np.stack([width, inverse], axis=1)[whole.astype(bool)])
    return np.concatenate(found) if found else np.zeros((0, 2))


def _ramps(depth_m: Float32Array, region: BoolArray, reach: int = 12) -> Float64Array:
    """Pixels between 20 and 80 % of the rise at steps from near to far along rows, no hole in `reach`."""
    widths = []
    for row in np.nonzero(region.any(axis=1))[0][::2]:
        line = depth_m[row]
        rise = line[2 * reach :] - line[: -2 * reach]
        middle = np.nonzero(rise > _STEP_M)[0]
        # One candidate an edge: the centre of each run.
        for run in np.split(middle, np.nonzero(np.diff(middle) > 1)[0] + 1):
            if len(run) == 0:
                continue
            start = int(run[len(run) // 2])
            part = line[start : start + 2 * reach + 1]
            if (part <= 0).any() or not region[row, start : start + 2 * reach + 1].all():
                continue
            low, high = float(np.median(part[:4])), float(np.median(part[-4:]))
            share = (part - low) / max(high - low, 1e-6)
            flat = np.ptp(part[:4]) < 0.2 * (high - low) and np.ptp(part[-4:]) < 0.2 * (high - low)
            if high - low > _STEP_M and flat:
                widths.append(np.count_nonzero((share > 0.2) & (share < 0.8)))
    return np.array(widths, dtype=np.float64)


def _touching(mask: BoolArray, other: BoolArray) -> BoolArray:
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    touched = np.zeros(count, dtype=bool)
    touched[np.unique(labels[other & mask])] = True
    touched[0] = False
    return np.asarray(touched[labels])


def _carried(depth_m: Float32Array) -> Float32Array:
    index = np.where(depth_m > 0, np.arange(depth_m.shape[1]), 0)
    return np.take_along_axis(depth_m, np.maximum.accumulate(index, axis=1), axis=1)


def _disc(radius: int) -> np.ndarray:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)))


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
