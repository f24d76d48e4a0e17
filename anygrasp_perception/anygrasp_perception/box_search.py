# SPDX-License-Identifier: Apache-2.0
"""The points in oriented boxes, found through the cells of a grid: what `PointGrid` compiles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from anygrasp_perception.arrays import Float32Array, Float64Array, IntpArray
from anygrasp_perception.compiled import compiled

__all__ = ["BOX_SLACK_M", "GridIndex", "count_at_fingers", "look_in_boxes"]

BOX_SLACK_M = 1e-5  # far above what float32 loses of a position
_ROOM = 4096  # points that there is memory for at first


class GridIndex(NamedTuple):
    """N points sorted by the C occupied cells of a grid, whose keys count z fastest."""

    points: Float32Array  # (3, N)
    order: IntpArray  # (N,) row of each in the cloud
    cells: IntpArray  # (C,) keys of the cells, sorted
    starts: IntpArray  # (C + 1,) where the points of each begin
    columns: IntpArray  # where in the cells each column along z begins, and the end of the last
    shape: IntpArray  # (3,) of the grid
    origin: Float64Array  # (3,) its corner, metres
    cell_m: float


@compiled
def _touched_cells(
    grid: GridIndex,
    R: Float64Array,
    place: Float64Array,
    low: Float64Array,
    high: Float64Array,
    found: IntpArray,
) -> int:
    """How many cells may touch the box from low to high in the frame R at place; `found` tells which."""
    first, last = np.empty(3, dtype=np.intp), np.empty(3, dtype=np.intp)
    # From the middle of a cell that touches the box to the box's own, along the box's axes.
    corner, reach = np.empty(3), np.empty(3)
    for axis in range(3):
        middle, extent = place[axis], 0.0
        for k in range(3):
            middle += R[axis, k] * (low[k] + high[k]) / 2
            extent += abs(R[axis, k]) * (high[k] - low[k]) / 2
        begin = (middle - extent - grid.origin[axis]) / grid.cell_m
        end = (middle + extent - grid.origin[axis]) / grid.cell_m
        if not begin <= end:  # NaN
            begin, end = 0.0, -1.0
        first[axis] = np.intp(min(max(np.floor(begin), 0.0), float(grid.shape[axis])))
        last[axis] = np.intp(min(max(np.floor(end), -1.0), float(grid.shape[axis] - 1)))
        corner[axis] = grid.origin[axis] + grid.cell_m / 2 - middle
        reach[axis] = (high[axis] - low[axis]) / 2 + grid.cell_m * np.sqrt(3.0) / 2 + BOX_SLACK_M
    count = 0
    for i in range(first[0], last[0] + 1):
        for j in range(first[1], last[1] + 1):
            column = i * grid.shape[1] + j
            dx, dy = corner[0] + i * grid.cell_m, corner[1] + j * grid.cell_m
            for cell in range(grid.columns[column], grid.columns[column + 1]):
                k = grid.cells[cell] - column * grid.shape[2]
                if k < first[2] or k > last[2]:
                    continue
                dz = corner[2] + k * grid.cell_m
                touches = abs(R[0, 0] * dx + R[1, 0] * dy + R[2, 0] * dz) <= reach[0]
                touches &= abs(R[0, 1] * dx + R[1, 1] * dy + R[2, 1] * dz) <= reach[1]
                touches &= abs(R[0, 2] * dx + R[1, 2] * dy + R[2, 2] * dz) <= reach[2]
                found[count] = cell
                count += touches
    return count


@compiled
def look_in_boxes(
    grid: GridIndex, frames: Float64Array, places: Float64Array, low: Float64Array, high: Float64Array
) -> tuple[IntpArray, IntpArray, Float32Array]:
    """How many points are in each of B boxes, (B,), and of all these the rows (P,) and places (3, P)."""
    counts = np.zeros(len(frames), dtype=np.intp)
    rows, local = np.empty(_ROOM, dtype=np.intp), np.empty((3, _ROOM), dtype=np.float32)
    touched = np.empty(len(grid.cells) + 1, dtype=np.intp)  # what does not touch is written behind the last
    found = 0
    for box in range(len(frames)):
        R, before = frames[box], found
        for cell in touched[: _touched_cells(grid, R, places[box], low[box], high[box], touched)]:
            begin, end = grid.starts[cell], grid.starts[cell + 1]
            while found + end - begin > len(rows):
                rows = np.concatenate((rows, np.empty_like(rows)))
                local = np.concatenate((local, np.empty_like(local)), axis=1)
            for at in range(begin, end):
                px = grid.points[0, at] - places[box, 0]
                py = grid.points[1, at] - places[box, 1]
                pz = grid.points[2, at] - places[box, 2]
                x = R[0, 0] * px + R[1, 0] * py + R[2, 0] * pz
                y = R[0, 1] * px + R[1, 1] * py + R[2, 1] * pz
                z = R[0, 2] * px + R[1, 2] * py + R[2, 2] * pz
                rows[found] = grid.order[at]
                local[0, found], local[1, found], local[2, found] = x, y, z
                inside = (x >= low[box, 0]) & (x <= high[box, 0])
                inside &= (y >= low[box, 1]) & (y <= high[box, 1])
                inside &= (z >= low[box, 2]) & (z <= high[box, 2])
                found += inside
        counts[box] = found - before
    return counts, rows[:found].copy(), local[:, :found].copy()


@compiled
def count_at_fingers(
    grid: GridIndex,
    frames: Float64Array,
    places: Float64Array,
    low: Float64Array,
    high: Float64Array,
    inner_m: Float32Array,
    thickness_m: float,
) -> tuple[IntpArray, IntpArray]:
    """How many points are in the fingers and how many between them, (B,) each.

    A box is fingers and opening together, from its middle: the fingers' tips at x = 0, with the clearance
    before them, their inner sides (B,) off the middle along y, the outer ones `thickness_m` further.
    """
    in_fingers, between = np.zeros(len(frames), dtype=np.intp), np.zeros(len(frames), dtype=np.intp)
    touched = np.empty(len(grid.cells) + 1, dtype=np.intp)
    for box in range(len(frames)):
        R = frames[box]
        for cell in touched[: _touched_cells(grid, R, places[box], low[box], high[box], touched)]:
            for at in range(grid.starts[cell], grid.starts[cell + 1]):
                px = grid.points[0, at] - places[box, 0]
                py = grid.points[1, at] - places[box, 1]
                pz = grid.points[2, at] - places[box, 2]
                x = np.float32(R[0, 0] * px + R[1, 0] * py + R[2, 0] * pz)
                side = abs(np.float32(R[0, 1] * px + R[1, 1] * py + R[2, 1] * pz))
                z = np.float32(R[0, 2] * px + R[1, 2] * py + R[2, 2] * pz)
                beside = (x > low[box, 0]) & (z > low[box, 2]) & (z < high[box, 2])
                between[box] += beside & (x <= 0) & (side <= inner_m[box])
                off = side - inner_m[box]
                in_fingers[box] += beside & (x < high[box, 0]) & (off > 0) & (off < thickness_m)
    return in_fingers, between
