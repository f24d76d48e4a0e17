# SPDX-License-Identifier: Apache-2.0
"""Times message conversion: 1024 grasps under 20 ms, a 640x480 image or cloud under 10 ms."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from machine import describe_machine
from scipy.spatial.transform import Rotation
from std_msgs.msg import Header

from anygrasp_perception import ros_conversions as conversions
from anygrasp_perception.detector import DetectionResult
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.reject_reason import RejectCounts


def milliseconds(function: Callable[[], object], repeats: int = 20) -> tuple[float, float]:
    """Smallest and median wall time of a call."""
    function()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append((time.perf_counter() - started) * 1e3)
    return min(times), float(np.median(times))


def main() -> None:
    """Print one line a conversion."""
    rng = np.random.default_rng(0)
    n = 1024
    group = GraspGroup.from_arrays(
        rotation_matrices=Rotation.random(n, random_state=0).as_matrix(),
        translations=rng.uniform(-1, 1, (n, 3)),
        widths=rng.uniform(0, 0.08, n),
        scores=rng.uniform(0, 1, n),
        depths=np.full(n, 0.02),
    )
    result = DetectionResult(
        grasps=group, candidates=n, rejected=RejectCounts(), durations_s={}, detector="geometric"
    )
    color = rng.integers(0, 255, (480, 640, 3), dtype=np.uint8)
    depth = rng.integers(0, 1000, (480, 640), dtype=np.uint16)
    points = rng.uniform(0, 1, (480, 640, 3)).astype(np.float32)
    header = Header(frame_id="camera_color_optical_frame")
    color_message = conversions.image_to_msg(color, "rgb8", header)
    depth_message = conversions.image_to_msg(depth, "16UC1", header)
    cloud_message = conversions.cloud_to_msg(points, color, header)
    grasp_message = conversions.result_to_msg(result, header)
    cases: list[tuple[str, float, Callable[[], object]]] = [
        ("1024 grasps -> GraspArray", 20, lambda: conversions.result_to_msg(result, header)),
        ("GraspArray -> 1024 grasps", 20, lambda: conversions.grasps_from_msg(grasp_message.grasps)),
        ("colour 640x480 -> Image", 10, lambda: conversions.image_to_msg(color, "rgb8", header)),
        ("Image -> colour 640x480", 10, lambda: conversions.color_from_msg(color_message)),
        ("depth 640x480 -> Image", 10, lambda: conversions.image_to_msg(depth, "16UC1", header)),
        ("Image -> depth 640x480", 10, lambda: conversions.depth_from_msg(depth_message)),
        ("cloud 640x480 -> PointCloud2", 10, lambda: conversions.cloud_to_msg(points, color, header)),
        ("PointCloud2 -> cloud 640x480", 10, lambda: conversions.cloud_from_msg(cloud_message)),
    ]
    print(describe_machine())
    print(f"{'conversion':32s}{'min ms':>9s}{'median ms':>11s}{'goal ms':>9s}")
    for name, goal_ms, function in cases:
        best, median = milliseconds(function)
        print(f"{name:32s}{best:9.2f}{median:11.2f}{goal_ms:9.0f}")


if __name__ == "__main__":
    main()
