# SPDX-License-Identifier: Apache-2.0
"""The camera node over DDS: realsense-ros' names, librealsense's recordings, cameras that come and go."""

import json
import threading

import cv2
import numpy as np
import pyrealsense2 as rs
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from anygrasp_bringup.nodes.executors import SingleThreadedExecutor
from anygrasp_bringup.nodes.qos import RESULTS, SENSOR_DATA
from anygrasp_bringup.nodes.tf import TransformBuffer, TransformListener
from anygrasp_perception.cameras import record_cli
from anygrasp_perception.cameras.realsense import RealSenseCamera
from anygrasp_perception.nodes.camera import CameraNode, CameraNodeConfig
from anygrasp_perception.ros_conversions import cloud_from_msg, depth_from_msg

TIMEOUT_S = 30.0
PREFIX = "/camera/camera"
TOPICS = {
    f"{PREFIX}/color/image_raw": Image,
    f"{PREFIX}/aligned_depth_to_color/image_raw": Image,
    f"{PREFIX}/color/camera_info": CameraInfo,
}


class Bench:
    """A camera node started with parameters, and a node that waits for its messages."""

    def __init__(self, parameters, open_camera):
        overrides = [part for name, value in parameters.items() for part in ("-p", f"{name}:={value}")]
        rclpy.init(args=["--ros-args", *overrides])
        self.camera = CameraNode(open_camera)
        self.node = rclpy.create_node("bench")
        self.reports = []
        self.changed = threading.Condition()
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._report, RESULTS)
        self.messages = {}
        self.complete = threading.Event()
        for topic, kind in TOPICS.items():
            self.node.create_subscription(
                kind, topic, lambda message, topic=topic: self._take(topic, message), SENSOR_DATA
            )
        self.buffer = TransformBuffer(node=self.node)
        self.listener = TransformListener(self.buffer, self.node)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.camera)
        self.executor.add_node(self.node)
        self.thread = threading.Thread(target=self.executor.spin)
        self.thread.start()

    def _take(self, topic, message):
        self.messages.setdefault(message.header.stamp.nanosec, {})[topic] = message
        if len(self.messages[message.header.stamp.nanosec]) == len(TOPICS):
            self.frame = self.messages[message.header.stamp.nanosec]
            self.complete.set()

    def _report(self, message):
        status = message.status[0]
        with self.changed:
            self.reports.append((status, {item.key: item.value for item in status.values}))
            self.changed.notify_all()

    def wait_for_report(self, wanted):
        """The first diagnostics from now on that `wanted(status, values)` accepts."""
        with self.changed:
            self.reports.clear()
            assert self.changed.wait_for(lambda: any(wanted(*r) for r in self.reports), TIMEOUT_S), (
                self.reports
            )
            return next(r for r in self.reports if wanted(*r))

    def close(self):
        self.executor.shutdown()
        self.thread.join(TIMEOUT_S)
        self.camera.destroy_node()
        self.node.destroy_node()
        rclpy.shutdown()


@pytest.fixture
def start():
    benches = []

    def start(open_camera=CameraNodeConfig.camera, **parameters):
        benches.append(Bench(parameters, open_camera))
        return benches[-1]

    yield start
    for bench in benches:
        bench.close()


@pytest.fixture
def image_folder(tmp_path):
    cv2.imwrite(str(tmp_path / "box_color.png"), np.full((4, 6, 3), 90, np.uint8))
    cv2.imwrite(str(tmp_path / "box_depth_mm.png"), np.full((4, 6), 500, np.uint16))
    intrinsics = {"fx": 5.0, "fy": 5.0, "cx": 3.0, "cy": 2.0, "width": 6, "height": 4}
    (tmp_path / "box_intrinsics.json").write_text(json.dumps(intrinsics))
    return tmp_path


def test_images_and_info_carry_one_stamp_and_the_optical_frame(start, image_folder):
    bench = start(folder=image_folder, mount_frame="base", optical_xyz_m="[0.0, 0.0, 0.7]")
    assert bench.complete.wait(TIMEOUT_S)
    color, depth, info = (bench.frame[topic] for topic in TOPICS)
    assert {message.header.frame_id for message in (color, depth, info)} == {"camera_color_optical_frame"}
    assert color.encoding == "rgb8"
    assert depth_from_msg(depth)[0, 0] == 500
    assert (info.k[0], info.width) == (5.0, 6)
    T_base_camera = bench.buffer.lookup_matrix("base", "camera_color_optical_frame", Time())
    np.testing.assert_allclose(T_base_camera[:3, 3], [0.0, 0.0, 0.7], atol=1e-9)
    T_base_link = bench.buffer.lookup_matrix("base", "camera_link", Time())
    np.testing.assert_allclose(T_base_link[:3, :3] @ [1, 0, 0], [0, 0, 1], atol=1e-9)  # x along the view
    np.testing.assert_allclose(
        bench.buffer.lookup_matrix("camera_link", "camera_color_frame", Time()), np.eye(4), atol=1e-9
    )


