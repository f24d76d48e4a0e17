# SPDX-License-Identifier: Apache-2.0
"""Drops objects into the plate one after the other until all lie in it at rest."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from anygrasp_perception.arrays import BoolArray, Float64Array
from anygrasp_sim.cell_config import CellConfig

__all__ = ["SettleError", "settle_on_plate"]

_DROP_INTERVAL_S = 0.4
_DROP_CLEARANCE_M = 0.06  # of an object's bounding sphere over the highest point below it
_REST_TIME_S = 0.2  # at rest is what has moved and turned less than this in this time
_REST_MOTION_M = 0.0005
_REST_TURN_RAD = 0.02
_MAX_ROUND_S = 6.0
_MAX_ROUNDS = 12


class SettleError(RuntimeError):
    """The objects did not come to rest on the plate."""


def settle_on_plate(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    names: Sequence[str],
    config: CellConfig,
    rng: np.random.Generator,
) -> None:
    """Drop the named free bodies above the plate at random and step physics until they rest on it.

    Objects that fall or bounce out are dropped again. The arm holds its commanded position meanwhile.

    Raises:
        SettleError: some object is still outside or moving after a dozen rounds.
    """
    pile = _Pile(model, data, names, config)
    waiting = list(range(len(names)))
    rng.shuffle(waiting)
    for _ in range(_MAX_ROUNDS):
        pile.park(waiting)
        for index in waiting:
            pile.drop(index, rng)
        at_rest = pile.step_until_rest()
        waiting = np.flatnonzero(~pile.on_plate()).tolist()
        if not waiting and at_rest:
            return
    stray = ", ".join(names[i] for i in waiting) or "none outside, but some still moving"
    raise SettleError(
        f"{len(names)} objects did not come to rest on the plate ({stray}); ask for fewer objects or a "
        f"larger plate_inner_size_m than {config.plate_inner_size_m}"
    )


class _Pile:
    """The free bodies of the cell, addressed by their position in `names`."""

    def __init__(
        self, model: mujoco.MjModel, data: mujoco.MjData, names: Sequence[str], config: CellConfig
    ) -> None:
        self._model, self._data, self._config = model, data, config
        self._body = np.array([model.body(name).id for name in names])
        joint = model.body_jntadr[self._body]
        self._qpos = model.jnt_qposadr[joint]
        self._dof = model.jnt_dofadr[joint]
        geoms = [
            range(model.body_geomadr[b], model.body_geomadr[b] + model.body_geomnum[b]) for b in self._body
        ]
        # Largest distance of the surface from the centre of mass: no turn of the object reaches further.
        self._radius = np.array(
            [max(np.linalg.norm(model.geom_pos[g]) + model.geom_rbound[g] for g in span) for span in geoms]
        )

    def park(self, indices: Sequence[int]) -> None:
        """Hang objects weightless in the air, apart from each other, away from the cell."""
        for slot, index in enumerate(indices):
            self._place(index, np.array([0.4 * slot, 3.0, 1.0]), np.array([1.0, 0, 0, 0]))
            self._model.body_gravcomp[self._body[index]] = 1.0

    def drop(self, index: int, rng: np.random.Generator) -> None:
        """Release one object over the pile, in a random orientation, and let it fall for a moment."""
        config = self._config
        reach = max(config.plate_inner_size_m / 2 - self._radius[index], 0.03)
        xy = np.array(config.plate_center_m) + rng.uniform(-reach, reach, size=2)
        at = self._data.xpos[self._body]
        near = self.on_plate() & (np.linalg.norm(at[:, :2] - xy, axis=1) < self._radius + self._radius[index])
        top = np.max(at[near, 2] + self._radius[near], initial=config.plate_floor_m)
        quat = rng.normal(size=4)
        height = top + self._radius[index] + _DROP_CLEARANCE_M
        self._place(index, np.array([*xy, height]), quat / np.linalg.norm(quat))
        self._model.body_gravcomp[self._body[index]] = 0.0
        self._step(_DROP_INTERVAL_S)

    def step_until_rest(self) -> bool:
        """Step until no object moves any more; False when the round's time is up before."""
        # Judged by where things get to: contact makes a still pile tremble at speeds a falling object has.
        for _ in range(round(_MAX_ROUND_S / _REST_TIME_S)):
            position, quat = self._poses()
            self._step(_REST_TIME_S)
            new_position, new_quat = self._poses()
            moved = np.linalg.norm(new_position - position, axis=1)
            cosine = np.abs(np.sum(new_quat * quat, axis=1))  # of half the angle turned
            if np.all(moved < _REST_MOTION_M) and np.all(cosine > np.cos(_REST_TURN_RAD / 2)):
                return True
        return False

    def on_plate(self) -> BoolArray:
        """(N,) whether each centre of mass is over the plate's inside, near its floor or the pile."""
        offset = np.abs(self._data.xpos[self._body, :2] - np.array(self._config.plate_center_m))
        height = self._data.xpos[self._body, 2]
        inside = np.all(offset < self._config.plate_inner_size_m / 2, axis=1)
        return np.asarray(inside & (height > 0) & (height < 0.5))

    def _poses(self) -> tuple[Float64Array, Float64Array]:
        return self._data.xpos[self._body].copy(), self._data.xquat[self._body].copy()

    def _place(self, index: int, position: Float64Array, quat_wxyz: Float64Array) -> None:
        start, dof = self._qpos[index], self._dof[index]
        self._data.qpos[start : start + 7] = (*position, *quat_wxyz)
        self._data.qvel[dof : dof + 6] = 0.0

    def _step(self, duration_s: float) -> None:
        mujoco.mj_step(self._model, self._data, nstep=round(duration_s / self._model.opt.timestep))
