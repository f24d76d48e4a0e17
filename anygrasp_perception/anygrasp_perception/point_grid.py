# SPDX-License-Identifier: Apache-2.0
"""Points sorted by grid cell: finds the points near many oriented boxes at once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anygrasp_perception.arrays import BoolArray, Float32Array, Float64Array, IntpArray, check_points

__all__ = ["LocalPoints", "PointGrid", "spatial_chunks"]

_BOXES_PER_BLOCK = 48  # neighbours, compared with the cells about them in one product

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

    Whole cells are tested against all boxes with matrix products; only points of cells that touch a box
    are looked at one by one. Raises ValueError on NaN points, on no points, on a cloud wider than 100 m
    and on a bad cell size.
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
        cells = ((columns - origin) / np.float32(cell_m)).astype(np.intp)
        keys = np.ravel_multi_index(tuple(cells), tuple(cells.max(axis=1) + 1))
        self._order = np.argsort(keys)
        self._sorted = columns.take(self._order, axis=1)
        self._starts = np.flatnonzero(np.diff(keys.take(self._order), prepend=-1))
        self._counts = np.diff(self._starts, append=len(array))
        occupied = cells.take(self._order.take(self._starts), axis=1)
        self._centres = ((occupied + 0.5) * cell_m + origin).astype(np.float32)  # (3, C)
        self._cell_radius = cell_m * np.sqrt(3.0) / 2.0

    @classmethod
    def of(cls, points: ArrayLike | PointGrid) -> PointGrid:
        """Return `points` when it is a grid already, else its grid."""
        return points if isinstance(points, PointGrid) else cls(points)

    def __len__(self) -> int:
        return len(self._order)

    def near_boxes(
        self, origins: Float64Array, rotations: Float64Array, lower: ArrayLike, upper: ArrayLike
    ) -> LocalPoints:
        """Return all points inside the boxes, and some just outside, in the boxes' frames.

        `origins` (B, 3) and `rotations` (B, 3, 3) place the box frames; `lower` and `upper` (3,) or
        (B, 3) are the corners in those frames, metres.
        """
        count = len(origins)
        exact = np.einsum("bik,bi->bk", rotations, origins)  # the origins in the boxes' axes
        lower, upper = np.broadcast_to(lower, (count, 3)), np.broadcast_to(upper, (count, 3))
        middles = ((lower + upper) / 2 + exact).astype(np.float32)
        reaches = ((upper - lower) / 2 + self._cell_radius).astype(np.float32)
        axes = np.ascontiguousarray(rotations.swapaxes(1, 2), dtype=np.float32)  # (B, 3, 3) rows x, y, z
        boxes, cells = self._touching(axes, middles, reaches)

        sizes = self._counts[cells]
        ends = np.concatenate([[0], np.cumsum(sizes)])
        places = np.arange(ends[-1]) + np.repeat(self._starts[cells] - ends[:-1], sizes)
        bounds = ends[np.searchsorted(boxes, np.arange(count + 1))]
        scene = self._sorted.take(places, axis=1)
        local = np.empty_like(scene)
        for box, (start, end) in enumerate(pairwise(bounds)):
            np.matmul(axes[box], scene[:, start:end], out=local[:, start:end])
        local -= np.repeat(exact.T.astype(np.float32), np.diff(bounds), axis=1)
        return LocalPoints(bounds, self._order.take(places), local[0], local[1], local[2])

    def _touching(
        self, axes: Float32Array, middles: Float32Array, reaches: Float32Array
    ) -> tuple[IntpArray, IntpArray]:
        """Return the pairs of a box and an occupied cell near it, sorted by box and cell."""
        boxes, cells = [np.zeros(0, dtype=np.intp)], [np.zeros(0, dtype=np.intp)]
        centres = np.einsum("bji,bj->bi", axes, middles)  # of the boxes, in the cloud's frame
        radii = np.linalg.norm(reaches, axis=1)
        for block in spatial_chunks(centres, _BOXES_PER_BLOCK):
            reach = radii[block].max()
            low, high = centres[block].min(axis=0) - reach, centres[block].max(axis=0) + reach
            inside = (self._centres > low[:, None]) & (self._centres < high[:, None])
            close = np.flatnonzero(inside.all(axis=0))
            nearby = self._centres.take(close, axis=1)
            touching = np.ones((len(block), len(close)), dtype=bool)
            for axis in range(3):
                distance = axes[block, axis] @ nearby
                distance -= middles[block, axis, None]
                touching &= np.abs(distance, out=distance) <= reaches[block, axis, None]
            box, cell = np.divmod(np.flatnonzero(touching), max(len(close), 1))
            boxes.append(block[box])
            cells.append(close[cell])
        joined = np.concatenate(boxes)
        order = np.argsort(joined, kind="stable")
        return joined[order], np.concatenate(cells)[order]


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
