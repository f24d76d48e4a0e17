# SPDX-License-Identifier: Apache-2.0
"""Points sorted by grid cell: finds the points near many oriented boxes at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anygrasp_perception.arrays import BoolArray, Float32Array, Float64Array, IntpArray, check_points
from anygrasp_perception.box_search import BOX_SLACK_M, GridIndex, look_in_boxes
from anygrasp_perception.compiled import in_parts, thread_count

__all__ = ["LocalPoints", "PointGrid", "spatial_chunks"]

_BOXES_AT_ONCE = 64  # of one thread
_MAX_CELLS_ALONG = 1000  # of one axis; of a wider cloud the cells are larger
_MAX_SPAN_M = 100.0  # wider than any depth camera sees


@dataclass(frozen=True, eq=False)
class LocalPoints:
    """P pairs of a box and a point near it, the point in the box's frame; sorted by box."""

    bounds: IntpArray  # (B + 1,) the pairs of box b are bounds[b] to bounds[b + 1]
    points: IntpArray  # (P,) index of the point in the cloud
    x: Float32Array  # (P,) metres in the box's frame
    y: Float32Array  # (P,)
    z: Float32Array  # (P,)

    @property
    def box_count(self) -> int:
        """B, boxes without points included."""
        return len(self.bounds) - 1

    @property
    def boxes(self) -> IntpArray:
        """(P,) the box of each pair."""
        return self.of_box(np.arange(self.box_count))

    def of_box(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return (P,) for each pair the value of its box, from `values` (B,)."""
        return np.repeat(values, np.diff(self.bounds))

    def counts(self, mask: BoolArray) -> IntpArray:
        """Return (B,) how many pairs of each box are in `mask` (P,)."""
        before = np.concatenate([[0], np.cumsum(mask, dtype=np.intp)])
        return np.diff(before[self.bounds])

    def where(self, mask: BoolArray) -> LocalPoints:
        """Return the pairs selected by `mask` (P,)."""
        bounds = np.concatenate([[0], np.cumsum(self.counts(mask))])
        keep = np.flatnonzero(mask)
        return LocalPoints(bounds, self.points[keep], self.x[keep], self.y[keep], self.z[keep])

    def extent_y(self) -> tuple[Float64Array, Float64Array]:
        """Return the least and the greatest y of each box (B,), +inf and -inf without points."""
        least, greatest = np.full(self.box_count, np.inf), np.full(self.box_count, -np.inf)
        occupied = np.flatnonzero(np.diff(self.bounds))  # reduceat has no notion of an empty range
        if len(occupied):
            least[occupied] = np.minimum.reduceat(self.y, self.bounds[occupied])
            greatest[occupied] = np.maximum.reduceat(self.y, self.bounds[occupied])
        return least, greatest


class PointGrid:
    """A cloud (N, 3) in metres, indexed once and queried for many boxes.

    Only points in the cells about a box are looked at. Raises ValueError on NaN points, on no points, on a
    cloud wider than 100 m and on a bad cell size.
    """

    def __init__(self, points: ArrayLike, cell_m: float = 0.015) -> None:
        if not cell_m > 0:
            raise ValueError(f"cell_m must be positive, got {cell_m}")
        array = check_points(points)
        if len(array) == 0:
            raise ValueError("the cloud is empty: without points nothing is known to be free or graspable")
        columns = np.ascontiguousarray(array.T)  # (3, N): everything below is much faster along rows
        origin = columns.min(axis=1, keepdims=True)
        span = float((columns - origin).max())
        if span > _MAX_SPAN_M:
            raise ValueError(
                f"the cloud spans {span:.0f} m, limit {_MAX_SPAN_M:.0f} m: is it in millimetres?"
            )
        cell_m = max(cell_m, span / _MAX_CELLS_ALONG)
        cells = ((columns - origin) / np.float32(cell_m)).astype(np.intp)
        shape = cells.max(axis=1) + 1
        keys = np.ravel_multi_index(tuple(cells), tuple(shape))
        order = np.argsort(keys, kind="stable")
        occupied, starts = np.unique(keys.take(order), return_index=True)
        # Cells above each other are a column; their keys follow each other, and so do their points.
        of_column = np.arange(shape[0] * shape[1] + 1) * shape[2]
        self.index = GridIndex(
            columns.take(order, axis=1),
            order,
            occupied,
            np.append(starts, len(array)),
            np.searchsorted(occupied, of_column),
            shape,
            origin[:, 0].astype(np.float64),
            float(cell_m),
        )

    @classmethod
    def of(cls, points: ArrayLike | PointGrid) -> PointGrid:
        """Return `points` when it is a grid already, else its grid."""
        return points if isinstance(points, PointGrid) else cls(points)

    def __len__(self) -> int:
        return len(self.index.order)

    def near_boxes(
        self, origins: Float64Array, rotations: Float64Array, lower: ArrayLike, upper: ArrayLike
    ) -> LocalPoints:
        """Return all points inside the boxes, in the boxes' frames; those just outside by rounding too.

        `origins` (B, 3) and `rotations` (B, 3, 3) place the box frames; `lower` and `upper` (3,) or
        (B, 3) are the corners in those frames, metres.
        """
        count = len(origins)
        frames = np.ascontiguousarray(rotations, dtype=np.float64)
        places = np.ascontiguousarray(origins, dtype=np.float64)
        low = np.array(np.broadcast_to(lower, (count, 3)), dtype=np.float64, order="C") - BOX_SLACK_M
        high = np.array(np.broadcast_to(upper, (count, 3)), dtype=np.float64, order="C") + BOX_SLACK_M
        parts: dict[int, tuple[IntpArray, IntpArray, Float32Array]] = {}

        def look(start: int, stop: int) -> None:
            part = slice(start, stop)
            parts[start] = look_in_boxes(self.index, frames[part], places[part], low[part], high[part])

        in_parts(look, count, _BOXES_AT_ONCE, thread_count())
        if not parts:
            return LocalPoints(np.zeros(1, dtype=np.intp), *_nothing_found())
        counts, rows, local = zip(*(parts[start] for start in sorted(parts)), strict=True)
        bounds = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
        x, y, z = np.concatenate(local, axis=1)
        return LocalPoints(bounds, np.concatenate(rows), x, y, z)


def _nothing_found() -> tuple[IntpArray, Float32Array, Float32Array, Float32Array]:
    none = np.zeros(0, dtype=np.float32)
    return np.zeros(0, dtype=np.intp), none, none, none


def spatial_chunks(points: Float32Array, size: int) -> list[IntpArray]:
    """Rows of points (N, 3) in chunks of at most `size` neighbours, halved along the longest edge."""
    pending, chunks = [np.arange(len(points))] if len(points) else [], []
    while pending:
        rows = pending.pop()
        if len(rows) <= size:
            chunks.append(rows)
            continue
        axis = np.ptp(points[rows], axis=0).argmax()
        ranked = rows[np.argpartition(points[rows, axis], len(rows) // 2)]
        pending += [ranked[: len(rows) // 2], ranked[len(rows) // 2 :]]
    return chunks
