# SPDX-License-Identifier: Apache-2.0
"""Drops objects onto a support in MuJoCo and returns where they come to rest."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from anygrasp_perception.arrays import BoolArray, Float64Array
from anygrasp_training.objects import ProceduralObject
from anygrasp_training.objects.mujoco_body import add_free_body
from anygrasp_training.scenes.surroundings import Tray
from anygrasp_training.scenes.table import Table

__all__ = ["Pile"]

_STEP_S = 0.003
_PARKED_Z_M = 5.0
_REST_SPEED_M_S = 0.008
_REST_RATE_RAD_S = 0.2
_BASE_M = 0.02  # of MuJoCo's height fields: thickness below the lowest point
_FRICTION = (0.8, 0.01, 0.001)


class Pile:
    """Objects, a table and perhaps a tray; objects wait out of the way until they are released."""

    def __init__(
        self,
        objects: Sequence[ProceduralObject],
        table: Table,
        tray: Tray | None,
        gravity_m_s2: Float64Array,
    ) -> None:
        self._model = _compile(objects, table, tray, gravity_m_s2)
        self._data = mujoco.MjData(self._model)
        self._body = np.array([self._model.body(f"object_{i}").id for i in range(len(objects))])
        self._waiting = np.ones(len(objects), dtype=np.bool_)
        for index in range(len(objects)):
            self._hold(index)
        mujoco.mj_forward(self._model, self._data)

    @property
    def poses(self) -> Float64Array:
        """(N, 4, 4) T_scene_object of all objects, those that wait included."""
        poses = np.tile(np.eye(4), (len(self._body), 1, 1))
        poses[:, :3, :3] = self._data.xmat[self._body].reshape(-1, 3, 3)
        poses[:, :3, 3] = self._data.xpos[self._body]
        return poses

    @property
    def released(self) -> BoolArray:
        """(N,) which objects are in play."""
        return ~self._waiting

    def release(self, index: int, T_scene_object: Float64Array) -> None:
        """Put one object at a pose and let it fall from now on."""
        quat = np.zeros(4)
        mujoco.mju_mat2Quat(quat, T_scene_object[:3, :3].ravel())
        self._place(index, T_scene_object[:3, 3], quat)
        self._model.body_gravcomp[self._body[index]] = 0.0
        self._waiting[index] = False

    def withdraw(self, index: int) -> None:
        """Take one object out of play."""
        self._hold(index)
        self._waiting[index] = True

    def step(self, duration_s: float) -> None:
        """Let physics run."""
        mujoco.mj_step(self._model, self._data, nstep=max(1, round(duration_s / _STEP_S)))

    def step_until_rest(self, limit_s: float) -> bool:
        """Step until all released objects have been at rest for 0.1 s; False when time ran out before."""
        calm_s, elapsed_s = 0.0, 0.0
        while elapsed_s < limit_s and calm_s < 0.1:
            self.step(0.05)
            elapsed_s += 0.05
            calm_s = calm_s + 0.05 if self._at_rest() else 0.0
        mujoco.mj_forward(self._model, self._data)
        return calm_s >= 0.1

    def _at_rest(self) -> bool:
        velocity = self._data.qvel.reshape(-1, 6)[self.released]
        return bool(
            np.all(np.linalg.norm(velocity[:, :3], axis=1) < _REST_SPEED_M_S)
            and np.all(np.linalg.norm(velocity[:, 3:], axis=1) < _REST_RATE_RAD_S)
        )

    def _hold(self, index: int) -> None:
        """Hang an object weightless, far above the scene and away from the others that wait."""
        self._place(index, np.array([0.6 * index, 0.0, _PARKED_Z_M]), np.array([1.0, 0.0, 0.0, 0.0]))
        self._model.body_gravcomp[self._body[index]] = 1.0

    def _place(self, index: int, position: Float64Array, quat_wxyz: Float64Array) -> None:
        self._data.qpos[7 * index : 7 * index + 7] = (*position, *quat_wxyz)
        self._data.qvel[6 * index : 6 * index + 6] = 0.0


def _compile(
    objects: Sequence[ProceduralObject], table: Table, tray: Tray | None, gravity_m_s2: Float64Array
) -> mujoco.MjModel:
    spec = mujoco.MjSpec()
    option = spec.option
    option.timestep = _STEP_S
    option.gravity = gravity_m_s2
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    _add_table(spec, table)
    for center, size in tray.boxes() if tray else []:
        spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX, pos=center, size=np.array(size) / 2, friction=_FRICTION
        )
    for index, item in enumerate(objects):
        _add_object(spec, f"object_{index}", item)
    model = spec.compile()
    # Little enough for a fall, but it ends the rolling of cans, which friction alone never would.
    model.dof_damping[:] = np.tile([1e-3] * 3 + [1e-4] * 3, len(objects))
    return model


def _add_table(spec: mujoco.MjSpec, table: Table) -> None:
    middle, half = (table.lower_xy + table.upper_xy) / 2, (table.upper_xy - table.lower_xy) / 2
    if table.is_flat:
        level = float(table.heights.mean())
        spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX,
            pos=(*middle, level - _BASE_M / 2),
            size=(*half, _BASE_M / 2),
            friction=_FRICTION,
        )
        return
    lowest, span = float(table.heights.min()), float(np.ptp(table.heights))
    rows, columns = table.heights.shape
    spec.add_hfield(
        name="table",
        nrow=rows,
        ncol=columns,
        size=(*half, span, _BASE_M),
        userdata=((table.heights - lowest) / span).ravel(),
    )
    spec.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_HFIELD, hfieldname="table", pos=(*middle, lowest), friction=_FRICTION
    )


def _add_object(spec: mujoco.MjSpec, name: str, item: ProceduralObject) -> None:
    body = add_free_body(spec, name, item)
    for index, mesh in enumerate(item.convex_parts):
        part = f"{name}_{index}"
        spec.add_mesh(
            name=part,
            uservert=np.asarray(mesh.vertices).ravel(),
            userface=np.asarray(mesh.faces).ravel(),
            inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX,
        )
        body.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname=part, condim=4, friction=_FRICTION, mass=0.0)
