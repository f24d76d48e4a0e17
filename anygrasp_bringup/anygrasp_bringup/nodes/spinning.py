# SPDX-License-Identifier: Apache-2.0
"""Run a node as a program: environment, start, spin, clean end."""

from __future__ import annotations

import gc
from collections.abc import Callable

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from anygrasp_bringup.dataclass_parameters import ConfigError
from anygrasp_bringup.nodes.executors import MultiThreadedExecutor, SingleThreadedExecutor
from anygrasp_bringup.ros_environment import apply_ros_environment
from anygrasp_bringup.stop_signals import stop_signals

__all__ = ["run_node"]


def run_node(make_node: Callable[[], Node], *, threads: int = 1, args: list[str] | None = None) -> int:
    """Make a node, spin it until Ctrl-C or SIGTERM, destroy it; return the exit code of the program.

    0 after a stop that was asked for, 2 when the parameters are refused. With `threads` above 1 a callback
    that waits does not hold up those of other callback groups.
    A node with a method `halt()` has it called at once when the end is asked for, in a thread of its own,
    before the callbacks under way are waited for: there it stops what moves, and whatever would keep a
    callback from returning. It is called again at the end.
    """
    apply_ros_environment()
    # rclpy's own handlers end the context under the callbacks, whose last messages then fail.
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    try:
        _spin(make_node, threads)
    except ExternalShutdownException:
        pass
    except ConfigError as error:
        get_logger("parameters").fatal(str(error))
        return 2
    finally:
        rclpy.try_shutdown()
    return 0


def _spin(make_node: Callable[[], Node], threads: int) -> None:
    end: Future = Future()
    node: Node | None = None

    def stop() -> None:
        end.set_result(None)
        getattr(node, "halt", _nothing)()

    with stop_signals(stop):
        node = make_node()
        # What is loaded now stays: collections while the node runs need not go through all of it again.
        gc.collect()
        gc.freeze()
        executor = SingleThreadedExecutor() if threads == 1 else MultiThreadedExecutor(threads)
        try:
            executor.add_node(node)
            executor.spin_until_future_complete(end)
        finally:
            getattr(node, "halt", _nothing)()
            executor.shutdown()
            node.destroy_node()


def _nothing() -> None:
    """Stands in for the `halt` of a node that moves nothing."""
