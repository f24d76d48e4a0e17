# SPDX-License-Identifier: Apache-2.0
"""The network as it ships, with the weights in the package."""

import json

import cv2
import numpy as np
import pytest
from synthetic_scene import CAMERA, CAMERA_HEIGHT_M, Box, Cylinder, photograph

from anygrasp_perception import cli
from anygrasp_perception.detector import DetectionRequest
from anygrasp_perception.detectors import create_detector
from anygrasp_perception.grasp_io import load_metadata, load_npz
from anygrasp_perception.network_detector import shipped_weights

pytestmark = pytest.mark.skipif(
    not shipped_weights().is_file(), reason=f"no weights at {shipped_weights()} yet"
)

SHAPES = (
    Box((0.04, 0.09, 0.05), (-0.07, 0.0), yaw_rad=0.4),
    Cylinder(0.025, 0.07, (0.07, 0.05)),
    Box((0.05, 0.05, 0.04), (0.06, -0.07)),
)


@pytest.fixture(scope="module")
def frame():
    return photograph(*SHAPES, noise_m=0.001)


def test_each_object_on_a_table_is_grasped_and_the_table_is_not(frame):
    grasps = create_detector("network").detect(frame.cloud(), DetectionRequest()).grasps
    assert len(grasps) >= 3
    assert (grasps.translations[:, 2] < CAMERA_HEIGHT_M - 0.005).mean() >= 0.95
    for shape in SHAPES:
        distance = np.linalg.norm(grasps.translations[:, :2] - shape.center_xy, axis=1)
        assert distance.min() < 0.06


def test_an_empty_table_has_no_grasp():
    result = create_detector("network").detect(photograph(noise_m=0.001).cloud(), DetectionRequest())
    assert len(result.grasps) == 0


def test_the_command_finds_the_weights_by_itself(frame, tmp_path):
    cv2.imwrite(str(tmp_path / "depth.png"), np.round(1000 * frame.depth_m).astype(np.uint16))
    numbers = {
        "fx": CAMERA.fx,
        "fy": CAMERA.fy,
        "cx": CAMERA.cx,
        "cy": CAMERA.cy,
        "width": 320,
        "height": 240,
    }
    (tmp_path / "K.json").write_text(json.dumps(numbers))
    out = tmp_path / "grasps.npz"
    files = [
        "--depth",
        tmp_path / "depth.png",
        "--intrinsics",
        tmp_path / "K.json",
        "--out",
        out,
        "--detector",
        "network",
    ]
    assert cli.main([str(word) for word in files]) == 0
    assert load_metadata(out)["detector"] == "network"
    assert len(load_npz(out)) > 0
