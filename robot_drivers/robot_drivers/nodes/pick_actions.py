# SPDX-License-Identifier: Apache-2.0
"""The `clear_bin` and `pick` actions: one goal at a time on one executor."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node

from anygrasp_msgs.action import ClearBin, Pick
from anygrasp_perception.ros_conversions import grasp_from_msg
from robot_drivers.arms.arm import ArmError, ArmLost
from robot_drivers.executors.bin_picking import BinPickingExecutor
from robot_drivers.executors.perception import Perception, PerceptionError
from robot_drivers.executors.pick import OnEvent
from robot_drivers.executors.pick_errors import PickError, PickFailed
from robot_drivers.executors.pick_record import PickRecord, PickStage
from robot_drivers.nodes.grasp_client import GraspClient
from robot_drivers.nodes.robot_link import RobotLink
from robot_drivers.ros_conversions import record_to_msg, stamp_to_seconds

__all__ = ["PickActions"]

Outcome = tuple[PickError | None, str]
Result = TypeVar("Result", ClearBin.Result, Pick.Result)


class PickActions:
    """Action servers on `node`; a goal runs in its own callback and ends as its `error_code` says."""

    def __init__(self, node: Node, picker: BinPickingExecutor, eyes: GraspClient, link: RobotLink) -> None:
        self._logger = node.get_logger()
        self._picker = picker
        self._eyes = eyes
        self._link = link
        self._one_goal = threading.Lock()
        self._feedback: OnEvent = _no_feedback
        options = {
            "callback_group": ReentrantCallbackGroup(),
            "goal_callback": lambda goal: GoalResponse.ACCEPT,
            "cancel_callback": self._on_cancel,
        }
        self._servers = [
            ActionServer(node, ClearBin, "clear_bin", self._clear_bin, **options),
            ActionServer(node, Pick, "pick", self._pick, **options),
        ]

    @property
    def busy(self) -> bool:
        """Whether a goal is under way."""
        return self._one_goal.locked()

    def feedback(self, stage: PickStage, record: PickRecord) -> None:
        """Tell the client of the goal under way, if there is one."""
        self._feedback(stage, record)

    def _on_cancel(self, goal: ServerGoalHandle) -> CancelResponse:
        self._picker.stop(PickError.CANCELED, "the goal was canceled")
        return CancelResponse.ACCEPT

    def _clear_bin(self, goal: ServerGoalHandle) -> ClearBin.Result:
        result = ClearBin.Result()

        def feedback(stage: PickStage, record: PickRecord) -> None:
            done = stage is PickStage.DONE
            message = ClearBin.Feedback(
                stage=stage.value, attempt_finished=done, record=record_to_msg(record)
            )
            goal.publish_feedback(message)

        def work() -> Outcome:
            outcome = self._picker.clear_bin(goal.request.max_attempts)
            result.records = [record_to_msg(record) for record in outcome.records]
            result.empty_perceptions = outcome.empty_perceptions
            result.duration_s = outcome.duration_s
            return outcome.error_code, outcome.error_msg or outcome.why_no_grasp

        return self._run(goal, result, feedback, work)

    def _pick(self, goal: ServerGoalHandle) -> Pick.Result:
        result = Pick.Result()

        def feedback(stage: PickStage, record: PickRecord) -> None:
            goal.publish_feedback(Pick.Feedback(stage=stage.value))

        def work() -> Outcome:
            header, grasp = goal.request.header, grasp_from_msg(goal.request.grasp)
            perception = Perception(
                grasps_base=grasp.transformed(self._eyes.lookup(header)),
                grasps_image=grasp,
                frame_id=header.frame_id,
                stamp_s=stamp_to_seconds(header.stamp),
            )
            record = self._picker.pick(perception)
            result.record = record_to_msg(record)
            return record.error_code, record.error_msg

        return self._run(goal, result, feedback, work)

    def _run(
        self, goal: ServerGoalHandle, result: Result, feedback: OnEvent, work: Callable[[], Outcome]
    ) -> Result:
        """Do the work of one goal, unless another is under way, and fill in how it ended."""
        if not self._one_goal.acquire(blocking=False):
            return _finish(goal, result, PickError.BUSY, "another goal is under way: cancel it or wait")
        self._feedback = feedback
        try:
            code, text = self._outcome(work)
            if code is not None and code is not PickError.CANCELED:
                self._logger.error(f"the goal ended with {code.value}: {text}")
            if code in (PickError.ROBOT_LOST, PickError.GRIPPER_LOST):
                self._link.report_lost(text)
        finally:
            self._feedback = _no_feedback
            self._one_goal.release()
        return _finish(goal, result, code, text)

    def _outcome(self, work: Callable[[], Outcome]) -> Outcome:
        problem = self._link.problem
        if problem is not None:
            return PickError.ROBOT_LOST, problem
        try:
            self._picker.clear_stop(PickError.CANCELED)
            return work()
        except (PickFailed, PerceptionError) as error:
            return error.code, str(error)
        except ArmLost as error:
            return PickError.ROBOT_LOST, str(error)
        except ArmError as error:
            return PickError.ROBOT_STOPPED, str(error)
        except ValueError as error:  # a grasp that is none
            return PickError.UNREACHABLE, str(error)


def _finish(goal: ServerGoalHandle, result: Result, code: PickError | None, text: str) -> Result:
    """End the goal as its outcome says."""
    result.error_code, result.error_msg = "" if code is None else code.value, text
    if code is None:
        goal.succeed()
    elif goal.is_cancel_requested:
        goal.canceled()
    else:
        goal.abort()
    return result


def _no_feedback(stage: PickStage, record: PickRecord) -> None:
    """Between goals nobody listens."""
