# SPDX-License-Identifier: Apache-2.0
"""The person at the cell, as a node: starts goals, watches their stages, presses buttons."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from geometry_msgs.msg import Point, Quaternion
from rclpy.action import ActionClient
from rclpy.node import Node
from std_msgs.msg import Bool, Header
from std_srvs.srv import Trigger

from anygrasp_bringup.nodes.executors import SingleThreadedExecutor
from anygrasp_bringup.nodes.qos import RESULTS
from anygrasp_msgs.action import ClearBin, Pick
from anygrasp_msgs.msg import Grasp

__all__ = ["Goal", "Operator", "wait_until"]

_ACCEPT_S = 40.0


class Goal:
    """A goal: the stages it has told of, and its result once there is one."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.finished: list[Any] = []  # records of finished attempts
        self.result: Any = None
        self.handle: Any = None

    def on_feedback(self, message: Any) -> None:
        """Note a stage."""
        feedback = message.feedback
        self.stages.append(feedback.stage)
        if getattr(feedback, "attempt_finished", False):
            self.finished.append(feedback.record)


class Operator(Node):
    """Spins in a thread of its own; the calls below wait, with limits."""

    def __init__(self) -> None:
        super().__init__("operator", namespace="anygrasp")
        self._clear = ActionClient(self, ClearBin, "clear_bin")
        self._pick = ActionClient(self, Pick, "pick")
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

    def clear_bin(self, attempts: int, timeout_s: float) -> Goal:
        """A run of so many attempts, accepted by the executor."""
        return self._start(self._clear, ClearBin.Goal(max_attempts=attempts), timeout_s)

    def pick(self, timeout_s: float) -> Goal:
        """The pick of a grasp straight down, high over the plate."""
        grasp = Grasp(width=0.05, height=0.02, depth=0.02, score=1.0)
        grasp.pose.position = Point(x=0.0, y=-0.5, z=0.15)
        grasp.pose.orientation = Quaternion(x=0.0, y=0.5**0.5, z=0.0, w=0.5**0.5)
        goal = Pick.Goal(header=Header(frame_id="base"), grasp=grasp)
        return self._start(self._pick, goal, timeout_s)

    def _start(self, client: ActionClient, request: Any, timeout_s: float) -> Goal:
        goal = Goal()
        if not client.wait_for_server(timeout_s):
            raise TimeoutError(f"no action server within {timeout_s:.0f} s")
        deadline_s = time.monotonic() + timeout_s
        while goal.handle is None:
            sent = client.send_goal_async(request, feedback_callback=goal.on_feedback)
            try:
                goal.handle = self._wait(sent, _ACCEPT_S, "goal")
            except TimeoutError:  # sent to an executor that was killed: DDS believes in it for a while
                if time.monotonic() > deadline_s:
                    raise
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
        time.sleep(0.05)
    return True
