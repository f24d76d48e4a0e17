# SPDX-License-Identifier: Apache-2.0
"""Where the fish really are. For reports and tests: perception never reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import mujoco
import numpy as np

from anygrasp_perception.arrays import BoolArray, Float64Array
from anygrasp_perception.se3 import make_transform
from anygrasp_sim.fish.fish_cell_config import FishCellConfig
from anygrasp_sim.fish.fish_kinds import FishKind
from anygrasp_sim.fish.long_gripper import FINGERS

__all__ = ["FishPlace", "FishState", "FishTruth"]


class FishPlace(IntEnum):
    """Where a fish is; the numbers of anygrasp_msgs/CellObject, the tank for the plate."""

    IN_TANK = 0
    HELD = 1
    IN_BIN = 2
    OUTSIDE = 3


@dataclass(frozen=True, eq=False)
class FishState:
    """Ground truth of one fish."""

    name: str
    kind: str
    place: FishPlace
    T_base_fish: Float64Array  # (4, 4) at half the length, x to the head, z up
    velocity_m_s: Float64Array  # (3,) of the trunk, base axes
    size_m: tuple[float, float, float]  # length, width, height of the straight body
    touches: tuple[bool, bool]  # left and right finger


class FishTruth:
    """Reads the fish out of the physics."""

    def __init__(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        names: Sequence[str],
        kinds: Sequence[FishKind],
        config: FishCellConfig,
    ) -> None:
        self._data, self._config = data, config
        self._names, self._kinds = tuple(names), tuple(kinds)
        self._bodies = np.array([model.body(name).id for name in names])
        self._dof = model.jnt_dofadr[model.body_jntadr[self._bodies]]
        # Fins count as their fish.
        self._fish_of_body = np.full(model.nbody, -1)
        for index, name in enumerate(names):
            self._fish_of_body[[model.body(name).id, model.body(f"{name}_fin").id]] = index
        self._geom_body = model.geom_bodyid
        self._fingers = [model.body(name).id for name in FINGERS]
        bodies = [kind.body() for kind in kinds]
        # From the trunk's frame to half the length.
        self._middle = [float(np.mean(body.spine(0.0)[0][[0, -1], 0])) for body in bodies]
        self._sizes = [
            (body.length_m, 2 * float(body.half_widths_m.max()), 2 * float(body.half_heights_m.max()))
            for body in bodies
        ]

    def states(self) -> list[FishState]:
        """The state of every fish, in the order given."""
        touching = self._touching()
        states = []
        for index, (name, kind, body) in enumerate(zip(self._names, self._kinds, self._bodies, strict=True)):
            position, R = self._data.xpos[body], self._data.xmat[body].reshape(3, 3)
            dof = self._dof[index]
            touches = (bool(touching[0, index]), bool(touching[1, index]))
            states.append(
                FishState(
                    name=name,
                    kind=kind.name,
                    place=self._place(position, all(touches)),
                    T_base_fish=make_transform(R, position + self._middle[index] * R[:, 0]),
                    velocity_m_s=self._data.qvel[dof : dof + 3].copy(),
                    size_m=self._sizes[index],
                    touches=touches,
                )
            )
        return states

    def _place(self, position: Float64Array, gripped: bool) -> FishPlace:
        config = self._config
        if gripped:
            return FishPlace.HELD
        for place, center, size, floor in (
            (FishPlace.IN_TANK, config.tank_center_m, config.tank_inner_size_m, config.tank_floor_m),
            (FishPlace.IN_BIN, config.bin_center_m, config.bin_inner_size_m, config.bin_floor_m),
        ):
            inside = np.all(np.abs(position[:2] - center) < np.array(size) / 2)
            if inside and floor < position[2] < 0.05:
                return place
        return FishPlace.OUTSIDE

    def _touching(self) -> BoolArray:
        """(2, N) whether each finger touches each fish."""
        touching = np.zeros((2, len(self._names)), dtype=bool)
        bodies = self._geom_body[self._data.contact.geom]  # (C, 2)
        for row, finger in enumerate(self._fingers):
            for one, other in ((0, 1), (1, 0)):
                fish = self._fish_of_body[bodies[bodies[:, one] == finger, other]]
                touching[row, fish[fish >= 0]] = True
        return touching
