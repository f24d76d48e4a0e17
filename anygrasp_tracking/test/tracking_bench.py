# SPDX-License-Identifier: Apache-2.0
"""A tracking node over real DDS, and a second node that plays detector, camera and client."""

import threading
import time

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from anygrasp_bringup.nodes.executors import MultiThreadedExecutor
from anygrasp_bringup.nodes.qos import SENSOR_DATA
from anygrasp_msgs.msg import GraspArray, TrackedGraspArray
from anygrasp_msgs.srv import ResetTrack, SelectTrack
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.ros_conversions import grasps_to_msgs
from anygrasp_tracking.nodes.grasp_tracking import GraspTrackingNode

TIMEOUT_S = 120.0
FRAME = "camera_color_optical_frame"
DOWN = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]).T  # approach along the optical z


def grasps_at(*positions):
    """Grasps that look along the optical axis, the first with the highest score."""
    positions = np.array(positions, dtype=float).reshape(-1, 3)
    if len(positions) == 0:
        return GraspGroup.empty()
    return GraspGroup.from_arrays(
        rotation_matrices=np.tile(DOWN, (len(positions), 1, 1)),
        translations=positions,
        widths=0.04,
        depths=0.02,
        scores=np.linspace(1.0, 0.5, len(positions)),
    )


def mask_of(columns):
    """A mask of 64 x 48 pixels that is on in some columns."""
    pixels = np.zeros((48, 64), dtype=np.uint8)
    pixels[:, columns] = 255
    return Image(height=48, width=64, step=64, encoding="mono8", data=pixels.tobytes())


def seconds(stamp):
    return stamp.sec + stamp.nanosec * 1e-9


class Heard:
    """The messages of one topic; waits for those that a test asks for."""

    def __init__(self, node, kind, topic):
        self.messages = []
        self._changed = threading.Condition()
        self._subscription = node.create_subscription(kind, topic, self._on_message, 50)

    def _on_message(self, message):
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()

    def newest(self):
        """The last message, once there is one."""
        return self.find(lambda message: True)

    def wait(self, timeout_s):
        """Until another message comes, or the time is up."""
        with self._changed:
            self._changed.wait(timeout_s)

    def find(self, fits):
        """The newest message that fits, once there is one."""

        def found():
            return next((m for m in reversed(self.messages) if fits(m)), None)

        with self._changed:
            assert self._changed.wait_for(lambda: found() is not None, TIMEOUT_S), "no such message"
            return found()


class TrackingBench:
    """Give `show` grasps and a time; whatever the node tells is kept."""

    def __init__(self, **parameters):
        given = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
        rclpy.init(args=["--ros-args", *given])
        self.tracking = GraspTrackingNode()
        self.node = rclpy.create_node("bench")
        self.publisher = self.node.create_publisher(GraspArray, "grasps", 10)
        self.camera_info = self.node.create_publisher(
            CameraInfo, "/camera/camera/color/camera_info", SENSOR_DATA
        )
        self.tracked = Heard(self.node, TrackedGraspArray, "tracked")
        self.predicted = Heard(self.node, PoseStamped, "predicted")
        self.tf = Heard(self.node, TFMessage, "/tf")
        self.diagnostics = Heard(self.node, DiagnosticArray, "/diagnostics")
        self._clients = {
            kind: self.node.create_client(kind, name)
            for kind, name in ((SelectTrack, "track/select"), (ResetTrack, "track/reset"))
        }
        self.executor = MultiThreadedExecutor(6)
        self.executor.add_node(self.tracking)
        self.executor.add_node(self.node)
        self.thread = threading.Thread(target=self.executor.spin)
        self.thread.start()
        for client in self._clients.values():
            assert client.wait_for_service(TIMEOUT_S)
        self._wait_for_matches()
        self.time_s = 10.0

    def close(self):
        self.tracking.destroy_node()
        self.executor.shutdown()
        self.thread.join(TIMEOUT_S)
        self.node.destroy_node()
        rclpy.shutdown()

    def publish(self, group, time_s):
        """Send grasps of an image; returns its stamp in seconds."""
        stamp = Time(sec=int(time_s), nanosec=round((time_s % 1) * 1e9))
        header = Header(stamp=stamp, frame_id=FRAME)
        self.publisher.publish(GraspArray(header=header, grasps=grasps_to_msgs(group)))
        return seconds(stamp)

    def show_camera(self, fx=100.0):
        """Publish a camera of 64 x 48 pixels until the node selects by masks, or does no more (fx 0)."""
        k = [fx, 0.0, 32.0, 0.0, fx, 24.0, 0.0, 0.0, 1.0]
        deadline_s = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline_s:
            self.camera_info.publish(CameraInfo(width=64, height=48, k=k))
            refused = self.select(mode=SelectTrack.Request.ON_MASK, count=1, mask=mask_of(slice(0, 64)))
            if ("camera_info" in refused.error_msg) == (fx <= 0):
                return
        raise AssertionError("the node did not hear of the camera")

    def show(self, *positions, after_s=0.1):
        """Publish grasps `after_s` later than the last ones; what the node tells of that image."""
        self.time_s = round(self.time_s + after_s, 3)
        told_s = self.publish(grasps_at(*positions), self.time_s)
        return self.tracked.find(lambda m: abs(seconds(m.header.stamp) - told_s) < 1e-6)

    def select(self, **fields):
        return self._call(SelectTrack, SelectTrack.Request(**fields))

    def reset(self):
        return self._call(ResetTrack, ResetTrack.Request())

    def diagnosis(self, **at_least):
        """Values of the next diagnostics in which these keys (dots as __) have reached these counts."""
        wanted = {key.replace("__", "."): count for key, count in at_least.items()}

        def fits(message):
            values = self.values(message)
            return all(int(values.get(key, 0)) >= count for key, count in wanted.items())

        return self.values(self.diagnostics.find(fits))

    @staticmethod
    def values(message):
        return {pair.key: pair.value for pair in message.status[0].values}

    def _call(self, kind, request):
        future = self._clients[kind].call_async(request)
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        assert done.wait(TIMEOUT_S)
        return future.result()

    def _wait_for_matches(self):
        """Until both sides know of each other: what is published before is lost."""
        deadline_s = time.monotonic() + TIMEOUT_S
        follows_topic = self.tracking.get_parameter("source").value == "grasps"
        topics = ["tracked", "predicted", "/tf"]
        while time.monotonic() < deadline_s:
            heard = not follows_topic or self.publisher.get_subscription_count()
            if heard and all(self.node.count_publishers(topic) for topic in topics):
                return
            threading.Event().wait(0.05)
        raise AssertionError("the nodes did not find each other")
