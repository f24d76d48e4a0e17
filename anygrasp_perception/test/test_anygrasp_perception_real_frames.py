# SPDX-License-Identifier: Apache-2.0
"""The detector on RealSense frames of single objects and of clutter on tables."""

import json
from pathlib import Path

import numpy as np
import pytest

from anygrasp_perception.camera import RgbdFrame, load_rgbd
from anygrasp_perception.cloud import voxel_downsample
from anygrasp_perception.collision import detect_collisions
from anygrasp_perception.detector import DetectionRequest
from anygrasp_perception.geometric_detector import GeometricDetector
from anygrasp_perception.gripper import ROBOTIQ_2F85
from anygrasp_perception.support_plane import estimate_support_plane

REALDATA = Path(__file__).resolve().parents[3] / "shared" / "realdata"
OBJECTS = (
    "blue_mug",
    "cheezit",
    "cylinder",
    "green_bowl",
    "mustard",
    "pepper",
    "red_mug",
    "sugar",
    "white_bowl",
    "white_mug",
)
CLUTTER_CAMERA = {"fx": 927.17, "fy": 927.37, "cx": 651.32, "cy": 349.62, "width": 1280, "height": 720}

pytestmark = pytest.mark.skipif(not REALDATA.is_dir(), reason=f"no real frames at {REALDATA}")


def load(name: str, folder: Path) -> RgbdFrame:
    if name != "clutter":
        stem = REALDATA / "single_objects" / name
        return load_rgbd(f"{stem}_color.png", f"{stem}_depth_mm.png", f"{stem}_intrinsics.json")
    intrinsics = folder / "clutter.json"  # its figures are in the README of the data
    intrinsics.write_text(json.dumps(CLUTTER_CAMERA))
    clutter = REALDATA / "clutter"
    return load_rgbd(clutter / "demo_color.png", clutter / "demo_depth_mm.png", intrinsics)


@pytest.mark.parametrize("name", [*OBJECTS, "clutter"])
def test_twenty_grasps_on_the_objects_free_of_collision(name, tmp_path):
    cloud = load(name, tmp_path).cloud()
    result = GeometricDetector().detect(cloud, DetectionRequest())
    grasps = result.grasps
    assert len(grasps) >= 20, result.rejected.summary()
    assert result.candidates == len(grasps) + result.rejected.total

    plane = estimate_support_plane(cloud.points[::7], np.random.default_rng(1))
    # The grasp centre is on the object; fingers go past it, and down beside thin objects.
    assert (plane.heights(grasps.translations.astype(np.float32)) > plane.tolerance_m).mean() >= 0.95
    assert (plane.heights(grasps.fingertips.astype(np.float32)) > 0.0).all()
    heights = plane.heights(cloud.points)
    standing = cloud.points[heights > plane.tolerance_m]
    nearest = np.min(
        np.linalg.norm(standing[::20, None] - grasps.translations[None].astype(np.float32), axis=2), axis=0
    )
    assert (nearest < 0.045).all()  # half an opening

    # Other points of the cloud than the averages the detector used, the noise of the table left out.
    obstacles = cloud.points[heights > 2 * plane.tolerance_m]
    obstacles = obstacles[voxel_downsample(obstacles, 0.004)]
    assert detect_collisions(grasps, obstacles, ROBOTIQ_2F85).colliding.mean() <= 0.1
