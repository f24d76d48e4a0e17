# SPDX-License-Identifier: Apache-2.0
"""A further look at the places where the network's candidates led to no grasp.

There the gripper has little room, and the best view of the few seeds is not the one that has it. So many
points are looked at along several views each; a height map says which of them the fingers have room for, the
network what it thinks of these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.spatial import cKDTree

from anygrasp_perception.arrays import BoolArray, Float32Array, IntpArray
from anygrasp_perception.clear_openings import find_clear_openings
from anygrasp_perception.compiled import compiled, in_parts, thread_count
from anygrasp_perception.grasp import ANGLE_COUNT, DEPTHS_M, fibonacci_views, rotation_from_approach
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.gripper import GripperGeometry
from anygrasp_perception.network.grasp_network import GraspNetwork, GraspPrediction, view_rotations
from anygrasp_perception.network.seed_sampling import farthest_points

__all__ = ["FurtherLook", "FurtherLookConfig"]

_POINTS_AT_ONCE = 2048  # of one thread


@dataclass(frozen=True)
class FurtherLookConfig:
    """How far it goes. Raises ValueError on values out of range."""

    objectness: float = 0.15  # of a voxel; the seeds took those that are objects rather than not
    place_m: float = 0.012  # voxels in the same cube of this edge stand for one place
    places: int = 250  # at most, spread out
    views: int = 6  # of each place
    spread_rad: float = 0.2  # between these at least
    shared_views: int = 32  # of which they are taken: those that most places speak for
    judged: int = 500  # openings, of all places and views
    depths: int = 2  # the least deep ones: it is for want of room that there is no grasp
    reach_m: float = 0.1  # about the places: obstacles further away are not in the way

    def __post_init__(self) -> None:
        if not 0 <= self.objectness <= 1:
            raise ValueError(f"FurtherLookConfig.objectness must be in [0, 1], got {self.objectness}")
        for name in ("place_m", "places", "views", "shared_views", "judged", "depths", "reach_m"):
            if not getattr(self, name) > 0:
                raise ValueError(f"FurtherLookConfig.{name} must be positive, got {getattr(self, name)}")
        if not 0 <= self.spread_rad < np.pi:
            raise ValueError(f"FurtherLookConfig.spread_rad must be in [0, pi), got {self.spread_rad}")


class FurtherLook:
    """Grasps at other points of the cloud of one prediction; searched for at the first call."""

    def __init__(
        self,
        network: GraspNetwork,
        prediction: GraspPrediction,
        obstacles: Float32Array,
        allowed: BoolArray,
        allowed_views: BoolArray | None,
        gripper: GripperGeometry,
        config: FurtherLookConfig | None = None,
    ) -> None:
        """`obstacles` (P, 3) in the prediction's frame, metres; `allowed` (N,) of its points, `allowed_views`
        (300,) or None for all."""
        self._network, self._prediction = network, prediction
        self._obstacles, self._allowed, self._allowed_views = obstacles, allowed, allowed_views
        self._gripper, self.config = gripper, config or FurtherLookConfig()
        self._left: GraspGroup | None = None  # what was found and not yet returned
        self._places = np.zeros((0, 3), dtype=np.float32)
        self._place = np.zeros(0, dtype=np.intp)  # of what is left, an index into these

    def away_from(
        self, grasps: GraspGroup, reach_m: float, count: int, judge: Callable[[GraspGroup], GraspGroup]
    ) -> GraspGroup:
        """Return at most `count` grasps at places from which no pads of `grasps` are within `reach_m`.

        The best of each place, at the next call the second best of those still away from all, and so on; by
        the scores that `judge` gives to what is found. Not checked for collision but by height maps. A grasp
        has the seed id of the seed next to it.
        """
        if self._left is None:
            found = self._search(grasps, reach_m)
            self._left = judge(found) if len(found) else found
        away = _away(self._places, grasps, reach_m)[self._place]
        left, place = self._left[away], self._place[away]
        order = np.lexsort((-left.scores, place))
        best = order[np.diff(place[order], prepend=-1) != 0]
        best = best[np.argsort(-left.scores[best], kind="stable")[:count]]
        kept = np.delete(np.arange(len(left)), best)
        self._left, self._place = left[kept], place[kept]
        return left[best]

    def _search(self, grasps: GraspGroup, reach_m: float) -> GraspGroup:
        """Openings at places away from the grasps, at most `judged` of them, not scored."""
        config, prediction = self.config, self._prediction
        rows = self._rows_away(grasps, reach_m)
        if len(rows) == 0:
            return GraspGroup.empty()
        self._places = prediction.points[rows]
        place, view = self._views(self._network.score_views(prediction.encoded, rows))
        near = _near_any(self._obstacles, self._places, config.reach_m)
        found = find_clear_openings(
            self._obstacles[near],
            self._places[place],
            view,
            view_rotations(),
            DEPTHS_M[: config.depths],
            self._gripper,
        )
        # Of every place first along its best view, as deep as can be; the angles in no order.
        mixed = found.angle_ids * 5 % ANGLE_COUNT
        order = np.argsort((found.pairs * config.depths - found.depth_ids) * ANGLE_COUNT + mixed)
        turn = np.empty(len(order), dtype=np.intp)
        turn[order] = _rank_among_equals(place[found.pairs[order]])
        kept = np.argsort(turn, kind="stable")[: config.judged]
        pair, angle = found.pairs[kept], found.angle_ids[kept]
        self._place = place[pair]
        rotations = rotation_from_approach(-fibonacci_views()[view[pair]], angle * (np.pi / ANGLE_COUNT))
        centres = self._places[self._place] + found.shifts_m[kept, None] * rotations[:, :, 1]
        return GraspGroup.from_arrays(
            rotation_matrices=rotations,
            translations=centres,
            widths=found.widths_m[kept],
            scores=np.zeros(len(kept)),
            depths=np.asarray(DEPTHS_M)[found.depth_ids[kept]],
            view_ids=view[pair],
            angle_ids=angle,
            seed_ids=cKDTree(prediction.points[prediction.seeds]).query(centres)[1],
        )

    def _rows_away(self, grasps: GraspGroup, reach_m: float) -> IntpArray:
        """Rows of the prediction's points that stand for places away from the grasps."""
        config, points = self.config, self._prediction.points
        rows = np.flatnonzero(self._allowed & (self._prediction.objectness > config.objectness))
        rows = rows[_away(points[rows], grasps, reach_m)]
        cubes = np.floor(points[rows] / config.place_m).astype(np.int64)
        rows = rows[np.sort(np.unique(cubes, axis=0, return_index=True)[1])]
        return rows[farthest_points(points[rows], config.places)]

    def _views(self, scores: Float32Array) -> tuple[IntpArray, IntpArray]:
        """Place and view (F,) of what is looked at, the best view of every place first; scores (R, 300)."""
        config, allowed = self.config, self._allowed_views
        if allowed is None:
            allowed = np.ones(scores.shape[1], dtype=np.bool_)
        votes = np.where(allowed, scores.sum(axis=0), -np.inf)
        most = min(config.shared_views, int(np.count_nonzero(allowed)))
        shared = np.argsort(-votes, kind="stable")[:most]
        left, near = scores[:, shared].copy(), _near_views(config.spread_rad)[np.ix_(shared, shared)]
        places, views = [], []
        for _ in range(min(config.views, len(shared))):
            best = left.argmax(axis=1)
            open_ = np.flatnonzero(np.isfinite(left[np.arange(len(left)), best]))
            places.append(open_)
            views.append(shared[best[open_]])
            left[near[best]] = -np.inf
        return np.concatenate(places), np.concatenate(views)


