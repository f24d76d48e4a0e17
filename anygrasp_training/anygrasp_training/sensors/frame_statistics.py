# SPDX-License-Identifier: Apache-2.0
"""All figures by which real and modelled depth images are compared, measured by the same code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import BoolArray, Float32Array, Float64Array
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_training.sensors.edge_statistics import EdgeStatistics, edge_offsets_px, measure_edges
from anygrasp_training.sensors.plane_statistics import (
    PlaneView,
    autocorrelation,
    correlation_length_mrad,
    fit_plane,
    noise_by_distance,
)

__all__ = ["LAGS_MRAD", "FrameStatistics", "measure_frame"]

LAGS_MRAD = (2.0, 5.0, 10.0, 20.0, 40.0, 80.0)
_DISTANCES_M = np.arange(0.3, 0.95, 0.1)
_RANGE_M = (0.3, 0.87)  # of the plane, where the real frames have depth
_BLIND_M = 0.072  # widest baseline: what the right imager cannot see at the left border
_EDGE_REACH_MRAD = 22.0


@dataclass(frozen=True, eq=False)
class FrameStatistics:
    """Figures of one depth image; NaN where it cannot tell."""

    view: PlaneView
    noise_m: list[tuple[float, float, int]]  # rows (distance, standard deviation, pixels)
    noise_per_m: float  # standard deviation of inverse depth, 1/m: constant where noise grows with z squared
    correlation: Float64Array  # at LAGS_MRAD
    correlation_mrad: float  # where it falls to one half
    edges: EdgeStatistics
    edge_offset_mrad: float  # median, positive where objects look wider than their silhouette
    edge_wander_mrad: float  # robust standard deviation of the same
    depth_step_m: float  # smallest difference between two depths


def measure_frame(
    depth_m: Float32Array,
    intrinsics: CameraIntrinsics,
    silhouette: BoolArray | None = None,
    usable: BoolArray | None = None,
) -> FrameStatistics:
    """Measure a depth image (H, W; metres, 0 invalid) that mostly shows a plane with objects on it.

    `silhouette` (H, W) is where objects truly are, for the edge offsets; `usable` (H, W) excludes parts.
    """
    view = fit_plane(depth_m, intrinsics)
    plane = view.plane_depth_m
    blind_px = intrinsics.fx * _BLIND_M / np.maximum(plane, 0.1) + 0.02 * intrinsics.width
    region = (plane > _RANGE_M[0]) & (plane < _RANGE_M[1]) & (np.arange(intrinsics.width) > blind_px)
    if usable is not None:
        region &= usable
    error = view.inverse_depth_error
    error = error[np.isfinite(error)]
    offsets = np.zeros(0)
    to_mrad = 1000.0 / intrinsics.fx
    if silhouette is not None:
        offsets = (
            edge_offsets_px(view.height_m, silhouette & region, round(_EDGE_REACH_MRAD / to_mrad)) * to_mrad
        )
    levels = np.unique(depth_m[depth_m > 0])
    return FrameStatistics(
        view=view,
        noise_m=noise_by_distance(view, _DISTANCES_M),
        noise_per_m=_robust_std(error),
        correlation=autocorrelation(view, np.maximum(np.round(np.array(LAGS_MRAD) / to_mrad), 1)),
        correlation_mrad=correlation_length_mrad(view, intrinsics),
        edges=measure_edges(depth_m, intrinsics, region),
        edge_offset_mrad=float(np.median(offsets)) if len(offsets) else float("nan"),
        edge_wander_mrad=_robust_std(offsets),
        depth_step_m=float(np.min(np.diff(levels))) if len(levels) > 1 else float("nan"),
    )


def _robust_std(values: Float64Array) -> float:
    """Standard deviation that a few outliers do not change (median absolute deviation)."""
    if len(values) == 0:
        return float("nan")
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