def test_a_camera_that_is_missing_is_looked_for_again(start, tmp_path, image_folder):
    missing = tmp_path / "later"
    bench = start(folder=missing, retry_s=0.05)
    assert not bench.complete.wait(0.3)
    image_folder.joinpath("later").mkdir()
    for path in image_folder.glob("box_*"):
        path.rename(missing / path.name)
    assert bench.complete.wait(TIMEOUT_S)


@pytest.fixture
def recording(tmp_path):
    """Half a second of a scene at 600 mm, as `./run record` writes it."""
    images, path = tmp_path / "images", tmp_path / "clip.db3"
    images.mkdir()
    cv2.imwrite(str(images / "a_color.png"), np.full((48, 64, 3), 90, np.uint8))
    cv2.imwrite(str(images / "a_depth_mm.png"), np.full((48, 64), 600, np.uint16))
    intrinsics = {"fx": 60.0, "fy": 60.0, "cx": 32.0, "cy": 24.0, "width": 64, "height": 48}
    (images / "a_intrinsics.json").write_text(json.dumps(intrinsics))
    assert record_cli.main(["--out", str(path), "--from-images", str(images), "--seconds", "0.5"]) == 0
    return path


def test_recording_is_published_with_an_organised_cloud(start, recording):
    bench = start(**{"realsense.recording": recording})
    clouds, arrived = [], threading.Event()
    bench.node.create_subscription(
        PointCloud2,
        f"{PREFIX}/depth/color/points",
        lambda message: (clouds.append(message), arrived.set()),
        SENSOR_DATA,
    )
    assert bench.complete.wait(TIMEOUT_S)
    assert arrived.wait(TIMEOUT_S)
    assert (clouds[0].height, clouds[0].width) == (48, 64)
    assert clouds[0].header.frame_id == "camera_color_optical_frame"
    np.testing.assert_allclose(
        cloud_from_msg(clouds[0]).reshape(48, 64, 3)[24, 62], [0.3, 0.0, 0.6], atol=1e-6
    )


def test_end_of_a_recording_is_told_and_the_node_stays(start, recording):
    bench = start(**{"realsense.recording": recording, "realsense.repeat": "false", "timeout_s": 0.5})
    _, values = bench.wait_for_report(lambda status, _: "played to its end" in status.message)
    assert int(values["images"]) >= 1
    bench.wait_for_report(lambda status, _: status.level == DiagnosticStatus.WARN)


def test_unplugged_camera_is_reported_and_streams_again_when_it_is_back(start, recording):
    context = rs.context()
    device = context.load_device(str(recording))  # to librealsense a device like any other

    def open_camera(config):
        return RealSenseCamera(config.realsense, context)

    parameters = {"realsense.width": 64, "realsense.height": 48, "retry_s": 0.05, "timeout_s": 0.3}
    bench = start(open_camera, **parameters)
    assert bench.complete.wait(TIMEOUT_S)
    context.unload_device(str(recording))
    del device
    status, values = bench.wait_for_report(lambda s, v: "no RealSense camera is connected" in s.message)
    assert status.level == DiagnosticStatus.WARN
    assert int(values["lost"]) >= 1
    bench.complete.clear()
    device = context.load_device(str(recording))
    assert bench.complete.wait(TIMEOUT_S)
    bench.wait_for_report(lambda _, v: int(v["reconnects"]) >= 1)
    del device


def test_bad_frames_are_counted_and_good_ones_go_on(start, image_folder):
    (image_folder / "bad_color.png").write_bytes(b"no picture")
    for ending in ("depth_mm.png", "intrinsics.json"):
        (image_folder / f"bad_{ending}").write_bytes((image_folder / f"box_{ending}").read_bytes())
    bench = start(folder=image_folder, rate_hz=50.0)
    assert bench.complete.wait(TIMEOUT_S)
    _, values = bench.wait_for_report(lambda _, v: int(v.get("dropped.unreadable", 0)) >= 2)
    assert int(values["images"]) >= 1
    assert values["lost"] == "0"


def test_unexpected_error_of_a_source_does_not_end_the_node(start, image_folder):
    """Such as a driver's own exception: the stream starts again."""
    calls = []

    def open_camera(config):
        calls.append(config)
        if len(calls) == 1:
            raise ZeroDivisionError("a bug in a driver")
        return config.camera()

    bench = start(open_camera, folder=image_folder, retry_s=0.05)
    assert bench.complete.wait(TIMEOUT_S)
