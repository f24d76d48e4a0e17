# SPDX-License-Identifier: Apache-2.0
"""rclpy's executors, which go on spinning when another thread destroys what they wait for.

In rclpy (9.1.2) the thread that spins collects subscriptions, clients and the handlers of their events, then
adds them to a wait set. One that is destroyed in between raises InvalidHandle there, which ends the thread:
the node still stands, but never answers again (ros2/rclpy issues 1142, 1206 and 1355).
"""

from __future__ import annotations

from typing import Any

import rclpy.executors
from rclpy.exceptions import InvalidHandle

__all__ = ["MultiThreadedExecutor", "SingleThreadedExecutor"]


class _OutlivesDestroyed(rclpy.executors.Executor):  # type: ignore[misc]  # rclpy has no types
    def wait_for_ready_callbacks(self, *args: Any, **kwargs: Any) -> Any:
        """As rclpy's; collects anew when one of what it waits for has been destroyed meanwhile."""
        while True:
            try:
                return super().wait_for_ready_callbacks(*args, **kwargs)
            except InvalidHandle:
                continue


class SingleThreadedExecutor(_OutlivesDestroyed, rclpy.executors.SingleThreadedExecutor):  # type: ignore[misc]
    """Runs callbacks in the thread that spins it."""


class MultiThreadedExecutor(_OutlivesDestroyed, rclpy.executors.MultiThreadedExecutor):  # type: ignore[misc]
    """Runs callbacks in threads of its own."""
