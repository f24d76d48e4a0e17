# SPDX-License-Identifier: Apache-2.0
"""Where the simulated objects really are. For reports and tests: perception never reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import mujoco
import numpy as np

from anygrasp_perception.arrays import BoolArray, Float64Array
from anygrasp_perception.se3 import make_transform
from anygrasp_sim.arm_model import FINGER_PADS
from anygrasp_sim.cell_config import CellConfig
from anygrasp_training.objects import ProceduralObject

__all__ = ["GroundTruth", "ObjectPlace", "ObjectState"]

_PILE_HEIGHT_M = 0.25  # over a tray and higher than this, an object is in the air and not on the pile


class ObjectPlace(IntEnum):
    """Where an object is; the numbers of anygrasp_msgs/CellObject."""

    ON_PLATE = 0
    HELD = 1
    IN_BIN = 2
    OUTSIDE = 3


@dataclass(frozen=True, eq=False)
class ObjectState:
    """Ground truth of one object, for reports and tests."""

    name: str
    category: str
    place: ObjectPlace
    T_base_object: Float64Array  # (4, 4), origin at the centre of mass
    size_m: Float64Array  # (3,) extents along the object's own axes


class GroundTruth:
    """Reads the places and poses of the objects out of the physics."""

    def __init__(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        objects: Sequence[ProceduralObject],
        config: CellConfig,
    ) -> None:
        self._model, self._data, self._config = model, data, config
        self._objects = tuple(objects)
        self._bodies = np.array([model.body(item.name).id for item in objects])
        self._pads = [[model.geom(name).id for name in side] for side in FINGER_PADS]

    def object_states(self) -> list[ObjectState]:
        """The state of every object, in the order given."""
        held = self._held()
        states = []
        for index, (item, body) in enumerate(zip(self._objects, self._bodies, strict=True)):
            position = self._data.xpos[body].copy()
            place = ObjectPlace.HELD if held[index] else self._place(position)
            T_base_object = make_transform(self._data.xmat[body].reshape(3, 3), position)
            states.append(ObjectState(item.name, item.category, place, T_base_object, item.size_m))
        return states

    def _place(self, position: Float64Array) -> ObjectPlace:
        config = self._config
        if not 0 < position[2] < _PILE_HEIGHT_M:
            return ObjectPlace.OUTSIDE
        if np.all(np.abs(position[:2] - config.bin_center_m) < np.array(config.bin_inner_size_m) / 2):
            return ObjectPlace.IN_BIN
        if np.all(np.abs(position[:2] - config.plate_center_m) < config.plate_inner_size_m / 2):
            return ObjectPlace.ON_PLATE
        return ObjectPlace.OUTSIDE

    def _held(self) -> BoolArray:
        """(N,) objects between both finger pads that rest on nothing but, perhaps, each other."""
        geoms = self._data.contact.geom  # (C, 2)
        bodies = self._model.geom_bodyid[geoms]
        touching = np.zeros((3, self._model.nbody), dtype=bool)  # left pads, right pads, furniture
        for one, other in ((0, 1), (1, 0)):
            for row, members in enumerate(
                (np.isin(geoms, self._pads[0]), np.isin(geoms, self._pads[1]), bodies == 0)
            ):
                touching[row, bodies[members[:, one], other]] = True
        left, right, furniture = touching[:, self._bodies]
        return np.asarray(left & right & ~furniture)
