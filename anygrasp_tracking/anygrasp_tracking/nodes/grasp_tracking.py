# SPDX-License-Identifier: Apache-2.0
"""Grasp tracking node: follows chosen grasps over time, and says where they will be."""

from __future__ import annotations

import threading
import time
from collections import Counter

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.duration import Duration
from rclpy.node import Node
from std_msgs.msg import Header

from anygrasp_bringup.nodes.diagnostics import status_message
from anygrasp_bringup.nodes.parameters import declare_parameters
from anygrasp_bringup.nodes.qos import RESULTS
from anygrasp_bringup.nodes.spinning import run_node
from anygrasp_bringup.nodes.tf import TransformBuffer, TransformException, TransformListener
from anygrasp_msgs.srv import ResetTrack, SelectTrack
from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.ros_conversions import stamp_to_ns
from anygrasp_perception.se3 import inverse
from anygrasp_tracking.loop_times import LoopTimes
from anygrasp_tracking.nodes.frame_sources import (
    DroppedFrame,
    FrameSource,
    GraspTopicSource,
    ImageSource,
    SeenGrasps,
)
from anygrasp_tracking.nodes.grasp_tracking_config import GraspTrackingConfig
from anygrasp_tracking.nodes.select_request import decode_selection
from anygrasp_tracking.nodes.track_publisher import ShownFrame, TrackPublisher
from anygrasp_tracking.ros_conversions import tracked_to_msgs
from anygrasp_tracking.selection import Best, NoGrasps
from anygrasp_tracking.target import TrackedGrasp, TrackState
from anygrasp_tracking.tracker import GraspTracker, UnknownTarget
from anygrasp_tracking.tracking_frame import TrackingFrame

__all__ = ["GraspTrackingConfig", "GraspTrackingNode", "main"]


