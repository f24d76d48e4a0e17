# SPDX-License-Identifier: Apache-2.0
"""The points in oriented boxes, found through the cells of a grid: what `PointGrid` compiles."""

from __future__ import annotations

import numpy as np

from anygrasp_perception.arrays import Float32Array, Float64Array, IntpArray
from anygrasp_perception.compiled import compiled

__all__ = ["BOX_SLACK_M", "look_in_boxes"]

BOX_SLACK_M = 1e-5  # far above what float32 loses of a position
_ROOM = 4096  # points that there is memory for at first


@compiled
def look_in_boxes(
    sorted_points: Float32Array,
    order: IntpArray,
    cells: IntpArray,
    starts: IntpArray,
    columns: IntpArray,
    shape: IntpArray,
    origin: Float64Array,
    cell_m: float,
    frames: Float64Array,
    places: Float64Array,
    low: Float64Array,
    high: Float64Array,
) -> tuple[IntpArray, IntpArray, Float32Array]:
    """How many points are in each of B boxes, (B,), and of all these the rows (P,) and places (3, P)."""
    counts = np.zeros(len(frames), dtype=np.intp)
    rows, local = np.empty(_ROOM, dtype=np.intp), np.empty((3, _ROOM), dtype=np.float32)
    found = 0
    first, last = np.empty(3, dtype=np.intp), np.empty(3, dtype=np.intp)
    # From the middle of a cell that touches the box to the box's own, along the box's axes.
    corner, reach = np.empty(3), np.empty(3)
    radius = cell_m * np.sqrt(3.0) / 2 + BOX_SLACK_M
    for box in range(len(frames)):
        R, before = frames[box], found
        for axis in range(3):
            middle, extent = places[box, axis], 0.0
            for k in range(3):
                middle += R[axis, k] * (low[box, k] + high[box, k]) / 2
                extent += abs(R[axis, k]) * (high[box, k] - low[box, k]) / 2
            begin = (middle - extent - origin[axis]) / cell_m
            end = (middle + extent - origin[axis]) / cell_m
            if not begin <= end:  # NaN
                begin, end = 0.0, -1.0
            first[axis] = np.intp(min(max(np.floor(begin), 0.0), float(shape[axis])))
            last[axis] = np.intp(min(max(np.floor(end), -1.0), float(shape[axis] - 1)))
            corner[axis] = origin[axis] + cell_m / 2 - middle
            reach[axis] = (high[box, axis] - low[box, axis]) / 2 + radius
        for i in range(first[0], last[0] + 1):
            for j in range(first[1], last[1] + 1):
                column = i * shape[1] + j
                dx, dy = corner[0] + i * cell_m, corner[1] + j * cell_m
                for cell in range(columns[column], columns[column + 1]):
                    k = cells[cell] - column * shape[2]
                    if k < first[2] or k > last[2]:
                        continue
                    dz = corner[2] + k * cell_m
                    touches = abs(R[0, 0] * dx + R[1, 0] * dy + R[2, 0] * dz) <= reach[0]
                    touches &= abs(R[0, 1] * dx + R[1, 1] * dy + R[2, 1] * dz) <= reach[1]
                    touches &= abs(R[0, 2] * dx + R[1, 2] * dy + R[2, 2] * dz) <= reach[2]
                    if not touches:
                        continue
                    begin_point, end_point = starts[cell], starts[cell + 1]
                    while found + end_point - begin_point > len(rows):
                        rows = np.concatenate((rows, np.empty_like(rows)))
                        local = np.concatenate((local, np.empty_like(local)), axis=1)
                    for at in range(begin_point, end_point):
                        px = sorted_points[0, at] - places[box, 0]
                        py = sorted_points[1, at] - places[box, 1]
                        pz = sorted_points[2, at] - places[box, 2]
                        x = R[0, 0] * px + R[1, 0] * py + R[2, 0] * pz
                        y = R[0, 1] * px + R[1, 1] * py + R[2, 1] * pz
                        z = R[0, 2] * px + R[1, 2] * py + R[2, 2] * pz
                        rows[found] = order[at]
                        local[0, found], local[1, found], local[2, found] = x, y, z
                        inside = (x >= low[box, 0]) & (x <= high[box, 0])
                        inside &= (y >= low[box, 1]) & (y <= high[box, 1])
                        inside &= (z >= low[box, 2]) & (z <= high[box, 2])
                        found += inside
        counts[box] = found - before
    return counts, rows[:found].copy(), local[:, :found].copy()
