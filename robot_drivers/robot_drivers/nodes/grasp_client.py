# SPDX-License-Identifier: Apache-2.0
"""The executor's eyes: asks the detection node for grasps and brings them into the base frame."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
from geometry_msgs.msg import Point
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.duration import Duration
from rclpy.node import Node
from std_msgs.msg import Header

from anygrasp_bringup.nodes.tf import TransformBuffer, TransformException
from anygrasp_msgs.srv import DetectGrasps
from anygrasp_perception.ros_conversions import grasps_from_msg
from robot_drivers.executors.grasp_request import Corner, GraspClientConfig
from robot_drivers.executors.perception import Perception, PerceptionError
from robot_drivers.executors.pick_errors import PickError
from robot_drivers.ros_conversions import seconds_to_stamp, stamp_to_seconds

__all__ = ["GraspClient", "GraspClientConfig"]


class GraspClient:
    """`Perceive` over the `detect` service and TF."""

    def __init__(
        self,
        node: Node,
        config: GraspClientConfig,
        buffer: TransformBuffer,
        base_frame: str,
        region_m: tuple[Corner, Corner],
        stopped: Callable[[], bool],
    ) -> None:
        """`region_m` holds the grasp centres, base frame; `stopped()` ends a wait with PerceptionError."""
        self._node = node
        self._config = config
        self._buffer = buffer
        self._base_frame = base_frame
        self._region_min, self._region_max = (Point(x=x, y=y, z=z) for x, y, z in region_m)
        self._stopped = stopped
        self._client = node.create_client(DetectGrasps, "detect", callback_group=ReentrantCallbackGroup())

    def __call__(self, newer_than_s: float) -> Perception:
        """Grasps of an image newer than `newer_than_s`; see `Perceive`."""
        started = time.perf_counter()
        request = DetectGrasps.Request(
            newer_than=seconds_to_stamp(newer_than_s),
            timeout_s=self._config.image_timeout_s,
            max_grasps=self._config.max_grasps,
            use_region=True,
            region_frame=self._base_frame,
            region_min=self._region_min,
            region_max=self._region_max,
            use_approach=True,
            approach_frame=self._base_frame,
            approach_cone_rad=float(np.deg2rad(self._config.approach_cone_deg)),
        )
        request.approach.z = -1.0
        answer = self._call(request)
        if answer.error_code:
            raise PerceptionError(f"{answer.error_code}: {answer.error_msg}")
        header = answer.grasps.header
        grasps = grasps_from_msg(answer.grasps.grasps)
        T_base_camera = self.lookup(header)
        durations = {stage.stage: stage.duration_s for stage in answer.grasps.durations}
        return Perception(
            grasps_base=grasps.transformed(T_base_camera),
            grasps_image=grasps,
            frame_id=header.frame_id,
            stamp_s=stamp_to_seconds(header.stamp),
            # From image to grasps: waiting for a new image is not deciding.
            decision_s=durations.get("total", time.perf_counter() - started),
            rejected={count.reason: count.count for count in answer.grasps.rejected},
        )

    def lookup(self, header: Header) -> np.ndarray:
        """T_base_frame (4, 4) of a header's frame at its stamp.

        Raises:
            PerceptionError: with TF_UNAVAILABLE, when there is no such transform.
        """
        timeout = Duration(seconds=self._config.tf_timeout_s)
        try:
            return self._buffer.lookup_matrix(self._base_frame, header.frame_id, header.stamp, timeout)
        except TransformException as error:
            raise PerceptionError(str(error), PickError.TF_UNAVAILABLE) from error

    def _call(self, request: DetectGrasps.Request) -> DetectGrasps.Response:
        if not self._client.service_is_ready() and not self._client.wait_for_service(
            self._config.answer_timeout_s
        ):
            raise PerceptionError(
                f"no service {self._client.srv_name} within {self._config.answer_timeout_s:.0f} s: "
                "is the grasp_detection node running in this namespace?"
            )
        done = threading.Event()
        future = self._client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        deadline = time.monotonic() + self._config.answer_timeout_s
        while not done.wait(0.02):
            if self._stopped():
                raise PerceptionError("stopped while waiting for grasps")
            if time.monotonic() > deadline:
                self._client.remove_pending_request(future)
                raise PerceptionError(
                    f"no answer from {self._client.srv_name} in {self._config.answer_timeout_s:.0f} s"
                )
        return future.result()
