# SPDX-License-Identifier: Apache-2.0
"""One diagnostic_msgs status of a node, for /diagnostics."""

from __future__ import annotations

from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

__all__ = ["status_message"]


def status_message(node: Node, name: str, ok: bool, text: str, values: Mapping[str, str]) -> DiagnosticArray:
    """DiagnosticArray with one status, OK or WARN, stamped now."""
    status = DiagnosticStatus(
        level=DiagnosticStatus.OK if ok else DiagnosticStatus.WARN,
        name=f"{node.get_fully_qualified_name()}: {name}",
        message=text,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
    message = DiagnosticArray(status=[status])
    message.header.stamp = node.get_clock().now().to_msg()
    return message
