# SPDX-License-Identifier: Apache-2.0
"""Compiles what a detector needs before the first image comes: half a minute once, a second from then on.

    python -m anygrasp_perception.compile_ahead

`./run setup` does it for all detectors, the nodes for theirs when they start.
"""

from __future__ import annotations

import time

import numpy as np

from anygrasp_perception.arrays import Float32Array
from anygrasp_perception.cloud import PointCloud
from anygrasp_perception.detector import DetectionRequest, Detector
from anygrasp_perception.detectors import DETECTORS, create_detector

__all__ = ["compile_ahead", "main"]

_HEIGHT_M = 0.5  # of the camera above the table
_SPACING_M = 0.004  # of the points
_BOXES = (
    (-0.06, 0.0, 0.03, 0.02),
    (0.05, 0.04, 0.015, 0.05),
    (0.02, -0.07, 0.02, 0.03),
)  # x, y, half, height


def compile_ahead(detector: Detector) -> float:
    """Let the detector find grasps on a few boxes; returns the seconds that took."""
    begin = time.perf_counter()
    cloud = PointCloud(_boxes_on_a_table())
    corner = np.array((0.1, 0.1, 0.05))
    middle = np.array((0.0, 0.0, _HEIGHT_M - 0.04))
    in_region = DetectionRequest(region_min=middle - corner, region_max=middle + corner)
    for request in (DetectionRequest(), in_region.along((0.0, 0.0, 1.0), 0.5)):
        detector.detect(cloud, request)
    return time.perf_counter() - begin


def _boxes_on_a_table() -> Float32Array:
    """Points (P, 3) on a table and on the tops of boxes, metres, as seen from above."""
    ticks = np.arange(-0.15, 0.15, _SPACING_M)
    x, y = np.meshgrid(ticks, ticks)
    depth = np.full(x.shape, _HEIGHT_M)
    for box_x, box_y, half, height in _BOXES:
        depth[(np.abs(x - box_x) < half) & (np.abs(y - box_y) < half)] = _HEIGHT_M - height
    return np.stack([x, y, depth], axis=-1).reshape(-1, 3).astype(np.float32)


def main() -> None:
    """Compile for all detectors, and say how long it took."""
    for name in sorted(DETECTORS):
        print(f"{name}: compiled in {compile_ahead(create_detector(name)):.1f} s", flush=True)


if __name__ == "__main__":
    main()