@cache
def _near_views(spread_rad: float) -> BoolArray:
    """(300, 300) which views are less than that from each other."""
    views = fibonacci_views()
    return np.asarray(views @ views.T > np.cos(spread_rad))


def _away(points: Float32Array, grasps: GraspGroup, reach_m: float) -> BoolArray:
    """Which of points (N, 3) are farther than that from the pads of all grasps."""
    if len(grasps) == 0 or len(points) == 0:
        return np.ones(len(points), dtype=np.bool_)
    distance_m, _ = cKDTree(grasps.pad_middles).query(points, distance_upper_bound=reach_m)
    return np.asarray(~np.isfinite(distance_m))


def _rank_among_equals(values: IntpArray) -> IntpArray:
    """How many equal values come before each of (N,)."""
    order = np.argsort(values, kind="stable")
    begins = np.searchsorted(values[order], values[order])
    rank = np.empty(len(values), dtype=np.intp)
    rank[order] = np.arange(len(values)) - begins
    return rank


def _near_any(points: Float32Array, places: Float32Array, reach_m: float) -> BoolArray:
    """Which of points (P, 3) are nearer than that to one of the places (R, 3), R at least 1."""
    near = np.zeros(len(points), dtype=np.bool_)
    low, high = places.min(axis=0) - np.float32(reach_m), places.max(axis=0) + np.float32(reach_m)

    def look(start: int, stop: int) -> None:
        _mark_near(points, places, low, high, reach_m, near, start, stop)

    in_parts(look, len(points), _POINTS_AT_ONCE, thread_count())
    return near


@compiled
def _mark_near(
    points: Float32Array,
    places: Float32Array,
    low: Float32Array,
    high: Float32Array,
    reach_m: float,
    near: BoolArray,
    start: int,
    stop: int,
) -> None:
    last = 0  # the place that the point before was near, and so maybe this one
    for point in range(start, stop):
        outside = False
        for axis in range(3):
            outside |= (points[point, axis] < low[axis]) | (points[point, axis] > high[axis])
        if outside:
            continue
        for turn in range(len(places)):
            place = last + turn
            if place >= len(places):
                place -= len(places)
            dx = points[point, 0] - places[place, 0]
            dy = points[point, 1] - places[place, 1]
            dz = points[point, 2] - places[place, 2]
            if dx * dx + dy * dy + dz * dz < reach_m * reach_m:
                near[point] = True
                last = place
                break
