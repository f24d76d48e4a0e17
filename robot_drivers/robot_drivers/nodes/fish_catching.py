# SPDX-License-Identifier: Apache-2.0
"""Fish catching node: Algorithm 1 behind the `catch_fish` action, over a Flexiv arm or the simulated cell."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass, field, replace

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.time import Time

from anygrasp_bringup.nodes.diagnostics import status_message
from anygrasp_bringup.nodes.parameters import declare_parameters
from anygrasp_bringup.nodes.qos import RESULTS
from anygrasp_bringup.nodes.spinning import run_node
from anygrasp_msgs.action import CatchFish
from anygrasp_sim.nodes.fish_cell import FishCellConfigOnTopics, FishCellOnTopics
from anygrasp_tracking.policies import POLICIES, make_policy
from robot_drivers.arms.arm import ArmError
from robot_drivers.arms.flexiv import FlexivArm, FlexivArmConfig
from robot_drivers.clock import WallClock
from robot_drivers.dynamic_grasping.catch_config import CatchConfig
from robot_drivers.dynamic_grasping.catch_executor import CatchExecutor, CatchLimits
from robot_drivers.dynamic_grasping.catch_record import CatchStage
from robot_drivers.dynamic_grasping.servo_geometry import Closeness
from robot_drivers.dynamic_grasping.steered_arm import SteeredArm
from robot_drivers.dynamic_grasping.water_perception import WaterPerceptionConfig, check_fits
from robot_drivers.dynamic_grasping.water_perception_process import WaterPerceptionProcess
from robot_drivers.executors.pick_errors import PickError, PickFailed
from robot_drivers.grippers.flexiv import FlexivGripper, FlexivGripperConfig
from robot_drivers.nodes.log_bridge import bridge_logs
from robot_drivers.nodes.robot_link import RobotLink
from robot_drivers.nodes.safety_services import SafetyServices
from robot_drivers.nodes.tank_eyes import TankEyes
from robot_drivers.safety import SafeArm, SafetyLimits
from robot_drivers.safety.dry_run import DryRunArm, DryRunGripper
from robot_drivers.safety.safe_gripper import SafeGripper
from robot_drivers.safety.watchdog import Watchdog, WatchdogConfig

__all__ = ["FishCatchingNode", "FishCatchingNodeConfig", "main", "patient"]

# Who waits for the interpreter gets it from a busy thread (cell, servo, executor) after this, not after 5 ms.
_SWITCH_INTERVAL_S = 0.0002
_PATIENCE_S = 20.0


@dataclass(frozen=True)
class FishCatchingNodeConfig:
    """Everything of the node; raises ValueError where a part refuses its values."""

    sim: bool = True  # run the simulated cell in this process, False: drive the Flexiv arm of `arm`
    base_frame: str = "base"  # the robot's base frame
    # Which grasp of a new image is the target's: association (learned, of the detector network), appearance
    # (hand-made features) or nearest.
    policy: str = "association"
    detector: str = "network"  # see anygrasp_perception.detectors
    tool_rate_hz: float = 50.0  # how often `base` -> `tool0` is published
    retry_s: float = 2.0  # pause before a lost robot is connected again
    image_timeout_s: float = 2.0  # how long to wait for a newer image, wall time
    tf_timeout_s: float = 0.5  # how long to wait for the transforms at its stamp
    dry_run: bool = False  # log what would move, and move nothing
    arm: FlexivArmConfig = field(default_factory=FlexivArmConfig)
    gripper: FlexivGripperConfig = field(default_factory=FlexivGripperConfig)
    limits: SafetyLimits = field(default_factory=SafetyLimits)
    watchdog: WatchdogConfig = field(default_factory=WatchdogConfig)
    catching: CatchConfig = field(default_factory=CatchConfig)
    perception: WaterPerceptionConfig = field(default_factory=WaterPerceptionConfig)
    simulation: FishCellConfigOnTopics = field(default_factory=FishCellConfigOnTopics)

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise ValueError(f"no policy {self.policy!r}; choose one of {', '.join(POLICIES)}")
        check_fits(self.policy, self.detector)
        for name in ("tool_rate_hz", "retry_s", "image_timeout_s", "tf_timeout_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")


def patient(config: FishCatchingNodeConfig) -> FishCatchingNodeConfig:
    """The same with limits of wall time that a simulation on a busy machine needs."""
    watchdog = config.watchdog
    return replace(
        config,
        watchdog=replace(
            watchdog,
            perception_s=watchdog.perception_s and max(watchdog.perception_s, _PATIENCE_S),
            controller_s=watchdog.controller_s and max(watchdog.controller_s, _PATIENCE_S),
        ),
        image_timeout_s=max(config.image_timeout_s, _PATIENCE_S),
        tf_timeout_s=max(config.tf_timeout_s, _PATIENCE_S),
    )


class FishCatchingNode(Node):
    """A goal runs in its action's callback, one at a time; stops come through groups of their own."""

    def __init__(self) -> None:
        super().__init__("fish_catching")
        bridge_logs(self)
        self._config = config = declare_parameters(self, FishCatchingNodeConfig)
        self._cell = FishCellOnTopics(self, config.simulation) if config.sim else None
        if self._cell is not None:
            config = self._config = patient(config)
        rdk, clock = (None, WallClock()) if self._cell is None else (self._cell.rdk, self._cell.clock)
        arm = FlexivArm(config.arm, rdk, clock)
        driven = DryRunArm(arm) if config.dry_run else arm
        steered = SteeredArm(SafeArm(driven, config.limits, clock), config.limits, clock=clock)
        fingers = FlexivGripper(arm, config.gripper, clock)
        gripper = SafeGripper(
            DryRunGripper(fingers, config.gripper.open_width_m) if config.dry_run else fingers, config.limits
        )
        if config.dry_run:
            self.get_logger().warning("dry run: goals are logged, nothing moves")
        self._one_goal = threading.Lock()
        self._halting = threading.Lock()
        self._goal: ServerGoalHandle | None = None
        self._perception = WaterPerceptionProcess(config.detector, config.perception)
        self._catcher = CatchExecutor(
            config.catching,
            steered,
            gripper,
            lambda newer_than_s, about: self._eyes(newer_than_s, about),
            make_policy(config.policy),
            self._now_s,
            self._on_progress,
            config.limits,
        )
        self._eyes = TankEyes(
            self,
            self._perception,
            config.arm.T_flange_tcp,
            config.base_frame,
            config.image_timeout_s,
            config.tf_timeout_s,
            self._catcher.stopped,
        )
        watchdog = Watchdog(config.watchdog)
        # The tool is where the real arm is, whatever a dry run believes.
        self._link = RobotLink(
            self,
            arm if config.dry_run else steered,
            gripper,
            config.arm.T_flange_tcp,
            config.base_frame,
            config.retry_s,
            config.tool_rate_hz,
            on_alive=lambda: watchdog.beat("controller"),
            now=lambda: Time(seconds=self._now_s()),
        )
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", RESULTS)
        self._server = ActionServer(
            self,
            CatchFish,
            "catch_fish",
            self._catch,
            callback_group=ReentrantCallbackGroup(),
            goal_callback=lambda goal: GoalResponse.ACCEPT,
            cancel_callback=self._on_cancel,
        )
        self._safety = SafetyServices(
            self,
            steered,
            watchdog,
            stop=lambda text: self._stop(PickError.EMERGENCY_STOP, text),
            release=self._release,
            busy=self._one_goal.locked,
        )
        self.create_timer(1.0, self._publish_diagnostics)

    def halt(self) -> None:
        """Stop the robot, which also ends a goal under way; a second call waits for the first."""
        with self._halting:
            if self._catcher.stop_reason is None:
                self._stop(PickError.CANCELED, "the node is shutting down")

    def destroy_node(self) -> None:
        """Halt and disconnect the robot, end the cell, then the node."""
        self.halt()
        self._eyes.close()
        self._perception.close()
        self._link.close()
        if self._cell is not None:
            self._cell.close()
        super().destroy_node()

    def _catch(self, goal: ServerGoalHandle) -> CatchFish.Result:
        result = CatchFish.Result()
        if not self._one_goal.acquire(blocking=False):
            return self._finish(goal, result, PickError.BUSY, "another goal is under way: cancel it or wait")
        self._goal = goal
        try:
            code, text = self._run(goal, result)
            if code in (PickError.ROBOT_LOST, PickError.GRIPPER_LOST):
                self._link.report_lost(text)
        finally:
            self._goal = None
            self._one_goal.release()
        return self._finish(goal, result, code, text)

    def _run(self, goal: ServerGoalHandle, result: CatchFish.Result) -> tuple[PickError | None, str]:
        problem = self._link.problem
        if problem is not None:
            return PickError.ROBOT_LOST, problem
        try:
            limits = CatchLimits(
                max_catches=int(goal.request.max_catches), timeout_s=max(0.0, float(goal.request.timeout_s))
            )
            if not self._catcher.clear_stop(PickError.CANCELED):
                return PickError.EMERGENCY_STOP, "emergency stop: call emergency_stop/reset first"
        except PickFailed as error:
            return error.code, str(error)
        except ArmError as error:
            return PickError.ROBOT_STOPPED, str(error)
        with self._link.in_use():
            outcome = self._catcher.catch(limits)
        result.attempts, result.catches = len(outcome.records), outcome.catches
        result.duration_s = outcome.duration_s
        self.get_logger().info(
            f"{outcome.catches} catches in {len(outcome.records)} attempts, {outcome.duration_s:.0f} s; "
            f"{outcome.counts}; {outcome.loop_hz:.1f} images a second followed"
        )
        return outcome.error_code, outcome.error_msg

    @staticmethod
    def _finish(
        goal: ServerGoalHandle, result: CatchFish.Result, code: PickError | None, text: str
    ) -> CatchFish.Result:
        result.error_code, result.error_msg = "" if code is None else code.value, text
        if code is None:
            goal.succeed()
        elif goal.is_cancel_requested:
            goal.canceled()
        else:
            goal.abort()
        return result

    def _on_progress(self, stage: CatchStage, track_id: int, left: Closeness | None) -> None:
        goal = self._goal
        if goal is not None and goal.is_active:
            distance_m = float("nan") if left is None else left.distance_m
            goal.publish_feedback(
                CatchFish.Feedback(stage=stage.value, track_id=track_id, distance_m=distance_m)
            )

    def _on_cancel(self, goal: ServerGoalHandle) -> CancelResponse:
        self._stop(PickError.CANCELED, "the goal was canceled")
        return CancelResponse.ACCEPT

    def _release(self) -> str | None:
        try:
            self._catcher.clear_stop(PickError.EMERGENCY_STOP)
        except (PickFailed, ArmError) as error:
            return str(error)
        return None

    def _stop(self, reason: PickError, text: str) -> None:
        try:
            self._catcher.stop(reason, text)
        except ArmError as error:
            self.get_logger().error(f"the arm did not take the stop: {error}")

    def _now_s(self) -> float:
        """By the clock of the images' stamps."""
        if self._cell is not None:
            return self._cell.clock.now_s()  # what /clock says later
        return self.get_clock().now().nanoseconds * 1e-9

    def _publish_diagnostics(self) -> None:
        stop = self._catcher.stop_reason
        text = self._link.problem or (f"stopped: {stop.value}" if stop is not None else "ready")
        values = {key: str(value) for key, value in self._eyes.drops().items()}
        self._diagnostics.publish(status_message(self, "fish catching", text == "ready", text, values))


def main() -> int:
    """Entry point `fish_catching`."""
    # The association network's small products gain nothing by more threads, which spin beside the detector.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    return run_node(FishCatchingNode, threads=8)
