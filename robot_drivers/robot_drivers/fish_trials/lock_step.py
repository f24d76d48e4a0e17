# SPDX-License-Identifier: Apache-2.0
"""One trial in lock-step: simulated time passes for what a robot would need, whatever this machine needs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from anygrasp_perception.arrays import Float64Array, Uint8Array
from anygrasp_perception.camera import FrameError
from anygrasp_perception.detectors import create_detector
from anygrasp_sim.fish.fish_cell import FishCell
from anygrasp_sim.fish.fish_cell_config import FishCellConfig
from anygrasp_sim.fish.fish_truth import FishPlace
from anygrasp_sim.fish.flexiv_robot import SimulatedRizon
from anygrasp_tracking.appearance_features import AppearanceFeatures
from anygrasp_tracking.correspondence import AssociationPolicy, CorrespondencePolicy, NearestPolicy
from anygrasp_tracking.tracking_frame import TrackingFrame
from robot_drivers.arms.flexiv import FlexivArm, FlexivArmConfig
from robot_drivers.dynamic_grasping.catch_config import CatchConfig
from robot_drivers.dynamic_grasping.catch_executor import CatchExecutor, CatchLimits, CatchResult
from robot_drivers.dynamic_grasping.water_perception import WaterPerception, WaterPerceptionConfig
from robot_drivers.executors.perception import PerceptionError
from robot_drivers.grippers.flexiv import FlexivGripper, FlexivGripperConfig
from robot_drivers.report.ground_truth import CellSnapshot, ObjectState, Place

__all__ = ["POLICIES", "Trial", "TrialConfig", "create_policy", "run_trial"]

POLICIES = ("association", "nearest")


@dataclass(frozen=True)
class TrialConfig:
    """One trial. Raises ValueError on an unknown policy and on values out of range."""

    policy: str = "association"
    detector: str = "geometric"
    decision_s: float = 0.2  # simulated time from an image to the decision: 5 Hz
    truth_period_s: float = 0.05  # between two samples of where the fish are
    lockstep_s: float = 0.02  # simulated time a question for the robot's state takes
    cell: FishCellConfig = field(default_factory=FishCellConfig)
    catching: CatchConfig = field(default_factory=CatchConfig)
    perception: WaterPerceptionConfig = field(default_factory=WaterPerceptionConfig)
    limits: CatchLimits = field(default_factory=lambda: CatchLimits(max_attempts=16, timeout_s=300.0))

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise ValueError(f"no policy {self.policy!r}; choose one of {', '.join(POLICIES)}")
        for name in ("decision_s", "truth_period_s", "lockstep_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"TrialConfig.{name} is {getattr(self, name)}; it must be positive")

    def seeded(self, seed: int) -> TrialConfig:
        """The same trial with other fish."""
        return replace(self, cell=replace(self.cell, seed=seed))


@dataclass(frozen=True, eq=False)
class Trial:
    """What happened in one trial."""

    seed: int
    result: CatchResult
    history: tuple[CellSnapshot, ...]  # where the fish were
    pictures: tuple[Uint8Array, ...]  # (H, W, 3) RGB the camera's image of each attempt's last decision
    perception_s: float  # mean wall time of the perception, image to grasps
    real_time_factor: float  # simulated over wall seconds of the whole trial


def create_policy(name: str) -> CorrespondencePolicy:
    """The policy called so; raises ValueError on another name."""
    if name == "nearest":
        return NearestPolicy()
    if name == "association":
        return AssociationPolicy(AppearanceFeatures())
    raise ValueError(f"no policy {name!r}; choose one of {', '.join(POLICIES)}")


def run_trial(config: TrialConfig) -> Trial:
    """Catch fish until none is left in the tank or a limit is reached; the same config, the same trial.

    Raises:
        RenderingUnavailable: no OpenGL on this machine.
    """
    began_s = time.perf_counter()
    with FishCell(config.cell) as cell:
        rig = _Rig(config, cell)
        with rig.arm, rig.gripper:
            rig.gripper.activate()
            executor = CatchExecutor(
                config.catching,
                rig.arm,
                rig.gripper,
                rig.perceive,
                create_policy(config.policy),
                lambda: cell.time_s,
                rig.on_progress,
            )
            result = executor.catch(config.limits, rig.tank_is_empty)
            rig.pass_time(1.0)  # what was thrown comes to rest
        wall_s = time.perf_counter() - began_s
        return Trial(
            seed=config.cell.seed,
            result=result,
            history=tuple(rig.history),
            pictures=tuple(rig.pictures),
            perception_s=rig.perception_s / max(1, rig.frames),
            real_time_factor=cell.time_s / wall_s,
        )


class _Rig:
    """The cell with robot, eyes and clock."""

    def __init__(self, config: TrialConfig, cell: FishCell) -> None:
        self._config, self._cell = config, cell
        self._robot = SimulatedRizon(cell, config.lockstep_s, on_advance=self._sample)
        self.arm = FlexivArm(
            FlexivArmConfig(
                tcp_offset_m=(0.0, 0.0, cell.config.flange_to_tip_m),
                command_hz=100.0,
                max_angular_speed_rad_s=2.0,
                max_angular_acceleration_rad_s2=8.0,
            ),
            rdk=self._robot.module,
        )
        # Patience counts by the wall's clock, on which lock-step may take long.
        self.gripper = FlexivGripper(self.arm, FlexivGripperConfig(move_timeout_s=600.0))
        self._perception = WaterPerception(create_detector(config.detector), config.perception)
        self.history: list[CellSnapshot] = []
        self.pictures: list[Uint8Array] = []
        self._image: Uint8Array | None = None
        self.perception_s, self.frames = 0.0, 0
        self._sample()

    def perceive(self, newer_than_s: float, about: Float64Array | None) -> TrackingFrame:
        """An image of now, its grasps once the decision time has passed."""
        if self._cell.time_s <= newer_than_s:
            self.pass_time(self._cell.config.control_period_s)
        time_s = self._cell.time_s
        T_base_camera, T_base_tcp = self._cell.T_base_camera, self._cell.tcp_pose()
        began_s = time.perf_counter()
        try:
            image = self._cell.render()
            frame = self._perception(image, time_s, T_base_camera, T_base_tcp, about)
        except FrameError as error:
            self.pass_time(self._config.decision_s)
            raise PerceptionError(str(error)) from error
        self.perception_s += time.perf_counter() - began_s
        self.frames += 1
        self._image = image.color
        self.pass_time(self._config.decision_s)
        return frame

    def on_progress(self, stage: object, track_id: int, left: object) -> None:
        """Keep the image on which a grasp was decided."""
        if getattr(stage, "value", "") == "grasp" and self._image is not None:
            self.pictures.append(self._image)

    def tank_is_empty(self) -> bool:
        """Whether no fish is left to catch."""
        return all(fish.place is not FishPlace.IN_TANK for fish in self._cell.fish_states())

    def pass_time(self, duration_s: float) -> None:
        """Let the simulation go on."""
        self._robot.advance(duration_s)

    def _sample(self) -> None:
        if self.history and self._cell.time_s < self.history[-1].stamp_s + self._config.truth_period_s:
            return
        fish = tuple(
            ObjectState(state.name, state.kind, Place(int(state.place)), state.T_base_fish, state.size_m)
            for state in self._cell.fish_states()
        )
        self.history.append(CellSnapshot(self._cell.time_s, fish))
