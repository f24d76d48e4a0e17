# SPDX-License-Identifier: Apache-2.0
"""Client of the `clear_bin` action: starts a run, tells how it goes, and writes the report."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import rclpy
from rclpy.action import ActionClient
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

import anygrasp_msgs.msg as msgs
from anygrasp_bringup.dataclass_parameters import ConfigError
from anygrasp_bringup.nodes.executors import MultiThreadedExecutor
from anygrasp_bringup.nodes.parameters import declare_parameters
from anygrasp_bringup.ros_environment import apply_ros_environment
from anygrasp_bringup.stop_signals import stop_signals
from anygrasp_msgs.action import ClearBin
from anygrasp_perception.ros_conversions import stamp_to_ns
from robot_drivers.executors.pick_errors import PickError
from robot_drivers.executors.pick_record import PickRecord
from robot_drivers.nodes.run_recorder import RunRecorder
from robot_drivers.report.attribution import judge_attempts
from robot_drivers.report.contact_sheet import save_contact_sheet
from robot_drivers.report.statistics import RunReport, build_report
from robot_drivers.report.table import format_table
from robot_drivers.ros_conversions import record_from_msg

__all__ = ["ClearBinClient", "ClearBinConfig", "main"]


@dataclass(frozen=True)
class ClearBinConfig:
    """What to run and where to write; raises ValueError on a negative number."""

    max_attempts: int = 0  # stop after so many attempts; 0: until nothing is found any more
    report: str = ""  # JSON file for the statistics; empty: none
    contact_sheet: str = ""  # PNG file with a picture of each pick; empty: none
    ground_truth: bool = False  # judge by the simulated cell's objects; false: by the gripper's word
    seed: int = 0  # noted in the report
    start_timeout_s: float = 120.0  # how long the executor and the robot may take to come up

    def __post_init__(self) -> None:
        if self.max_attempts < 0 or self.start_timeout_s <= 0:
            raise ValueError(
                f"max_attempts {self.max_attempts} must be at least 0, start_timeout_s "
                f"{self.start_timeout_s} positive"
            )


# An executor that lives takes a goal in a fraction of this.
_ACCEPT_S = 20.0

# An executor that has been gone for so long does not come back to this run.
_GONE_S = 5.0


class Interrupted(Exception):
    """Ctrl-C while waiting."""


class ExecutorGone(Exception):
    """The executor ended during the run, and with it the run."""


class ClearBinClient(Node):
    """Runs one goal; `run` is called from a thread that does not spin the node."""

    def __init__(self) -> None:
        super().__init__("clear_bin")
        self._config = declare_parameters(self, ClearBinConfig)
        self._recorder = RunRecorder(self)
        self._client = ActionClient(self, ClearBin, "clear_bin")
        self._finished: list[msgs.PickRecord] = []
        self._interrupted = threading.Event()

    def interrupt(self) -> None:
        """Stop waiting and report what was done; the executor halts the arm by itself."""
        self._interrupted.set()

    def run(self) -> int:
        """Run the goal and report; 0 when the run ended by itself, else 1."""
        started = self.get_clock().now()
        try:
            result = self._run_when_ready()
        except TimeoutError as error:
            self.get_logger().error(str(error))
            return 1
        except (Interrupted, ExecutorGone) as end:
            result = ClearBin.Result(
                error_code="CANCELED" if isinstance(end, Interrupted) else "EXECUTOR_LOST",
                error_msg=str(end),
                records=self._finished,
                duration_s=(self.get_clock().now() - started).nanoseconds * 1e-9,
            )
        self._report(result)
        return int(result.error_code != "")

    def _run_when_ready(self) -> ClearBin.Result:
        """Result of the first goal that finds a connected robot.

        Raises:
            TimeoutError: there is no executor, or it has no robot, within `start_timeout_s`.
            Interrupted, ExecutorGone: before the end of the goal.
        """
        limit_s = self._config.start_timeout_s
        deadline_s = time.monotonic() + limit_s
        problem = "no clear_bin action: is the bin_picking node running in this namespace?"
        while time.monotonic() < deadline_s:
            if self._interrupted.wait(0.5):
                raise Interrupted("interrupted")
            if not self._client.server_is_ready():
                continue
            result = self._run_goal()
            if result is None:
                problem = "nobody took the goal: is the bin_picking node alive?"
            elif result.error_code != PickError.ROBOT_LOST.value or result.records:
                return result
            else:
                problem = result.error_msg
        raise TimeoutError(f"nothing to run within {limit_s:.0f} s: {problem}")

    def _run_goal(self) -> ClearBin.Result | None:
        """Result of one goal; None when nobody took it, as of an executor that DDS has not yet missed."""
        goal = ClearBin.Goal(max_attempts=self._config.max_attempts)
        sent = self._client.send_goal_async(goal, feedback_callback=self._on_feedback)
        handle = self._wait(sent, _ACCEPT_S)
        return None if handle is None else self._wait(handle.get_result_async()).result

    def _wait(self, future: Future, limit_s: float = math.inf):  # type: ignore[no-untyped-def]
        """The future's result; None after `limit_s`."""
        begun_s = time.monotonic()
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        seen_s = time.monotonic()
        while not done.wait(0.1):
            if self._interrupted.is_set():
                raise Interrupted("interrupted")
            if time.monotonic() - begun_s > limit_s:
                return None
            if self._client.server_is_ready():
                seen_s = time.monotonic()
            elif time.monotonic() - seen_s > _GONE_S:
                raise ExecutorGone(
                    "the bin_picking node ended during the run: the arm stands where its controller stopped "
                    "it; look at that node's log, start it again, and the next run begins by going home"
                )
        return future.result()

    def _on_feedback(self, message: ClearBin.Impl.FeedbackMessage) -> None:
        feedback = message.feedback
        self._recorder.keep_image(stamp_to_ns(feedback.record.image_header.stamp))
        if feedback.attempt_finished:
            record = feedback.record
            self._finished.append(record)
            verdict = "placed" if record.placed else f"{record.error_code}: {record.error_msg}"
            self.get_logger().info(f"attempt {record.attempt}: score {record.grasp.score:.2f}, {verdict}")

    def _report(self, result: ClearBin.Result) -> None:
        records = [record_from_msg(record) for record in result.records]
        report, pictures = self._judge(records, result)
        text = format_table(report)
        self.get_logger().info(f"{len(records)} attempts in {result.duration_s:.0f} s\n\n{text}\n")
        if result.error_msg:
            self.get_logger().info(
                f"end of the run: {result.error_code or 'no grasp left to try'}; {result.error_msg}"
            )
        if self._config.report:
            report.save(Path(self._config.report))
            self.get_logger().info(f"report written to {self._config.report}")
        if self._config.contact_sheet and pictures:
            title = f"{len(records)} picks, seed {self._config.seed}"
            save_contact_sheet(Path(self._config.contact_sheet), pictures, title)
            self.get_logger().info(f"pictures written to {self._config.contact_sheet}")

    def _judge(self, records: Sequence[PickRecord], result: ClearBin.Result) -> tuple[RunReport, list]:  # type: ignore[type-arg]
        history = self._recorder.history if self._config.ground_truth else []
        pose = self._recorder.camera_pose(records[0].frame_id) if history and records else None
        outcomes = judge_attempts(records, history if pose is not None else [], pose)
        run = {
            "seed": self._config.seed,
            "empty_perceptions": result.empty_perceptions,
            "error_code": result.error_code,
            "error_msg": result.error_msg,
        }
        report = build_report(outcomes, result.duration_s, history, run)
        return report, self._recorder.pictures(outcomes)


def main() -> int:
    """Entry point `clear_bin`: exit code 0 when the run ended by itself."""
    apply_ros_environment()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = ClearBinClient()
    except ConfigError as error:
        get_logger("clear_bin").fatal(str(error))
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
