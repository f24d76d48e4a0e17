# SPDX-License-Identifier: Apache-2.0
"""Grasp detection node: depth images in, ranked grasps with reasons out, by topic and by service."""

from __future__ import annotations

import threading
import time
from collections import Counter

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.duration import Duration
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from visualization_msgs.msg import MarkerArray

from anygrasp_bringup.nodes.diagnostics import status_message
from anygrasp_bringup.nodes.parameters import declare_parameters
from anygrasp_bringup.nodes.qos import RESULTS, SENSOR_DATA
from anygrasp_bringup.nodes.spinning import run_node
from anygrasp_bringup.nodes.tf import TransformBuffer, TransformException, TransformListener
from anygrasp_msgs.msg import GraspArray
from anygrasp_msgs.srv import DetectGrasps
from anygrasp_perception.camera import CameraIntrinsics, FrameError, RgbdFrame, depth_to_metres
from anygrasp_perception.cloud import PointCloud
from anygrasp_perception.detector import DetectionRequest, DetectionResult
from anygrasp_perception.frame_pairing import FramePair, FramePairing
from anygrasp_perception.nodes.detection_request import BadRequest, decode_request
from anygrasp_perception.nodes.grasp_detection_config import GraspDetectionConfig
from anygrasp_perception.nodes.grasp_markers import grasp_markers
from anygrasp_perception.ros_conversions import (
    camera_info_to_intrinsics,
    color_from_msg,
    depth_from_msg,
    result_to_msg,
    stamp_to_ns,
)

__all__ = ["GraspDetectionConfig", "GraspDetectionNode", "main"]


