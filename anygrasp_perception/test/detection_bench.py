# SPDX-License-Identifier: Apache-2.0
"""A detection node over real DDS, and a second node that plays the camera and asks."""

import threading

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from anygrasp_bringup.nodes.executors import MultiThreadedExecutor
from anygrasp_msgs.srv import DetectGrasps
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.nodes.grasp_detection import GraspDetectionNode
from anygrasp_perception.ros_conversions import image_to_msg, intrinsics_to_camera_info

TIMEOUT_S = 30.0
FRAME = "camera_color_optical_frame"
INTRINSICS = CameraIntrinsics(fx=600.0, fy=600.0, cx=320.0, cy=240.0, width=640, height=480)


def box_scene():
    """Colour and depth in metres of a 4 x 12 x 6 cm box on a table 0.6 m below the camera."""
    depth_m = np.full((480, 640), 0.6, np.float32)
    half_x, half_y = int(600 * 0.02 / 0.54), int(600 * 0.06 / 0.54)
    depth_m[240 - half_y : 240 + half_y, 320 - half_x : 320 + half_x] = 0.54
    return np.full((480, 640, 3), 128, np.uint8), depth_m


class Bench:
    """A detection node, and a second node that plays the camera and asks."""

    def __init__(self, **parameters):
        given = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
        rclpy.init(args=["--ros-args", *given])
        self.detection = GraspDetectionNode()
        self.node = rclpy.create_node("bench")
        prefix = "/camera/camera"
        self.info = self.node.create_publisher(CameraInfo, f"{prefix}/color/camera_info", 5)
        self.color = self.node.create_publisher(Image, f"{prefix}/color/image_raw", 5)
        self.depth = self.node.create_publisher(Image, f"{prefix}/aligned_depth_to_color/image_raw", 5)
        self.client = self.node.create_client(DetectGrasps, "detect")
        self.executor = MultiThreadedExecutor(6)
        self.executor.add_node(self.detection)
        self.executor.add_node(self.node)
        self.thread = threading.Thread(target=self.executor.spin)
        self.thread.start()
        assert self.client.wait_for_service(TIMEOUT_S)
        self.stamp_s = 0
        self._info_stamp_s = 0

    def close(self):
        self.detection.destroy_node()
        self.executor.shutdown()
        self.thread.join(TIMEOUT_S)
        self.node.destroy_node()
        rclpy.shutdown()

    def header(self):
        return Header(stamp=Time(sec=self.stamp_s), frame_id=FRAME)

    def show(self, color=None, depth=None, *, encoding="32FC1", info=INTRINSICS):
        """Publish a frame until the node has taken a call that needs it."""
        self.stamp_s += 1
        scene_color, scene_depth = box_scene()
        if info is not None:
            message = info if isinstance(info, CameraInfo) else intrinsics_to_camera_info(info, self.header())
            self.info.publish(message)
        color = scene_color if color is None else color
        depth = scene_depth if depth is None else depth
        self.color.publish(color if isinstance(color, Image) else image_to_msg(color, "rgb8", self.header()))
        self.depth.publish(
            depth if isinstance(depth, Image) else image_to_msg(depth, encoding, self.header())
        )

    def detect(self, **fields):
        """Answer to a service call for the frame shown last."""
        newer = Time(sec=self.stamp_s - 1)
        future = self.client.call_async(DetectGrasps.Request(newer_than=newer, timeout_s=10.0, **fields))
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        assert done.wait(TIMEOUT_S)
        return future.result()
