# SPDX-License-Identifier: Apache-2.0
"""Grasps in a plain rclpy node: prints the best of each image.

    python examples/subscribe_grasps.py [COUNT]     ends after COUNT images

Needs a detection node: ./run launch anygrasp_bringup detection.launch.py
"""

import sys

import rclpy
from rclpy.node import Node

from anygrasp_msgs.msg import GraspArray


class GraspPrinter(Node):
    """A subscriber is all it takes: the detection node detects while there is one."""

    def __init__(self):
        super().__init__("grasp_printer")
        self.images = 0
        self.create_subscription(GraspArray, "/anygrasp/grasps", self.on_grasps, 10)

    def on_grasps(self, message):
        self.images += 1
        if not message.grasps:
            reasons = ", ".join(f"{count.reason} {count.count}" for count in message.rejected)
            print(f"no grasp in {message.header.frame_id}; {message.candidates} candidates: {reasons}")
            return
        best = message.grasps[0]  # they are sorted
        p = best.pose.position
        print(
            f"{len(message.grasps)} grasps, best {best.score:.2f} at ({p.x:.3f}, {p.y:.3f}, {p.z:.3f}) m in "
            f"{message.header.frame_id}, open {best.width:.3f} m"
        )


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    rclpy.init()
    node = GraspPrinter()
    try:
        while count == 0 or node.images < count:
            rclpy.spin_once(node, timeout_sec=1.0)
    except KeyboardInterrupt:
        pass
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
