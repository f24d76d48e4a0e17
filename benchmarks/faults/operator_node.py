# SPDX-License-Identifier: Apache-2.0
"""The person at the cell, as a node: starts goals, watches their stages, presses buttons."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from anygrasp_bringup.nodes.qos import RESULTS
from anygrasp_msgs.action import ClearBin

__all__ = ["Goal", "Operator", "wait_until"]


class Goal:
    """A clear_bin goal: the stages it has told of, and its result once there is one."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.finished: list[Any] = []  # records of finished attempts
        self.result: ClearBin.Result | None = None
        self.handle: Any = None

    def on_feedback(self, message: Any) -> None:
        """Note a stage."""
        feedback = message.feedback
        self.stages.append(feedback.stage)
        if feedback.attempt_finished:
            self.finished.append(feedback.record)


class Operator(Node):
    """Spins in a thread of its own; the calls below wait, with limits."""

    def __init__(self) -> None:
        super().__init__("operator", namespace="anygrasp")
        self._clear = ActionClient(self, ClearBin, "clear_bin")
        self._emergency = self.create_publisher(Bool, "emergency_stop", RESULTS)
        self._buttons = {
            name: self.create_client(Trigger, name)
            for name in ("emergency_stop/trigger", "emergency_stop/reset", "robot/recover")
        }
        self._spinner = SingleThreadedExecutor()
        self._spinner.add_node(self)
        self._thread = threading.Thread(target=self._spinner.spin, name="operator")
        self._thread.start()

    def close(self) -> None:
        """Stop spinning."""
        self._spinner.shutdown()
        self._thread.join(10.0)
        self.destroy_node()

    def start(self, attempts: int, timeout_s: float) -> Goal:
        """A new goal, accepted by the executor."""
        goal = Goal()
        if not self._clear.wait_for_server(timeout_s):
            raise TimeoutError(f"no clear_bin action within {timeout_s:.0f} s")
        request = ClearBin.Goal(max_attempts=attempts)
        goal.handle = self._wait(
            self._clear.send_goal_async(request, feedback_callback=goal.on_feedback), timeout_s, "goal"
        )
        future = goal.handle.get_result_async()

        def finished(done: Any) -> None:
            goal.result = done.result().result

        future.add_done_callback(finished)
        return goal

    def cancel(self, goal: Goal) -> None:
        """Cancel the goal."""
        self._wait(goal.handle.cancel_goal_async(), 60.0, "cancel")

    def press_stop(self) -> None:
        """Emergency stop by topic."""
        self._emergency.publish(Bool(data=True))

    def call(self, name: str, timeout_s: float = 90.0) -> tuple[bool, str]:
        """Call one of the services; whether it did it, and what it said."""
        client = self._buttons[name]
        if not client.wait_for_service(timeout_s):
            return False, f"no service {name}"
        answer = self._wait(client.call_async(Trigger.Request()), timeout_s, name)
        return answer.success, answer.message

    @staticmethod
    def _wait(future: Any, timeout_s: float, what: str) -> Any:
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        if not done.wait(timeout_s):
            raise TimeoutError(f"no answer to {what} within {timeout_s:.0f} s")
        return future.result()


def wait_until(condition: Callable[[], Any], timeout_s: float) -> bool:
    """Whether the condition comes about in time."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.02)
    return True
