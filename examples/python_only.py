# SPDX-License-Identifier: Apache-2.0
"""Grasps from arrays, without ROS and without a camera: a box on a table, seen from 0.6 m above.

    python examples/python_only.py

Put your own colour (H, W, 3), depth in metres (H, W) and intrinsics in `scene`.
"""

import numpy as np

from anygrasp_perception.camera import CameraIntrinsics, RgbdFrame
from anygrasp_perception.detector import DetectionRequest
from anygrasp_perception.detectors import create_detector


def scene():
    intrinsics = CameraIntrinsics(fx=300.0, fy=300.0, cx=160.0, cy=120.0, width=320, height=240)
    depth_m = np.full((240, 320), 0.6, np.float32)
    depth_m[87:153, 149:171] = 0.54  # 4 x 12 cm, 6 cm high
    color = np.full((240, 320, 3), 128, np.uint8)
    return RgbdFrame(color=color, depth_m=depth_m, intrinsics=intrinsics)


def main():
    detector = create_detector("geometric")  # or "network"
    # The camera looks straight down here: z of its optical frame is the way from above.
    request = DetectionRequest(max_grasps=5).along((0.0, 0.0, 1.0), np.radians(25.0))
    result = detector.detect(scene().cloud(), request)
    for grasp in result.grasps:
        x, y, z = grasp.translations[0]
        print(f"score {grasp.scores[0]:.2f} at ({x:.3f}, {y:.3f}, {z:.3f}) m, open {grasp.widths[0]:.3f} m")
    print(f"{len(result.grasps)} grasps; dropped: {result.rejected.summary()}")


if __name__ == "__main__":
    main()
