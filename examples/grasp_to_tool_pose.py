# SPDX-License-Identifier: Apache-2.0
"""The best grasp as poses of `tool0`, the way MoveIt takes its goals: publishes pre_grasp and grasp.

    python examples/grasp_to_tool_pose.py [--tcp 0.1725] [--retreat 0.10] [--once]

Two geometry_msgs/PoseStamped in `base`: `/pre_grasp` is --retreat metres back along the approach, `/grasp` is
where the fingers close. --tcp: how far the fingertips are in front of tool0, along its z.
"""

import argparse

import numpy as np
import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.utilities import remove_ros_args

from anygrasp_bringup.nodes.tf import TransformBuffer, TransformException, TransformListener  # tf2_ros' own
from anygrasp_msgs.msg import GraspArray
from anygrasp_perception.se3 import make_transform, pose_to_transform, rotation_to_quat_xyzw

# tool0's z is the approach (the grasp's x), its y the direction in which a 2F-85 closes (the grasp's y).
R_GRASP_TOOL = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])


def tool_poses(grasp, T_base_camera, tcp_m, retreat_m):
    """T_base_tool0 (4, 4) before and at a Grasp message that is in the camera's frame."""
    p, q = grasp.pose.position, grasp.pose.orientation
    T_camera_grasp = pose_to_transform((p.x, p.y, p.z), (q.x, q.y, q.z, q.w))
    T_grasp_tip = make_transform(R_GRASP_TOOL, (grasp.depth, 0.0, 0.0))
    T_base_tip = T_base_camera @ T_camera_grasp @ T_grasp_tip
    return [
        T_base_tip @ make_transform(np.eye(3), (0.0, 0.0, -tcp_m - back_m)) for back_m in (retreat_m, 0.0)
    ]


def to_pose_stamped(T_base_tool, stamp):
    """The matrix (4, 4) as a message."""
    message = PoseStamped()
    message.header.frame_id, message.header.stamp = "base", stamp
    pose = message.pose
    pose.position.x, pose.position.y, pose.position.z = map(float, T_base_tool[:3, 3])
    quat = rotation_to_quat_xyzw(T_base_tool[:3, :3])
    pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w = map(float, quat)
    return message


class GoalPublisher(Node):
    def __init__(self, options):
        super().__init__("grasp_goals")
        self.options, self.sent = options, 0
        self.buffer = TransformBuffer(node=self)
        self.listener = TransformListener(self.buffer, self)
        self.publishers_ = [self.create_publisher(PoseStamped, name, 10) for name in ("/pre_grasp", "/grasp")]
        self.create_subscription(GraspArray, "/anygrasp/grasps", self.on_grasps, 10)

    def on_grasps(self, message):
        if not message.grasps:
            return
        header = message.header
        try:  # where the camera was when it took the image, which matters for one on the wrist
            T_base_camera = self.buffer.lookup_matrix("base", header.frame_id, header.stamp, Duration())
        except TransformException as error:
            self.get_logger().warning(f"no goal: {error}")
            return
        goals = tool_poses(message.grasps[0], T_base_camera, self.options.tcp, self.options.retreat)
        for publisher, T_base_tool in zip(self.publishers_, goals, strict=True):
            publisher.publish(to_pose_stamped(T_base_tool, header.stamp))
        self.sent += all(publisher.get_subscription_count() for publisher in self.publishers_)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tcp", type=float, default=0.1725, metavar="M")
    parser.add_argument("--retreat", type=float, default=0.10, metavar="M")
    parser.add_argument("--once", action="store_true", help="end when somebody has got a goal")
    rclpy.init()
    node = GoalPublisher(parser.parse_args(remove_ros_args()[1:]))
    try:
        while not (node.options.once and node.sent):
            rclpy.spin_once(node, timeout_sec=1.0)
    except KeyboardInterrupt:
        pass
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
