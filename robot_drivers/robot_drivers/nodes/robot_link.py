# SPDX-License-Identifier: Apache-2.0
"""Keeps arm and gripper connected, says how they are, and publishes the tool's transform."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from rclpy._rclpy_pybind11 import RCLError
from rclpy.node import Node
from rclpy.time import Time

from anygrasp_bringup.nodes.tf import TransformBroadcaster
from anygrasp_bringup.nodes.transform_conversions import transform_to_stamped_msg
from robot_drivers.arms.arm import Arm, ArmError
from robot_drivers.grippers.gripper import Gripper, GripperError

__all__ = ["RobotLink"]


class RobotLink:
    """Connects from its own thread and tries again until it is closed; a working link is left alone.

    Another thread publishes the tool: as a timer of the node, each of its many ticks would make the executor
    collect anew all that the node waits for.
    """

    def __init__(
        self,
        node: Node,
        arm: Arm,
        gripper: Gripper,
        T_tool0_tcp: np.ndarray,
        base_frame: str,
        retry_s: float,
        tool_rate_hz: float,
        on_alive: Callable[[], None] = lambda: None,
        now: Callable[[], Time] | None = None,
    ) -> None:
        """`T_tool0_tcp` (4, 4) is the tool centre point in the arm's flange frame `tool0`.

        `tool_rate_hz` is how often, wall time, `base` -> `tool0` is published; `on_alive` is called whenever
        the arm has told its pose; `now` gives the stamp of a pose, by the node's clock where it is None.
        """
        self._node = node
        self._arm = arm
        self._gripper = gripper
        self._T_tcp_tool0 = np.linalg.inv(T_tool0_tcp)
        self._base_frame = base_frame
        self._retry_s = retry_s
        self._on_alive = on_alive
        self._now = now or node.get_clock().now
        self._broadcaster = TransformBroadcaster(node)
        self._problem: str | None = "not connected yet"
        self._changing = threading.Lock()
        self._in_use = threading.Lock()
        self._closing = threading.Event()
        self._wake = threading.Event()
        self._period_s = 1.0 / tool_rate_hz
        self._stamp_ns = 0
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for name, work in (("robot_link", self._keep_connected), ("tool", self._keep_publishing))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def problem(self) -> str | None:
        """Why the robot cannot be used, or None."""
        return self._problem

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep arm and gripper as they are, lost or not: whoever uses them has to hear of a loss.

        Else the gripper would be taken away from under a motion because the arm was lost, or a motion go on
        over a new connection. Waits while the link is connecting.
        """
        with self._in_use:
            yield

    def report_lost(self, problem: str) -> None:
        """Tell the link that arm or gripper was lost; it connects again, unless it is doing so already."""
        with self._changing:
            if self._problem is None:
                self._problem = problem
                self._wake.set()

    def close(self) -> None:
        """Stop trying, and disconnect arm and gripper."""
        self._closing.set()
        self._wake.set()
        for thread in self._threads:
            thread.join(timeout=10.0)
        self._disconnect()

    def _keep_connected(self) -> None:
        logger = self._node.get_logger()
        while not self._closing.is_set():
            try:
                with self._in_use:
                    if self._closing.is_set():
                        return
                    self._disconnect()
                    self._arm.connect()
                    self._gripper.connect()
                    self._gripper.activate()
                    self._problem = None
                logger.info("robot and gripper connected")
            except (ArmError, GripperError) as error:
                if str(error) != self._problem:
                    logger.warning(f"{error}; trying again every {self._retry_s:.0f} s")
                self._problem = str(error)
                self._wake.wait(self._retry_s)
                self._wake.clear()
                continue
            self._wake.wait()
            self._wake.clear()

    def _keep_publishing(self) -> None:
        try:
            while not self._closing.wait(self._period_s):
                self._publish_tool()
        except RCLError:
            if self._node.context.ok():  # else: the end came between two messages
                raise

    def _publish_tool(self) -> None:
        """Publish `base` -> `tool0` from the arm's own pose, once a stamp."""
        if self._problem is not None:
            return
        try:
            T_base_tool0 = self._arm.tcp_pose() @ self._T_tcp_tool0
        except ArmError as error:
            self.report_lost(str(error))
            return
        self._on_alive()
        now = self._now()
        if now.nanoseconds == self._stamp_ns:  # simulated time that has not gone on, or not begun
            return
        self._stamp_ns = now.nanoseconds
        self._broadcaster.sendTransform(
            transform_to_stamped_msg(self._base_frame, "tool0", T_base_tool0, now.to_msg())
        )

    def _disconnect(self) -> None:
        for device in (self._gripper, self._arm):
            try:
                device.close()
            except (ArmError, GripperError) as error:
                self._node.get_logger().debug(f"closing: {error}")
