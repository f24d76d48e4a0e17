# SPDX-License-Identifier: Apache-2.0
"""After compiling ahead no request is kept waiting by the compiler."""

import json
import subprocess
import sys

import pytest

from anygrasp_perception.network_detector import shipped_weights

# In a process of its own: others of this one have compiled everything already.
SCRIPT = """
import gc, json, sys
import numpy as np
from numba.core.dispatcher import Dispatcher
from anygrasp_perception.cloud import PointCloud
from anygrasp_perception.compile_ahead import compile_ahead
from anygrasp_perception.detector import DetectionRequest
from anygrasp_perception.detectors import create_detector

def compiled():
    found = [each for each in gc.get_objects() if isinstance(each, Dispatcher)]
    return {f"{each.py_func.__module__}.{each.py_func.__name__}": len(each.signatures) for each in found}

detector = create_detector(sys.argv[1])
compile_ahead(detector)
ahead = compiled()
x, y = np.meshgrid(np.arange(-0.2, 0.2, 0.003), np.arange(-0.2, 0.2, 0.003))
depth = np.where((abs(x) < 0.02) & (abs(y - 0.05) < 0.03), 0.57, 0.6)
points = np.stack([x, y, depth], axis=-1).reshape(-1, 3).astype(np.float32)
# An array that cannot be written, as that of a message.
cloud = PointCloud(np.frombuffer(points.tobytes(), np.float32).reshape(-1, 3))
low, high = np.array((-0.1, -0.1, 0.55)), np.array((0.1, 0.1, 0.65))
for request in (
    DetectionRequest(),
    DetectionRequest(target_mask=points[:, 2] < 0.59),
    DetectionRequest(region_min=low, region_max=high).along((0.0, 0.0, 1.0), 0.4),
    DetectionRequest(dense=True, max_grasps=5),
):
    detector.detect(cloud, request)
print(json.dumps([ahead, compiled()]))
"""


@pytest.mark.parametrize("name", ["geometric", "network"])
def test_nothing_is_left_to_compile(name):
    if name == "network" and not shipped_weights().is_file():
        pytest.skip(f"no weights at {shipped_weights()} yet")
    answer = subprocess.run([sys.executable, "-c", SCRIPT, name], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    ahead, after = json.loads(answer.stdout.splitlines()[-1])
    assert sum(ahead.values()) > 0
    assert after == ahead