class GraspTrackingNode(Node):
    """One worker thread takes the newest frame and tracks; the services share the tracker by a lock."""

    def __init__(self) -> None:
        super().__init__("grasp_tracking")
        self._config = config = declare_parameters(self, GraspTrackingConfig)
        self._tracker = GraspTracker(config.make_policy(), config.tracker)
        self._tracking = threading.Lock()
        self._shown: ShownFrame | None = None
        self._counts: Counter[str] = Counter()
        self._times = LoopTimes()
        self._heard_s = time.monotonic()  # when the last frame came
        self._tf_buffer = TransformBuffer(node=self)
        self._tf_listener = TransformListener(self._tf_buffer, self)
        self._publisher = TrackPublisher(
            self, config.fixed_frame, config.look_ahead_s, config.detection.gripper
        )
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", RESULTS)
        self._source: FrameSource = (
            GraspTopicSource(self)
            if config.source == "grasps"
            else ImageSource(self, config.detection, *config.make_detector())
        )
        asked = MutuallyExclusiveCallbackGroup()
        self.create_service(SelectTrack, "track/select", self._on_select, callback_group=asked)
        self.create_service(ResetTrack, "track/reset", self._on_reset, callback_group=asked)
        self.create_timer(1.0, self._publish_diagnostics)
        self._closing = False
        self._worker = threading.Thread(target=self._track_continuously, name="tracking", daemon=True)
        self._worker.start()

    def destroy_node(self) -> None:
        """End the worker, then the node."""
        self._closing = True
        self._source.close()
        self._worker.join(timeout=10.0)
        super().destroy_node()

    def _track_continuously(self) -> None:
        while not self._closing:
            try:
                seen = self._source.wait(timeout_s=0.5)
                if seen is not None and not self._closing:
                    self._heard_s = time.monotonic()
                    self._track(seen)
            except DroppedFrame as dropped:
                self._heard_s = time.monotonic()
                self._drop(dropped.reason, str(dropped))

    def _track(self, seen: SeenGrasps) -> None:
        """Take a frame; raises DroppedFrame when it is of no use."""
        started_s = time.perf_counter()
        shown = ShownFrame(seen.header, self._T_fixed_camera(seen.header))
        waited_s = time.perf_counter() - started_s
        time_s = stamp_to_ns(seen.header.stamp) * 1e-9
        grasps = seen.grasps.transformed(shown.T_fixed_camera)
        frame = TrackingFrame(time_s, grasps, seen.cloud, shown.T_fixed_camera, seen.detection)
        with self._tracking:
            try:
                result = self._tracker.update(frame)
            except ValueError as error:  # features that are no features
                raise DroppedFrame("policy_failed", str(error)) from error
            if result.dropped:
                raise DroppedFrame("out_of_order", result.dropped)
            targets = result.targets or self._follow_best()
            self._shown = shown
            later_s = time_s + self._config.look_ahead_s
            predicted = [
                self._tracker.predict(target.track_id, later_s)
                for target in targets
                if target.state is not TrackState.LOST
            ]
        tracking_s = time.perf_counter() - started_s - waited_s
        for target in targets:
            if target.state is TrackState.LOST:
                self.get_logger().warning(f"target {target.track_id} is lost: {target.lost_reason}")
        self._publisher.publish(targets, predicted, shown)
        total_s = sum(seen.durations_s.values()) + time.perf_counter() - started_s
        self._times.add(**seen.durations_s, tracking=tracking_s, total=total_s)
        self._counts["tracked"] += 1

    def _follow_best(self) -> tuple[TrackedGrasp, ...]:
        """Targets that are followed without being asked for; empty where the config or the frame has none."""
        if self._config.follow_best == 0:
            return ()
        try:
            return self._tracker.select(Best(self._config.follow_best))
        except NoGrasps:
            return ()

    def _on_select(
        self, request: SelectTrack.Request, response: SelectTrack.Response
    ) -> SelectTrack.Response:
        shown = self._shown
        if shown is None:
            response.error_code = "NO_GRASPS"
            response.error_msg = "no frame has been tracked yet: do camera and detector run?"
            return response
        try:
            selection = decode_selection(
                request, lambda name: self._T_frame_fixed(name, shown), self._source.intrinsics
            )
            with self._tracking:
                targets = (
                    self._tracker.keep([selection])
                    if isinstance(selection, int)
                    else self._tracker.select(selection)
                )
            response.targets = tracked_to_msgs(targets, shown.T_fixed_camera)
        except TransformException as error:
            response.error_code, response.error_msg = "TF_UNAVAILABLE", str(error)
        except UnknownTarget as error:
            response.error_code, response.error_msg = "UNKNOWN_ID", str(error)
        except NoGrasps as error:
            response.error_code, response.error_msg = "NO_GRASPS", str(error)
        except ValueError as error:
            response.error_code, response.error_msg = "BAD_REQUEST", str(error)
        return response

    def _on_reset(self, request: ResetTrack.Request, response: ResetTrack.Response) -> ResetTrack.Response:
        with self._tracking:
            self._tracker.reset()
        return response

    def _T_fixed_camera(self, header: Header) -> Float64Array:
        """(4, 4) at the image's stamp; raises DroppedFrame where it is not known."""
        fixed = self._config.fixed_frame
        if fixed in ("", header.frame_id):
            return np.eye(4)
        timeout = Duration(seconds=self._config.tf_timeout_s)
        try:
            return self._tf_buffer.lookup_matrix(fixed, header.frame_id, header.stamp, timeout)
        except TransformException as error:
            raise DroppedFrame(
                "tf_unavailable", f"no transform from {header.frame_id} to {fixed}: {error}"
            ) from error

    def _T_frame_fixed(self, name: str, shown: ShownFrame) -> Float64Array:
        """(4, 4) at the last image; raises TransformException where it is not known."""
        header = shown.header
        T_camera_fixed = inverse(shown.T_fixed_camera)
        if name in ("", header.frame_id):
            return T_camera_fixed
        if name == self._config.fixed_frame:
            return np.eye(4)
        timeout = Duration(seconds=self._config.tf_timeout_s)
        return self._tf_buffer.lookup_matrix(name, header.frame_id, header.stamp, timeout) @ T_camera_fixed

    def _drop(self, reason: str, text: str) -> None:
        self._counts[f"dropped.{reason}"] += 1
        self.get_logger().warning(f"frame dropped, {reason}: {text}", throttle_duration_sec=5.0)

    def _publish_diagnostics(self) -> None:
        silent_s = time.monotonic() - self._heard_s
        ok = silent_s <= self._config.stale_s and self._shown is not None
        what = "grasps" if self._config.source == "grasps" else "images"
        text = "ready" if ok else f"no usable {what} yet"
        if silent_s > self._config.stale_s:
            text = f"no {what} for {silent_s:.1f} s: does the camera run?"
        with self._tracking:
            followed = ", ".join(map(str, self._tracker.target_ids)) or "none"
            counts = {f"tracker.{key}": count for key, count in self._tracker.counts.items()}
        counts |= {**self._counts, **{f"dropped.{key}": n for key, n in self._source.drops().items()}}
        values = {key: str(value) for key, value in sorted(counts.items())}
        values |= {"followed": followed, **self._times.report()}
        self._diagnostics.publish(status_message(self, "grasp tracking", ok, text, values))


def main() -> int:
    """Entry point `grasp_tracking`."""
    return run_node(GraspTrackingNode, threads=4)
