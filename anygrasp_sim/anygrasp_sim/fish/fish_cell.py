# SPDX-License-Identifier: Apache-2.0
"""The simulated fish cell: steps physics, moves as a controller commands, and is seen."""

from __future__ import annotations

from types import TracebackType

import mujoco
import numpy as np

from anygrasp_perception.arrays import Float64Array, Uint8Array
from anygrasp_perception.camera import RgbdFrame
from anygrasp_perception.se3 import make_transform
from anygrasp_sim.camera import OffscreenCamera
from anygrasp_sim.fish.fish_cell_config import LONG_FINGERS, FishCellConfig
from anygrasp_sim.fish.fish_kinds import choose_kinds
from anygrasp_sim.fish.fish_model import tail_joint
from anygrasp_sim.fish.fish_truth import FishState, FishTruth
from anygrasp_sim.fish.fish_world import build_fish_world
from anygrasp_sim.fish.long_gripper import LongGripper
from anygrasp_sim.fish.rizon_model import (
    ARM_JOINTS,
    FLANGE_SITE,
    JOINT_FEEDFORWARD_S,
    RIZON4_VELOCITY_LIMITS_RAD_S,
)
from anygrasp_sim.fish.swimming import Swimming
from anygrasp_sim.fish.tank import OVERVIEW_CAMERA
from anygrasp_sim.fish.water import WaterForces
from anygrasp_sim.fish.wrist_camera import WristCamera

__all__ = ["FishCell"]

_COURSE_PERIOD_S = 0.02  # how often the fish think