class GraspDetectionNode(Node):
    """Callbacks only store; one worker thread detects, and service calls share it by a lock."""

    def __init__(self) -> None:
        super().__init__("grasp_detection")
        self._config = declare_parameters(self, GraspDetectionConfig)
        self._detector = self._config.make_detector()
        self._detecting = threading.Lock()
        self._pairing: FramePairing[Image] = FramePairing(self._config.pairing_tolerance_s)
        self._intrinsics: CameraIntrinsics | None = None
        self._counts: Counter[str] = Counter()
        self._last: DetectionResult | None = None
        self._tf_buffer = TransformBuffer(node=self)
        self._tf_listener = TransformListener(self._tf_buffer, self)
        self._grasps = self.create_publisher(GraspArray, "grasps", RESULTS)
        self._markers = self.create_publisher(MarkerArray, "markers", RESULTS)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", RESULTS)
        prefix = "/camera/camera"
        self.create_subscription(CameraInfo, f"{prefix}/color/camera_info", self._on_info, SENSOR_DATA)
        self.create_subscription(Image, f"{prefix}/color/image_raw", self._on_color, SENSOR_DATA)
        depth_topic = f"{prefix}/aligned_depth_to_color/image_raw"
        self.create_subscription(Image, depth_topic, self._on_depth, SENSOR_DATA)
        self.create_service(
            DetectGrasps, "detect", self._on_detect, callback_group=MutuallyExclusiveCallbackGroup()
        )
        self.create_timer(1.0, self._publish_diagnostics)
        self._closing = False
        self._worker = threading.Thread(target=self._detect_continuously, name="detection", daemon=True)
        self._worker.start()

    def destroy_node(self) -> None:
        """End the worker, then the node."""
        self._closing = True
        self._pairing.close()
        self._worker.join(timeout=10.0)
        super().destroy_node()

    def _on_info(self, message: CameraInfo) -> None:
        try:
            self._intrinsics = camera_info_to_intrinsics(message)
        except ValueError as error:
            self._intrinsics = None
            self._drop("bad_camera_info", str(error))

    def _on_color(self, message: Image) -> None:
        self._pairing.add_color(stamp_to_ns(message.header.stamp), message)

    def _on_depth(self, message: Image) -> None:
        self._pairing.add_depth(stamp_to_ns(message.header.stamp), message)

    def _detect_continuously(self) -> None:
        newest_ns = 0
        while not self._closing:
            pair = self._pairing.wait(newest_ns, timeout_s=0.5)
            if pair is None:
                newest_ns = min(newest_ns, self._pairing.newest_ns or 0)  # the stamps may have jumped back
                continue
            newest_ns, started = pair.stamp_ns, time.perf_counter()
            wanted = self._grasps.get_subscription_count() + self._markers.get_subscription_count()
            if not (self._config.continuous and wanted):
                continue
            try:
                cloud = self._frame(pair).cloud()
            except FrameError as error:
                self._drop("bad_image", str(error))
                continue
            request = DetectionRequest(
                gripper=self._config.gripper, max_grasps=self._config.max_grasps, seed=self._config.seed
            )
            try:
                self._publish(self._detect(cloud, request, started), pair)
            except (ValueError, RuntimeError) as error:  # torch's too, such as out of memory
                self._drop("detector_failed", str(error))

    def _on_detect(
        self, request: DetectGrasps.Request, response: DetectGrasps.Response
    ) -> DetectGrasps.Response:
        timeout_s = float(request.timeout_s) or self._config.image_timeout_s
        pair = self._pairing.wait(stamp_to_ns(request.newer_than), timeout_s)
        if pair is None:
            return self._refuse(response, "NO_IMAGE", self._why_no_image(request, timeout_s))
        started = time.perf_counter()
        try:
            frame = self._frame(pair)
            cloud = frame.cloud()
            decoded = decode_request(
                request,
                cloud,
                frame.depth_m.shape,
                self._config.gripper,
                self._config.max_grasps,
                self._config.seed,
                lambda name: self._lookup(name, pair),
            )
        except FrameError as error:
            return self._refuse(response, "BAD_IMAGE", str(error))
        except BadRequest as error:
            return self._refuse(response, "BAD_REQUEST", str(error))
        except TransformException as error:
            return self._refuse(response, "TF_UNAVAILABLE", str(error))
        try:
            response.grasps = self._publish(self._detect(cloud, decoded, started), pair)
        except (ValueError, RuntimeError) as error:
            return self._refuse(response, "DETECTOR_FAILED", str(error))
        return response

    def _why_no_image(self, request: DetectGrasps.Request, timeout_s: float) -> str:
        wanted_ns, newest_ns = stamp_to_ns(request.newer_than), self._pairing.newest_ns
        text = f"no colour and depth pair within {timeout_s:.1f} s"
        if newest_ns is None:
            return f"{text}: does the camera publish both, with the same stamps?"
        behind_s = (wanted_ns - newest_ns) * 1e-9
        return (
            f"{text}; the newest is {behind_s:.1f} s too old: does the camera stream, and is its clock right?"
        )

    def _frame(self, pair: FramePair[Image]) -> RgbdFrame:
        if self._intrinsics is None:
            raise FrameError("no valid camera_info yet; does the camera publish color/camera_info?")
        depth_m = depth_to_metres(depth_from_msg(pair.depth))
        return RgbdFrame(color=color_from_msg(pair.color), depth_m=depth_m, intrinsics=self._intrinsics)

    def _detect(self, cloud: PointCloud, request: DetectionRequest, started: float) -> DetectionResult:
        """Detect once the detector is free; `started` is when the work on the image began."""
        cloud_s = time.perf_counter() - started
        with self._detecting:
            waited_s = time.perf_counter() - started - cloud_s
            result = self._detector.detect(cloud, request)
        result.durations_s.update(cloud=cloud_s, waiting=waited_s, total=time.perf_counter() - started)
        self._counts["detections"] += 1
        self._last = result
        return result

    def _publish(self, result: DetectionResult, pair: FramePair[Image]) -> GraspArray:
        message = result_to_msg(result, pair.depth.header)
        self._grasps.publish(message)
        if self._markers.get_subscription_count():
            self._markers.publish(
                grasp_markers(
                    result.grasps, self._config.gripper, pair.depth.header, self._config.max_markers
                )
            )
        return message

    def _lookup(self, frame: str, pair: FramePair[Image]) -> np.ndarray:
        header = pair.depth.header
        if frame in ("", header.frame_id):
            return np.eye(4)
        timeout = Duration(seconds=self._config.tf_timeout_s)
        try:
            return self._tf_buffer.lookup_matrix(frame, header.frame_id, header.stamp, timeout)
        except TransformException as error:
            raise TransformException(f"no transform from {header.frame_id} to {frame!r}: {error}") from error

    def _refuse(self, response: DetectGrasps.Response, code: str, text: str) -> DetectGrasps.Response:
        response.error_code, response.error_msg = code, text
        self._drop(code.lower(), text)
        return response

    def _drop(self, reason: str, text: str) -> None:
        self._counts[reason] += 1
        self.get_logger().warning(f"{reason}: {text}", throttle_duration_sec=5.0)

    def _publish_diagnostics(self) -> None:
        counts = {**self._counts, **self._pairing.drops()}
        text = "waiting for camera_info" if self._intrinsics is None else "ready"
        values = {key: str(value) for key, value in sorted(counts.items())}
        if self._last is not None:
            values |= {f"{stage}_ms": f"{s * 1e3:.0f}" for stage, s in self._last.durations_s.items()}
            values |= {f"rejected.{reason}": str(n) for reason, n in self._last.rejected.as_dict().items()}
        ok = self._intrinsics is not None
        self._diagnostics.publish(status_message(self, "grasp detection", ok, text, values))


def main() -> int:
    """Entry point `grasp_detection`."""
    return run_node(GraspDetectionNode, threads=4)
