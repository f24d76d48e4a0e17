# SPDX-License-Identifier: Apache-2.0
"""The cameras by name, one interface for all, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_training.sensors.presets import D415, D435, SENSOR_NAMES, make_sensor
from anygrasp_training.sensors.ray_scene import view_scene
from anygrasp_training.sensors.sample_scenes import look_at, plane_scene


@pytest.mark.parametrize("name", SENSOR_NAMES)
def test_every_sensor_measures_the_same_view(name: str) -> None:
    intrinsics = CameraIntrinsics(308.0, 308.0, 159.5, 119.5, 320, 240)
    view = view_scene(plane_scene(), look_at((0, 0, 0.5), (0, 0, 0)), intrinsics)
    depth = make_sensor(name).measure(view, np.random.default_rng(0))
    assert depth.shape == (240, 320)
    assert depth.dtype == np.float32
    middle = depth[80:160, 140:260]
    assert np.mean(middle > 0) > 0.95
    assert np.median(middle[middle > 0]) == pytest.approx(0.5, abs=0.002)


def test_unknown_sensor_is_refused_with_the_names() -> None:
    with pytest.raises(ValueError, match=r"no depth sensor 'kinect'; there are d415, d415-stereo"):
        make_sensor("kinect")


def test_d435_is_noisier_than_d415() -> None:
    # The paper (VI-A, Fig. 7) finds the larger variance in the D435.
    per_metre = {
        name: np.hypot.reduce([std for _, std in config.noise]) / config.rig.disparity_m_px
        for name, config in (("d415", D415), ("d435", D435))
    }
    assert per_metre["d435"] > 2 * per_metre["d415"]


def test_fast_models_do_without_open3d() -> None:
    code = """
import sys
sys.modules["open3d"] = None
from anygrasp_training.sensors.presets import make_sensor
for name in ("d415", "d435", "l515"):
    make_sensor(name)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