class FishCell:
    """A Rizon 4 with long fingers, a tank of swimming fish, a bin, and a wrist camera, in simulated time.

    All of it belongs to one thread. Raises ValueError on an unknown kind of fish.
    """

    def __init__(self, config: FishCellConfig | None = None) -> None:
        self.config = config = config or FishCellConfig()
        self.kinds = choose_kinds(config.fish.count, config.fish.kinds)
        self.names = [f"{kind.name}_{index}" for index, kind in enumerate(self.kinds)]
        self.model = build_fish_world(config, self.names, self.kinds)
        self.data = mujoco.MjData(self.model)
        rng = np.random.default_rng([config.seed, 0])
        self._joints = np.array([self.model.joint(name).qposadr[0] for name in ARM_JOINTS])
        self._dofs = np.array([self.model.joint(name).dofadr[0] for name in ARM_JOINTS])
        self._actuators = np.array([self.model.actuator(name).id for name in ARM_JOINTS])
        self._flange = self.model.site(FLANGE_SITE).id
        self._reference = np.array(config.home_joints_rad, dtype=np.float64)
        self._target = self._reference.copy()
        self.data.qpos[self._joints] = self.data.ctrl[self._actuators] = self._reference
        self.gripper = LongGripper(self.model, self.data, LONG_FINGERS.max_width_m)
        self._bodies = np.array([self.model.body(name).id for name in self.names])
        self._tails = np.array([self.model.actuator(tail_joint(name)).id for name in self.names])
        self._beats = np.array([2 * np.pi * kind.beat_hz for kind in self.kinds])
        self._swings = np.array([kind.swing_rad for kind in self.kinds])
        self._phase = rng.uniform(0, 2 * np.pi, len(self.names))
        self._place_fish(rng)
        mujoco.mj_forward(self.model, self.data)
        self._swimming = Swimming(self.kinds, config, rng)
        self._water = WaterForces(self.model, self.names, self.kinds, config.water)
        self._truth = FishTruth(self.model, self.data, self.names, self.kinds, config)
        self._course = self._swimming.advance(*self._whereabouts(), _COURSE_PERIOD_S)
        self._next_course_s = _COURSE_PERIOD_S
        self._camera: WristCamera | None = None

    # Time and physics

    @property
    def time_s(self) -> float:
        """Simulated time."""
        return float(self.data.time)

    def step(self, periods: int = 1) -> None:
        """Advance by whole controller periods; without a new command the arm holds its last one."""
        dt_s, period_s = self.config.physics_step_s, self.config.control_period_s
        substeps = round(period_s / dt_s)
        limit = RIZON4_VELOCITY_LIMITS_RAD_S
        for _ in range(periods):
            start = self._reference
            change = np.clip(self._target - start, -limit * period_s, limit * period_s)
            lead = JOINT_FEEDFORWARD_S * change / period_s  # the servo then damps the error of speed
            self._swim(period_s)
            for k in range(substeps):
                self.data.ctrl[self._actuators] = start + change * ((k + 1) / substeps) + lead
                self.gripper.advance(dt_s)
                mujoco.mj_step(self.model, self.data)
            self._reference = start + change

    # The arm, as its controller sees it

    def joint_positions(self) -> Float64Array:
        """Measured joint angles, (7,) rad."""
        return np.array(self.data.qpos[self._joints], dtype=np.float64)

    def joint_velocities(self) -> Float64Array:
        """Measured joint speeds, (7,) rad/s."""
        return np.array(self.data.qvel[self._dofs], dtype=np.float64)

    def command_joints(self, q_rad: Float64Array) -> None:
        """Set the joint angles (7,) rad to head for; faster than the joints turn, it takes longer."""
        self._target = np.array(q_rad, dtype=np.float64)

    def flange_pose(self) -> Float64Array:
        """Measured T_base_flange (4, 4)."""
        R = self.data.site_xmat[self._flange].reshape(3, 3)
        return make_transform(R, self.data.site_xpos[self._flange])

    def tcp_pose(self) -> Float64Array:
        """Measured T_base_tcp (4, 4)."""
        return self.flange_pose() @ self.config.T_flange_tcp

    # What is seen and what is true

    @property
    def T_base_camera(self) -> Float64Array:
        """(4, 4) pose of the camera's optical frame in `base`, now."""
        return self.flange_pose() @ self.config.T_flange_camera

    def render(self) -> RgbdFrame:
        """What the wrist camera measures now: colour and depth, water and all.

        Raises:
            RenderingUnavailable: no OpenGL on this machine.
        """
        if self._camera is None:
            self._camera = WristCamera(self.model, self.config)
        return self._camera.render(self.data, self.T_base_camera)

    def overview(self, width: int = 640, height: int = 480) -> Uint8Array:
        """A picture (H, W, 3) RGB of the whole cell from outside, for people."""
        with OffscreenCamera(self.model, OVERVIEW_CAMERA, width, height, fancy=True) as camera:
            return camera.picture(self.data)

    def fish_states(self) -> list[FishState]:
        """Ground truth of every fish; for reports and tests only."""
        return self._truth.states()

    def close(self) -> None:
        """Free the camera; safe to call twice."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None

    def __enter__(self) -> FishCell:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _swim(self, dt_s: float) -> None:
        if self.time_s >= self._next_course_s:
            self._course = self._swimming.advance(*self._whereabouts(), _COURSE_PERIOD_S)
            self._next_course_s += _COURSE_PERIOD_S
        self._water.apply(self.data, self._course)
        pace = self._swimming.pace
        self._phase += self._beats * pace * dt_s
        self.data.ctrl[self._tails] = self._swings * np.sqrt(pace) * np.sin(self._phase)

    def _whereabouts(self) -> tuple[Float64Array, Float64Array]:
        """Positions (N, 2) and headings (N,)."""
        R = self.data.xmat[self._bodies].reshape(-1, 3, 3)
        return self.data.xpos[self._bodies, :2].copy(), np.arctan2(R[:, 1, 0], R[:, 0, 0])

    def _place_fish(self, rng: np.random.Generator) -> None:
        """Put the fish into the water, apart from each other, headed anywhere."""
        config = self.config
        low, high = config.fish.depth_m
        placed: list[Float64Array] = []
        for name, kind in zip(self.names, self.kinds, strict=True):
            half = np.array(config.tank_inner_size_m) / 2 - kind.length_m * 0.6
            candidates = np.array(config.tank_center_m) + rng.uniform(-half, half, (200, 2))
            gaps = [
                min((float(np.linalg.norm(c - other)) for other in placed), default=1.0) for c in candidates
            ]
            # The first that is far enough from all, else the one that is furthest.
            far = [i for i, gap in enumerate(gaps) if gap > 0.13]
            xy = candidates[far[0] if far else int(np.argmax(gaps))]
            placed.append(xy)
            yaw = rng.uniform(-np.pi, np.pi)
            start = self.model.joint(name).qposadr[0]
            height = config.water.level_m - rng.uniform(low, high)
            self.data.qpos[start : start + 7] = (*xy, height, np.cos(yaw / 2), 0, 0, np.sin(yaw / 2))
