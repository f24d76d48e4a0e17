# SPDX-License-Identifier: Apache-2.0
"""Our executors go on after another thread has destroyed what they were about to wait for."""

import threading

import pytest
import rclpy
from rclpy.context import Context
from std_msgs.msg import String

from anygrasp_bringup.nodes.executors import MultiThreadedExecutor, SingleThreadedExecutor

WAIT_S = 30.0


@pytest.mark.parametrize("kind", [SingleThreadedExecutor, MultiThreadedExecutor])
def test_subscription_destroyed_while_it_is_collected_does_not_end_the_executor(kind, ros_domain):
    context = Context()
    rclpy.init(context=context, domain_id=ros_domain)
    node = rclpy.create_node("listener", context=context)
    executor = kind(context=context)
    executor.add_node(node)
    doomed = node.create_subscription(String, "doomed", print, 5)
    handler = doomed.event_handlers[0]

    def destroyed_meanwhile(wait_set, real=handler.add_to_wait_set):
        node.destroy_subscription(doomed)  # as another thread may, between collecting and adding
        real(wait_set)

    handler.add_to_wait_set = destroyed_meanwhile
    spinning = threading.Thread(target=executor.spin)
    spinning.start()
    heard = threading.Event()
    timer = node.create_timer(0.01, heard.set)
    try:
        assert heard.wait(WAIT_S)
        assert doomed not in node.subscriptions
    finally:
        node.destroy_timer(timer)
        executor.shutdown()
        spinning.join(WAIT_S)
        node.destroy_node()
        rclpy.shutdown(context=context)
