# SPDX-License-Identifier: Apache-2.0
"""Client of the `catch_fish` action: starts a run and tells how it goes."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import rclpy
from rclpy.action import ActionClient
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from anygrasp_bringup.dataclass_parameters import ConfigError
from anygrasp_bringup.nodes.executors import MultiThreadedExecutor
from anygrasp_bringup.nodes.parameters import declare_parameters
from anygrasp_bringup.ros_environment import apply_ros_environment
from anygrasp_bringup.stop_signals import stop_signals
from anygrasp_msgs.action import CatchFish
from robot_drivers.executors.pick_errors import PickError

__all__ = ["CatchFishClient", "CatchFishConfig", "main"]


@dataclass(frozen=True)
class CatchFishConfig:
    """What to run; raises ValueError on a negative number."""

    max_catches: int = 0  # stop after so many catches; 0: no limit
    timeout_s: float = 120.0  # stop after so many ROS-clock seconds; 0: no limit
    start_timeout_s: float = 120.0  # how long the executor and the robot may take to come up

    def __post_init__(self) -> None:
        if min(self.max_catches, self.timeout_s) < 0 or self.start_timeout_s <= 0:
            raise ValueError(
                f"max_catches {self.max_catches} and timeout_s {self.timeout_s} must be at least 0, "
                f"start_timeout_s {self.start_timeout_s} positive"
            )


class Interrupted(Exception):
    """Ctrl-C while waiting."""


class CatchFishClient(Node):
    """Runs one goal; `run` is called from a thread that does not spin the node."""

    def __init__(self) -> None:
        super().__init__("catch_fish")
        self._config = declare_parameters(self, CatchFishConfig)
        self._client = ActionClient(self, CatchFish, "catch_fish")
        self._interrupted = threading.Event()
        self._stage = ""

    def interrupt(self) -> None:
        """Stop waiting; the executor halts the arm by itself."""
        self._interrupted.set()

    def run(self) -> int:
        """Run the goal; 0 when it ended by itself, else 1."""
        try:
            result = self._run_when_ready()
        except (TimeoutError, Interrupted) as error:
            self.get_logger().error(str(error) or "interrupted")
            return 1
        self.get_logger().info(
            f"{result.catches} catches in {result.attempts} attempts, {result.duration_s:.0f} s"
        )
        if result.error_code:
            self.get_logger().error(f"{result.error_code}: {result.error_msg}")
        return int(result.error_code != "")

    def _run_when_ready(self) -> CatchFish.Result:
        """Result of the first goal that finds a connected robot.

        Raises:
            TimeoutError: there is no executor, or it has no robot, within `start_timeout_s`.
            Interrupted: before the end of the goal.
        """
        limit_s = self._config.start_timeout_s
        deadline_s = time.monotonic() + limit_s
        problem = "no catch_fish action: is the fish_catching node running in this namespace?"
        while time.monotonic() < deadline_s:
            if self._interrupted.wait(0.5):
                raise Interrupted
            if not self._client.server_is_ready():
                continue
            goal = CatchFish.Goal(max_catches=self._config.max_catches, timeout_s=self._config.timeout_s)
            handle = self._wait(self._client.send_goal_async(goal, feedback_callback=self._on_feedback))
            result = self._wait(handle.get_result_async()).result
            if result.error_code != PickError.ROBOT_LOST.value or result.attempts:
                return result
            problem = result.error_msg
        raise TimeoutError(f"nothing to run within {limit_s:.0f} s: {problem}")

    def _wait(self, future: Future):  # type: ignore[no-untyped-def]
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        while not done.wait(0.1):
            if self._interrupted.is_set():
                raise Interrupted
        return future.result()

    def _on_feedback(self, message: CatchFish.Impl.FeedbackMessage) -> None:
        feedback = message.feedback
        if feedback.stage != self._stage:
            self._stage = feedback.stage
            self.get_logger().info(f"{feedback.stage}, target {feedback.track_id}")


def main() -> int:
    """Entry point `catch_fish`: exit code 0 when the run ended by itself."""
    apply_ros_environment()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = CatchFishClient()
    except ConfigError as error:
        get_logger("catch_fish").fatal(str(error))
        return 2
    executor = MultiThreadedExecutor(2)
    executor.add_node(node)
    spinner = threading.Thread(target=executor.spin, name="spin")
    spinner.start()
    try:
        with stop_signals(node.interrupt):
            return node.run()
    finally:
        executor.shutdown()
        spinner.join()
        node.destroy_node()
        rclpy.shutdown()
