# SPDX-License-Identifier: Apache-2.0
"""One grasp in physics: approach, close, lift 25 cm, hold 2 s, shake (PROBES 7)."""

from __future__ import annotations

import math

import mujoco
import numpy as np
from numpy.typing import NDArray

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.se3 import inverse, make_transform
from anygrasp_sim.emulators.robot_backend import GripperContact
from anygrasp_sim.gripper_model import OPEN_WIDTH_M, SimulatedGripper, fingertip_reach
from anygrasp_sim.label_check.gantry import AXES, HAND, R_WORLD_GRASP, build_gantry
from anygrasp_sim.label_check.trial_config import TrialConfig, TrialResult
from anygrasp_training.objects import ProceduralObject

__all__ = ["Trial"]

_BACKWARD = -R_WORLD_GRASP[:, 0]  # against the approach
_APPROACH_S = 0.6
_CLOSE_LIMIT_S = 5.0
_SQUEEZE_S = 0.3
_LIFT_S = 1.2
_SHAKE_HZ = 2.0
_CHECK_S = 0.05
_SETTLE_S = 0.4
_GRAVITY_M_S2 = 9.81
_AIR = 2e-4  # as in the cell (world.py): what rolls, comes to rest


class Trial:
    """Physics of one object and one grasp (a group of one, in the object's frame)."""

    def __init__(self, item: ProceduralObject, grasp: GraspGroup, config: TrialConfig) -> None:
        self._config = config
        self.model = build_gantry(item, config.friction)
        self.data = mujoco.MjData(self.model)
        self._gripper = SimulatedGripper(self.model, self.data)
        self._axes = [self.model.actuator(name).id for name in AXES]
        self._hand = self.model.body(HAND).id
        self._object = self.model.body(item.name).id
        joint = self.model.joint(item.name)
        self._object_dofs = np.s_[joint.dofadr[0] : joint.dofadr[0] + 6]
        across, along = config.support_n_s_m, config.support_closing_n_s_m
        # The fingers close along y.
        support = (across, along, across, *(config.support_nm_s_rad,) * 3)
        self.model.dof_damping[self._object_dofs] = support
        # However it turned, an object that is still in the hand has not gone this far.
        self._lost_m = float(np.linalg.norm(item.size_m)) + 0.05

        # The fingertips arrive at the world's origin once closed on the object: they swing out as they close.
        self._opening_m = float(min(grasp.widths[0], OPEN_WIDTH_M))
        closed_m = max(self._opening_m - 2 * config.clearance_m, 0.0)
        self._grasp_point = np.array([0.0, 0.0, fingertip_reach(closed_m)])
        T_world_grasp = make_transform(R_WORLD_GRASP, np.zeros(3))
        T_object_grasp = make_transform(grasp.rotation_matrices[0], grasp.fingertips[0])
        self._place(joint.qposadr[0], T_world_grasp @ inverse(T_object_grasp))

    def run(self, rng: np.random.Generator) -> TrialResult:
        """Carry it out; `rng` draws the direction of gravity and of the shake."""
        start = self._grasp_point + self._config.approach_m * _BACKWARD
        self._open(start)
        self._move(start, self._grasp_point, _APPROACH_S)
        placed = self._T_hand_object()
        self._close()
        rolled_rad = self._motion(placed)[1]
        before = self._T_hand_object()
        up = self._release(rng)
        lifted = self._grasp_point + self._config.lift_m * up
        if (
            self._move(self._grasp_point, lifted, _LIFT_S, before)
            and self._move(lifted, lifted, self._config.hold_s, before)
            and self._shake(lifted, rng, before)
            and self._move(lifted, lifted, _SETTLE_S, before)
        ):
            slip_m, turn_rad = self._motion(before)
            return TrialResult(True, rolled_rad, slip_m, turn_rad)
        return TrialResult(False, rolled_rad, math.inf, math.inf)

    def _place(self, address: int, T_world_object: Float64Array) -> None:
        quat = np.zeros(4)
        mujoco.mju_mat2Quat(quat, T_world_object[:3, :3].ravel())
        self.data.qpos[address : address + 7] = (*T_world_object[:3, 3], *quat)

    def _open(self, start: Float64Array) -> None:
        """Bring the fingers to the opening, out of reach of the object."""
        away = start + 0.5 * _BACKWARD
        self.data.qpos[:3] = away
        self.data.ctrl[self._axes] = away
        mujoco.mj_forward(self.model, self.data)
        self._gripper.command(self._opening_m, 1.0, 1.0)
        self._step(0.7)
        self.data.qpos[:3] = start
        self.data.qvel[:3] = 0.0
        self.data.ctrl[self._axes] = start

    def _close(self) -> None:
        self._gripper.command(0.0, self._config.speed, self._config.force)
        start = self.data.time
        while self._gripper.contact is GripperContact.MOVING and self.data.time - start < _CLOSE_LIMIT_S:
            self._step(_CHECK_S)
        self._step(_SQUEEZE_S)

    def _release(self, rng: np.random.Generator) -> Float64Array:
        """Give the object its weight and return where up is, (3,)."""
        tilt, azimuth = rng.uniform(0.0, self._config.max_tilt_rad), rng.uniform(0.0, 2 * math.pi)
        sideways = math.sin(tilt) * np.array([math.cos(azimuth), math.sin(azimuth), 0.0])
        up: Float64Array = sideways + math.cos(tilt) * _BACKWARD
        self.model.opt.gravity[:] = -_GRAVITY_M_S2 * up
        self.model.dof_damping[self._object_dofs] = _AIR
        return up

    def _shake(self, middle: Float64Array, rng: np.random.Generator, before: Float64Array) -> bool:
        direction = rng.normal(size=3)
        direction *= self._config.shake_m / np.linalg.norm(direction)
        period_s = 1.0 / _SHAKE_HZ
        for _ in range(round(self._config.shake_s / period_s)):
            for start, end in ((middle, middle + direction), (middle + direction, middle - direction),
                               (middle - direction, middle)):  # fmt: skip
                share = np.linalg.norm(end - start) / (4 * self._config.shake_m)
                if not self._move(start, end, float(share) * period_s, before):
                    return False
        return True

    def _move(
        self,
        start: Float64Array,
        end: Float64Array,
        duration_s: float,
        before: Float64Array | None = None,
    ) -> bool:
        """Move the hand; False as soon as the object is lost, having been at `before` in the hand."""
        steps = max(1, round(duration_s / self.model.opt.timestep))
        check = round(_CHECK_S / self.model.opt.timestep)
        for step in range(steps):
            share = (1 - math.cos(math.pi * (step + 1) / steps)) / 2
            self.data.ctrl[self._axes] = start + share * (end - start)
            self._step(self.model.opt.timestep)
            lost = before is not None and step % check == 0 and self._motion(before)[0] > self._lost_m
            if lost:
                return False
        return before is None or self._motion(before)[0] <= self._lost_m

    def _step(self, duration_s: float) -> None:
        dt = self.model.opt.timestep
        for _ in range(max(1, round(duration_s / dt))):
            self._gripper.advance(dt)
            mujoco.mj_step(self.model, self.data)

    def _T_hand_object(self) -> Float64Array:
        hand: NDArray[np.float64] = self.data.xpos[self._hand]
        return make_transform(
            self.data.xmat[self._object].reshape(3, 3).copy(), self.data.xpos[self._object] - hand
        )

    def _motion(self, before: Float64Array) -> tuple[float, float]:
        """Slip in metres and turn in radians since the object was at `before` in the hand."""
        moved = self._T_hand_object() @ inverse(before)
        turn = math.acos(float(np.clip((np.trace(moved[:3, :3]) - 1) / 2, -1.0, 1.0)))
        slip = float(np.linalg.norm(self._T_hand_object()[:3, 3] - before[:3, 3]))
        return slip, turn
