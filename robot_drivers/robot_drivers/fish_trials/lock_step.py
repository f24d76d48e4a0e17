# SPDX-License-Identifier: Apache-2.0
"""One trial in lock-step: simulated time passes for what a robot would need, whatever this machine needs."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace

from anygrasp_perception.arrays import Float64Array, Uint8Array
from anygrasp_perception.camera import FrameError
from anygrasp_sim.fish.fish_cell import FishCell
from anygrasp_sim.fish.fish_cell_config import FishCellConfig
from anygrasp_sim.fish.fish_truth import FishPlace
from anygrasp_sim.fish.flexiv_robot import SimulatedRizon
from anygrasp_tracking.policies import POLICIES, make_policy
from anygrasp_tracking.tracking_frame import TrackingFrame
from robot_drivers.arms.arm import Arm
from robot_drivers.arms.flexiv import FlexivArm, FlexivArmConfig
from robot_drivers.clock import Clock
from robot_drivers.dynamic_grasping.catch_config import CatchConfig
from robot_drivers.dynamic_grasping.catch_executor import CatchExecutor, CatchLimits, CatchResult
from robot_drivers.dynamic_grasping.steered_arm import SteeredArm
from robot_drivers.dynamic_grasping.water_perception import (
    WaterPerception,
    WaterPerceptionConfig,
    check_fits,
    create_water_detector,
)
from robot_drivers.executors.perception import PerceptionError
from robot_drivers.grippers.flexiv import FlexivGripper
from robot_drivers.report.ground_truth import CellSnapshot, ObjectState, Place
from robot_drivers.safety import SafeArm, SafetyLimits
from robot_drivers.safety.steering import SteppedSteering

__all__ = ["FISH_CELL_ARM", "FISH_CELL_LIMITS", "Trial", "TrialConfig", "run_trial"]

# The arm and its limits as config/fish_catching.yaml has them for the node.
FISH_CELL_ARM = FlexivArmConfig(
    tcp_offset_m=(0.0, 0.0, 0.26),
    command_hz=100.0,
    max_angular_speed_rad_s=2.0,
    max_angular_acceleration_rad_s2=8.0,
    standing_rad_s=0.1,  # fingers that wait for the last of it close 0.3 s later
)
FISH_CELL_LIMITS = SafetyLimits(
    workspace_min=(-0.10, -0.65, -0.165),
    workspace_max=(0.75, 0.35, 0.60),
    transit_min=(-0.10, -0.65, 0.0),
    transit_max=(0.80, 0.40, 0.90),
    min_height_m=-0.165,
    max_acceleration_m_s2=5.0,
)

_SERVO_PERIOD_S = 0.02


@dataclass(frozen=True)
class TrialConfig:
    """One trial. Raises ValueError on an unknown policy and on values out of range."""

    policy: str = "association"  # the learned one, needs the detector network
    detector: str = "network"
    decision_s: float = 0.2  # simulated time from an image to the decision: 5 Hz
    truth_period_s: float = 0.05  # between two samples of where the fish are
    cell: FishCellConfig = field(default_factory=FishCellConfig)
    arm: FlexivArmConfig = FISH_CELL_ARM
    safety: SafetyLimits = FISH_CELL_LIMITS
    catching: CatchConfig = field(default_factory=CatchConfig)
    perception: WaterPerceptionConfig = field(default_factory=WaterPerceptionConfig)
    limits: CatchLimits = field(default_factory=lambda: CatchLimits(max_attempts=16, timeout_s=300.0))

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise ValueError(f"no policy {self.policy!r}; choose one of {', '.join(POLICIES)}")
        check_fits(self.policy, self.detector)
        for name in ("decision_s", "truth_period_s"):
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
                make_policy(config.policy),
                lambda: cell.time_s,
                rig.on_progress,
                config.safety,
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
    """The cell with robot, eyes and clock: what the drivers wait by is simulated time."""

    def __init__(self, config: TrialConfig, cell: FishCell) -> None:
        self._config, self._cell = config, cell
        self._robot = SimulatedRizon(cell, on_advance=self._sample)
        self._steering: SteppedSteering | None = None
        arm = FlexivArm(config.arm, self._robot.module, self)
        safe = SafeArm(arm, config.safety, self)
        self.arm = SteeredArm(safe, config.safety, _SERVO_PERIOD_S, clock=self, steering=self._steer)
        self.gripper = FlexivGripper(arm, clock=self)
        self._perception = WaterPerception(create_water_detector(config.detector), config.perception)
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
        """Let the simulation go on, and the servo with it."""
        end_s = self._cell.time_s + duration_s
        while (rest_s := end_s - self._cell.time_s) > 1e-6:
            if self._steering is not None:
                self._steering.step()
            self._robot.advance(min(rest_s, _SERVO_PERIOD_S))

    def now_s(self) -> float:
        """See Clock: the simulation's."""
        return self._cell.time_s

    def wait(self, stop: threading.Event, timeout_s: float) -> bool:
        """See Clock: what the drivers wait for is simulated meanwhile."""
        if not stop.is_set():
            self._robot.advance(timeout_s)
        return stop.is_set()

    def _steer(
        self, arm: Arm, limits: SafetyLimits, period_s: float, goal_timeout_s: float, clock: Clock
    ) -> SteppedSteering:
        self._steering = SteppedSteering(arm, limits, period_s, goal_timeout_s, clock)
        return self._steering

    def _sample(self) -> None:
        if self.history and self._cell.time_s < self.history[-1].stamp_s + self._config.truth_period_s:
            return
        fish = tuple(
            ObjectState(state.name, state.kind, Place(int(state.place)), state.T_base_fish, state.size_m)
            for state in self._cell.fish_states()
        )
        self.history.append(CellSnapshot(self._cell.time_s, fish))
