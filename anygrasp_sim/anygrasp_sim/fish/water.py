# SPDX-License-Identifier: Apache-2.0
"""What water and their own fins do to the fish: buoyancy, drag, thrust and righting."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_sim.fish.fish_cell_config import WaterConfig
from anygrasp_sim.fish.fish_kinds import FishKind
from anygrasp_sim.fish.swimming import Course

__all__ = ["WaterForces"]

_THRUST_M_S2 = 0.5  # most that the fins accelerate a fish along its body: what it can push against
_TURN_RAD_S2 = 12.0  # likewise for turns
_RIGHTING_RAD_S2 = 60.0  # for each radian off upright
_DEPTH_PER_S2 = 8.0  # acceleration for each metre off the wanted depth
_GRAVITY_M_S2 = 9.81


class WaterForces:
    """Writes the forces on N fish into `xfrc_applied`; nothing acts on what is out of the water."""

    def __init__(
        self, model: mujoco.MjModel, names: Sequence[str], kinds: Sequence[FishKind], config: WaterConfig
    ) -> None:
        self._config = config
        self._body = np.array([model.body(name).id for name in names])
        self._dof = model.jnt_dofadr[model.body_jntadr[self._body]]
        self._fins = np.array([model.body(f"{name}_fin").id for name in names])
        self._own_mass = model.body_mass[self._body]
        self._fin_mass = model.body_mass[self._fins]
        self._mass = self._own_mass + self._fin_mass
        length = np.array([kind.length_m for kind in kinds])
        self._inertia = self._mass * length**2 / 12
        self._half_height = np.array([kind.half_height * kind.length_m for kind in kinds])
        self.submerged = np.ones(len(names))  # share of each fish that is under water

    def apply(self, data: mujoco.MjData, course: Course) -> None:
        """Set the forces for the next physics step."""
        R = data.xmat[self._body].reshape(-1, 3, 3)
        velocity = data.qvel[self._dof[:, None] + np.arange(3)]  # of the frame, base axes
        spin = np.einsum("nij,nj->ni", R, data.qvel[self._dof[:, None] + np.arange(3, 6)])
        middle = data.xipos[self._body, 2]
        self.submerged = np.clip((self._config.level_m - middle) / (2 * self._half_height) + 0.5, 0.0, 1.0)
        force = self._forces(R, velocity, middle, course)
        torque = self._torques(R, spin, course)
        wet = (self.submerged * (self.submerged > 0.05))[:, None]
        data.xfrc_applied[self._body, :3] = wet * self._mass[:, None] * force
        data.xfrc_applied[self._body, 3:] = wet * self._inertia[:, None] * torque
        # The model's fish weigh nothing, as in water; out of it their weight comes back, part by part.
        heavy = _GRAVITY_M_S2 * (1 - self.submerged)
        data.xfrc_applied[self._body, 2] -= self._own_mass * heavy
        data.xfrc_applied[self._fins, 2] = -self._fin_mass * heavy

    def _forces(
        self, R: Float64Array, velocity: Float64Array, middle: Float64Array, course: Course
    ) -> Float64Array:
        """Accelerations (N, 3) by fins and drag."""
        drag = self._config.lateral_drag_per_s
        forward = R[:, :, 0]
        along = np.einsum("ni,ni->n", forward, velocity)
        sideways = velocity - along[:, None] * forward
        thrust = np.clip((course.speed_m_s - along) * drag, -_THRUST_M_S2, _THRUST_M_S2) - along * drag / 6
        thrust += course.speed_m_s * drag / 6
        acceleration = thrust[:, None] * forward - drag * sideways
        acceleration[:, 2] += np.clip(_DEPTH_PER_S2 * (course.height_m - middle), -0.5, 0.5)
        return np.asarray(acceleration)

    def _torques(self, R: Float64Array, spin: Float64Array, course: Course) -> Float64Array:
        """Angular accelerations (N, 3): the wanted turn, upright otherwise."""
        drag = self._config.turn_drag_per_s
        up = R[:, :, 2]
        righting = _RIGHTING_RAD_S2 * np.cross(up, np.array([0.0, 0.0, 1.0]))
        righting -= drag * spin
        righting[:, 2] = np.clip(drag * (course.turn_rad_s - spin[:, 2]), -_TURN_RAD_S2, _TURN_RAD_S2)
        return np.asarray(righting)
