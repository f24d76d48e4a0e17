# SPDX-License-Identifier: Apache-2.0
"""Two processes exchange images over ROS 2, to see whether they find and hear each other."""

from __future__ import annotations

import array
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

import rclpy
from sensor_msgs.msg import Image

from anygrasp_bringup.nodes.executors import SingleThreadedExecutor
from anygrasp_bringup.nodes.qos import SENSOR_DATA
from anygrasp_bringup.ros_environment import apply_ros_environment

__all__ = ["Exchange", "exchange_images", "main"]

_TOPIC = "doctor/image"
_WIDTH, _HEIGHT = 640, 480
_PERIOD_S = 0.05


@dataclass(frozen=True)
class Exchange:
    """What came of it."""

    received: int  # images
    lost: int  # between the first and the last of them
    found_s: float | None  # until the first; None: none came


def exchange_images(count: int, timeout_s: float) -> Exchange:
    """Start a process that sends images, and receive `count` of them here, or what comes in time."""
    apply_ros_environment()
    rclpy.init()
    node = rclpy.create_node("doctor_listener")
    stamps: list[int] = []
    node.create_subscription(Image, _TOPIC, lambda image: stamps.append(image.header.stamp.sec), SENSOR_DATA)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    began_s, found_s = time.monotonic(), None
    talker = subprocess.Popen(
        [sys.executable, "-m", "anygrasp_bringup.nodes.dds_probe"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    try:
        while len(stamps) < count and time.monotonic() - began_s < timeout_s and talker.poll() is None:
            executor.spin_once(timeout_sec=0.2)
            if stamps and found_s is None:
                found_s = time.monotonic() - began_s
    finally:
        talker.kill()
        talker.communicate()
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()
    lost = stamps[-1] - stamps[0] + 1 - len(stamps) if stamps else 0
    return Exchange(len(stamps), lost, found_s)


def main() -> None:
    """Send numbered images until stdin is closed."""
    apply_ros_environment()
    rclpy.init()
    node = rclpy.create_node("doctor_talker")
    publisher = node.create_publisher(Image, _TOPIC, SENSOR_DATA)
    image = Image(width=_WIDTH, height=_HEIGHT, step=3 * _WIDTH, encoding="rgb8")
    image.data = array.array("B", bytes(3 * _WIDTH * _HEIGHT))
    over = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    while not over.wait(_PERIOD_S):
        if publisher.get_subscription_count():
            image.header.stamp.sec += 1
            publisher.publish(image)
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
