# SPDX-License-Identifier: Apache-2.0
"""Remake three_frames.bag: needs pyrealsense2==2.54.2.5684, a librealsense that still writes .bag files."""

import sys
import time
from pathlib import Path

import numpy as np

from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.cameras.software_realsense import SoftwareRealSense

with SoftwareRealSense(CameraIntrinsics(150, 150, 80, 60, 160, 120), record_to=Path(sys.argv[1])) as device:
    for number in (1, 2, 3):
        depth = np.full((120, 160), 600 + number, np.uint16)
        device.send(number, 1_700_000_000 + number / 30, np.full((120, 160, 3), 90, np.uint8), depth)
        device.flush(10.0)
        time.sleep(1 / 30)  # played back at the pace it came in
