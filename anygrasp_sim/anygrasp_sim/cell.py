# SPDX-License-Identifier: Apache-2.0
"""The simulated bin-picking cell: steps physics, moves as a controller commands, and is seen."""

from __future__ import annotations

from types import TracebackType

import mujoco
import numpy as np

from anygrasp_perception.arrays import Float64Array, Uint8Array
from anygrasp_perception.camera import RgbdFrame
from anygrasp_sim.arm_model import ARM_JOINTS, JOINT_FEEDFORWARD_S
from anygrasp_sim.camera import OffscreenCamera
from anygrasp_sim.cell_config import CellConfig
from anygrasp_sim.depth_noise import DepthSensorModel
from anygrasp_sim.emulators.robot_backend import GripperContact
from anygrasp_sim.gripper_model import OPEN_WIDTH_M, SimulatedGripper
from anygrasp_sim.ground_truth import GroundTruth, ObjectState
from anygrasp_sim.scenery import OVERHEAD_CAMERA, OVERVIEW_CAMERA, OVERVIEW_GROUP
from anygrasp_sim.settle import settle_on_plate
from anygrasp_sim.world import build_world
from anygrasp_training.objects import ProceduralObject, draw_objects, draw_split_objects

__all__ = ["BinPickingCell"]

_MAX_JOINT_SPEED_RAD_S = np.pi  # of a UR5e


class BinPickingCell:
    """A UR5e with a 2F-85, a plate of settled objects, a bin and a camera, in simulated time.

    Implements `RobotBackend`, so that an emulated controller moves it. All of it belongs to one thread.

    Raises:
        ValueError: an unknown object family or split.
        SettleError: the objects do not fit on the plate.
    """

    def __init__(self, config: CellConfig | None = None) -> None:
        self.config = config or CellConfig()
        self.objects = _draw(self.config)
        self.model = build_world(self.config, self.objects)
        self.data = mujoco.MjData(self.model)
        self._joints = np.array([self.model.joint(name).qposadr[0] for name in ARM_JOINTS])
        self._dofs = np.array([self.model.joint(name).dofadr[0] for name in ARM_JOINTS])
        self._actuators = np.array(
            [self.model.actuator(name.removesuffix("_joint")).id for name in ARM_JOINTS]
        )
        self._truth = GroundTruth(self.model, self.data, self.objects, self.config)
        self._gripper = SimulatedGripper(self.model, self.data)
        self._reference = np.array(self.config.home_joints_rad, dtype=np.float64)
        self._target = self._reference.copy()
        self.data.qpos[self._joints] = self.data.ctrl[self._actuators] = self._reference
        self._rng = np.random.default_rng(self.config.seed)
        self.refill()
        self._sensor = DepthSensorModel(self.config.depth_sensor, self.config.focal_px, self.config.seed)
        self._camera: OffscreenCamera | None = None

    # Time and physics

    def refill(self) -> None:
        """Drop all objects onto the plate once more, another heap each time; simulated time stands still.

        The arm holds its last command meanwhile: it had better not be over the plate.

        Raises:
            SettleError: the objects do not fit on the plate.
        """
        time_s = self.data.time
        self.model.opt.enableflags &= ~int(mujoco.mjtEnableBit.mjENBL_SLEEP)
        names = [item.name for item in self.objects]
        settle_on_plate(self.model, self.data, names, self.config, self._rng)
        self.data.time = time_s
        # From here on, what lies undisturbed costs nothing: physics wakes it when something touches it.
        self.model.opt.enableflags |= mujoco.mjtEnableBit.mjENBL_SLEEP

    @property
    def time_s(self) -> float:
        """Simulated time since the objects came to rest for the first time."""
        return float(self.data.time)

    def step(self, periods: int = 1) -> None:
        """Advance by whole controller periods; without a new command the arm holds its last one."""
        dt_s = self.config.physics_step_s
        substeps = round(self.config.control_period_s / dt_s)
        for _ in range(periods):
            start, change = self._reference, self._target - self._reference
            speed = np.clip(
                change / self.config.control_period_s, -_MAX_JOINT_SPEED_RAD_S, _MAX_JOINT_SPEED_RAD_S
            )
            lead = JOINT_FEEDFORWARD_S * speed  # turns the servo's damping of speed into one of speed error
            for k in range(substeps):
                self.data.ctrl[self._actuators] = start + change * ((k + 1) / substeps) + lead
                self._gripper.advance(dt_s)
                mujoco.mj_step(self.model, self.data)
            self._reference = self._target

    # RobotBackend

    def joint_positions(self) -> Float64Array:
        """Measured joint angles, (6,) rad."""
        return np.array(self.data.qpos[self._joints], dtype=np.float64)

    def joint_velocities(self) -> Float64Array:
        """Measured joint speeds, (6,) rad/s."""
        return np.array(self.data.qvel[self._dofs], dtype=np.float64)

    def command_joints(self, q_rad: Float64Array) -> None:
        """Set the joint angles (6,) rad to be at by the end of the next controller period."""
        self._target = np.array(q_rad, dtype=np.float64)

    def gripper_position(self) -> float:
        """Measured opening, 0 (85 mm) to 1 (closed), linear in the gap between the pads."""
        return float(np.clip(1 - self._gripper.width_m / OPEN_WIDTH_M, 0, 1))

    def command_gripper(self, position: float, speed: float, force: float) -> None:
        """Set target opening (0 open, 1 closed), speed and force (0 to 1 of the gripper's range)."""
        self._gripper.command((1 - position) * OPEN_WIDTH_M, speed, force)

    def gripper_object_detected(self) -> GripperContact:
        """Say whether the fingers move, rest at the commanded opening, or were stopped by an object."""
        return self._gripper.contact

    # What is seen and what is true

    @property
    def T_base_camera(self) -> Float64Array:
        """(4, 4) pose of the camera's optical frame in `base`."""
        return self.config.T_base_camera

    def render(self) -> RgbdFrame:
        """What the overhead camera measures now: colour and noisy depth.

        Raises:
            RenderingUnavailable: no OpenGL on this machine.
        """
        if self._camera is None:
            self._camera = OffscreenCamera(
                self.model,
                OVERHEAD_CAMERA,
                self.config.image_width,
                self.config.image_height,
                hidden_groups=(OVERVIEW_GROUP,),
            )
        color, depth_m = self._camera.render(self.data)
        return RgbdFrame(color=color, depth_m=self._sensor.apply(depth_m), intrinsics=self.config.intrinsics)

    def overview(self, width: int = 1280, height: int = 960) -> Uint8Array:
        """A picture (H, W, 3) RGB of the whole cell from outside, for people. Slow: about a second."""
        with OffscreenCamera(self.model, OVERVIEW_CAMERA, width, height, fancy=True) as camera:
            return camera.picture(self.data)

    def object_states(self) -> list[ObjectState]:
        """Where every object is, in the order of `objects`."""
        return self._truth.object_states()

    def close(self) -> None:
        """Free the camera."""
        if self._camera is not None:
            self._camera.close()

    def __enter__(self) -> BinPickingCell:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _draw(config: CellConfig) -> list[ProceduralObject]:
    if config.split:
        return draw_split_objects(config.split, config.object_count, config.seed)
    return draw_objects(config.object_count, config.seed, config.families)
