# SPDX-License-Identifier: Apache-2.0
"""Emergency stop by topic and service, its release, recovery of the robot, and the watchdog."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Bool, Empty
from std_srvs.srv import Trigger

from anygrasp_bringup.nodes.qos import RESULTS, SENSOR_DATA
from robot_drivers.arms.arm import Arm, ArmError
from robot_drivers.safety.watchdog import Watchdog

__all__ = ["SafetyServices"]

_WATCH_PERIOD_S = 0.1


class SafetyServices:
    """Wired to a node whose goals move an arm; stops come through callback groups of their own.

    Args:
        stop: halts everything and latches, with the reason as text.
        release: releases the latch; the text of what keeps it, else None.
        busy: whether a goal is under way.
    """

    def __init__(
        self,
        node: Node,
        arm: Arm,
        watchdog: Watchdog,
        stop: Callable[[str], None],
        release: Callable[[], str | None],
        busy: Callable[[], bool],
    ) -> None:
        self._node = node
        self._arm = arm
        self._watchdog = watchdog
        self._stop = stop
        self._release = release
        self._busy = busy
        self._watching = False
        stops, resets = MutuallyExclusiveCallbackGroup(), MutuallyExclusiveCallbackGroup()
        signs = MutuallyExclusiveCallbackGroup()
        node.create_subscription(Bool, "emergency_stop", self._on_topic, RESULTS, callback_group=stops)
        node.create_service(Trigger, "emergency_stop/trigger", self._on_trigger, callback_group=stops)
        node.create_service(Trigger, "emergency_stop/reset", self._on_reset, callback_group=resets)
        node.create_service(Trigger, "robot/recover", self._on_recover, callback_group=resets)
        node.create_subscription(
            Empty, "heartbeat", lambda _: watchdog.beat("heartbeat"), RESULTS, callback_group=signs
        )
        node.create_subscription(
            CameraInfo,
            "/camera/camera/color/camera_info",
            lambda _: watchdog.beat("perception"),
            SENSOR_DATA,
            callback_group=signs,
        )
        node.create_timer(_WATCH_PERIOD_S, self._watch, callback_group=signs)

    def _on_topic(self, message: Bool) -> None:
        if message.data:
            self._halt("emergency stop by topic")

    def _on_trigger(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._halt("emergency stop by service")
        response.success, response.message = True, "stopped; call emergency_stop/reset to go on"
        return response

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        problem = self._release()
        response.success = problem is None
        response.message = problem or "released; nothing moves before the next goal"
        return response

    def _on_recover(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._busy():
            response.success, response.message = False, "a goal is under way: nothing to recover from"
            return response
        try:
            response.success, response.message = True, self._arm.recover()
        except ArmError as error:
            response.success, response.message = False, str(error)
        return response

    def _watch(self) -> None:
        busy = self._busy()
        if busy != self._watching:
            self._watching = busy
            self._watchdog.watch(busy)
        quiet = self._watchdog.quiet()
        if quiet is not None:
            self._watchdog.watch(False)
            self._halt(f"watchdog: {quiet}")

    def _halt(self, reason: str) -> None:
        self._node.get_logger().error(reason)
        self._stop(f"{reason}; call emergency_stop/reset to go on")
