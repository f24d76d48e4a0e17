# SPDX-License-Identifier: Apache-2.0
"""Where the objects of a simulated cell truly were over time, as in CellObjects.msg."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.se3 import inverse, transform_points

__all__ = ["CellSnapshot", "ObjectState", "Place", "bin_entries", "snapshot_at"]


class Place(IntEnum):
    """Where an object is."""

    ON_PLATE = 0
    HELD = 1  # touched by both finger pads and off the plate
    IN_BIN = 2
    OUTSIDE = 3  # fell off the plate


@dataclass(frozen=True, eq=False)
class ObjectState:
    """One object at one moment."""

    name: str  # unique in the cell
    category: str
    place: Place
    T_world_object: Float64Array  # (4, 4) centre of mass frame
    size_m: tuple[float, float, float]  # extents of its box in its own frame

    def distance_m(self, point_world: ArrayLike) -> float:
        """Distance of a point (3,) from the object's oriented box; 0 inside."""
        point_object = transform_points(inverse(self.T_world_object), point_world)
        beyond = np.abs(point_object) - np.array(self.size_m) / 2.0
        return float(np.linalg.norm(np.maximum(beyond, 0.0)))


@dataclass(frozen=True, eq=False)
class CellSnapshot:
    """All objects at one moment."""

    stamp_s: float  # ROS clock
    objects: tuple[ObjectState, ...]


def bin_entries(history: Sequence[CellSnapshot]) -> dict[str, float]:
    """When each object that ended in the bin first got there, ROS-clock seconds by name.

    `history` is in the order of time. Objects that were in the bin from the start are left out, and so is
    one that jumped out again.
    """
    entered_s: dict[str, float] = {}
    if not history:
        return entered_s
    for snapshot in history:
        for state in snapshot.objects:
            if state.place is Place.IN_BIN:
                entered_s.setdefault(state.name, snapshot.stamp_s)
    at_start = {state.name for state in history[0].objects if state.place is Place.IN_BIN}
    at_end = {state.name for state in history[-1].objects if state.place is Place.IN_BIN}
    return {name: stamp_s for name, stamp_s in entered_s.items() if name in at_end - at_start}


def snapshot_at(history: Sequence[CellSnapshot], stamp_s: float) -> CellSnapshot | None:
    """The last snapshot not later than `stamp_s`, else the first; None without history."""
    earlier = [snapshot for snapshot in history if snapshot.stamp_s <= stamp_s]
    return earlier[-1] if earlier else next(iter(history), None)
