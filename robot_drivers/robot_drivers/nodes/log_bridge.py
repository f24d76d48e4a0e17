# SPDX-License-Identifier: Apache-2.0
"""What the ROS-free modules of this package log, in the node's own log."""

from __future__ import annotations

import logging

from rclpy.node import Node

__all__ = ["bridge_logs"]


class _NodeHandler(logging.Handler):
    def __init__(self, node: Node) -> None:
        super().__init__(logging.INFO)
        self._logger = node.get_logger()

    def emit(self, record: logging.LogRecord) -> None:
        # rclpy remembers a severity for each line that calls it: one line each.
        text = record.getMessage()
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        else:
            self._logger.info(text)


def bridge_logs(node: Node) -> None:
    """Send the package's log records to the node's logger, and no longer to stderr."""
    logger = logging.getLogger("robot_drivers")
    logger.handlers = [handler for handler in logger.handlers if not isinstance(handler, _NodeHandler)]
    logger.addHandler(_NodeHandler(node))
    logger.setLevel(logging.INFO)
