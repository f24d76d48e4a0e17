# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.spatial.transform import Rotation
from synthetic_scene import CAMERA_HEIGHT_M, Box, photograph

from anygrasp_perception.detector import DetectionRequest
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.network import WeightsError
from anygrasp_perception.network.grasp_crops import CROP_CHANNELS, CropShape, SurfacePoints, crop_grasps
from anygrasp_perception.network.verifier import GraspVerifier, VerifierConfig, grasp_context
from anygrasp_perception.network.weights import FORMAT, load_verifier, save_verifier
from anygrasp_perception.network_detector import NetworkDetector
from anygrasp_perception.point_grid import PointGrid

SMALL = VerifierConfig(
    crop=CropShape(between_samples=6, around_samples=4), point_channels=(8, 8, 8), hidden_channels=8
)


def surface_of(points, normals=None):
    points = np.asarray(points, dtype=np.float32)
    up = np.tile(np.array([0, 0, -1], dtype=np.float32), (len(points), 1))
    return SurfacePoints(PointGrid(points), up if normals is None else np.asarray(normals, np.float32))


def grasps_at(fingertips, R=None, width_m=0.06, depth_m=0.02):
    fingertips = np.atleast_2d(fingertips)
    R = np.broadcast_to(np.eye(3) if R is None else R, (len(fingertips), 3, 3))
    return GraspGroup.from_arrays(
        rotation_matrices=R,
        translations=fingertips - depth_m * R[:, :, 0],
        widths=width_m,
        depths=depth_m,
        scores=0.5,
    )


def verifier_of(config=SMALL, seed=0):
    torch.manual_seed(seed)
    return GraspVerifier(config).eval()


def test_a_crop_tells_between_the_fingers_from_around_them():
    between, beside, behind, far = (0.49, 0.01, 0.0), (0.49, 0.04, 0.0), (0.46, 0.0, 0.01), (0.49, 0.06, 0.0)
    surface = surface_of([between, beside, behind, far], [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0)])
    crop = crop_grasps(grasps_at((0.5, 0.0, 0.0)), surface, SMALL.crop)[0]
    assert crop.shape == (10, CROP_CHANNELS)
    np.testing.assert_allclose(crop[:6], [(-0.01, 0.01, 0.0, 1, 0, 0)] * 6, atol=1e-6)
    rest = {tuple(row) for row in crop[6:].round(4)}
    assert rest == {
        tuple(np.float32(row).round(4)) for row in [(-0.01, 0.04, 0, 0, 1, 0), (-0.04, 0, 0.01, 0, 0, 1)]
    }


def test_a_crop_does_not_depend_on_where_the_scene_is():
    points, normals = (
        np.array([(0.49, 0.01, -0.005), (0.5, -0.045, 0.01)]),
        np.array([(1, 0, 0), (0, 0.6, 0.8)]),
    )
    R = Rotation.random(random_state=1).as_matrix()
    t = np.array([0.3, -0.2, 0.4])
    shape = CropShape(between_samples=1, around_samples=1, between_m=0.04)
    here = crop_grasps(grasps_at((0.51, 0, 0)), surface_of(points, normals), shape)
    there = crop_grasps(
        grasps_at(R @ (0.51, 0, 0) + t, R), surface_of(points @ R.T + t, normals @ R.T), shape
    )
    np.testing.assert_allclose(here, there, atol=1e-5)
    assert here.any(axis=2).all()


def test_what_holds_nothing_is_cropped_to_zeros():
    assert not crop_grasps(grasps_at([(0.5, 0, 0), (2, 0, 0)]), surface_of([(1.0, 0, 0)]), SMALL.crop).any()


def test_a_crop_of_many_points_spreads_over_them():
    y = np.linspace(-0.025, 0.025, 501)
    line = np.column_stack([np.full_like(y, 0.49), y, np.zeros_like(y)])
    crop = crop_grasps(grasps_at((0.5, 0, 0)), surface_of(line), CropShape(between_samples=10))[0, :10]
    np.testing.assert_allclose(np.sort(crop[:, 1]), np.linspace(-0.0225, 0.0225, 10), atol=1e-3)


def test_normals_belong_to_points():
    with pytest.raises(ValueError, match=r"normals must be \(3, 3\), got \(2, 3\)"):
        SurfacePoints(PointGrid(np.ones((3, 3), np.float32)), np.zeros((2, 3), np.float32))


def test_context_says_from_where_the_camera_looks():
    R = Rotation.from_euler("y", 90, degrees=True).as_matrix()  # approach along -z of the camera
    context = grasp_context(grasps_at((0.0, 0.0, 0.5), R, width_m=0.04, depth_m=0.02))
    np.testing.assert_allclose(context, [[2.0, 1.0, 1.0, 0.0, 0.0]], atol=1e-6)


def test_judging_in_parts_is_judging_at_once():
    rng = np.random.default_rng(2)
    surface = surface_of(rng.uniform((-0.1, -0.1, 0.4), (0.1, 0.1, 0.6), (400, 3)))
    grasps = grasps_at(rng.uniform((-0.08, -0.08, 0.42), (0.08, 0.08, 0.58), (530, 3)))
    verifier = verifier_of()
    scores = verifier.judge(grasps, surface)
    assert scores.std() > 0
    assert ((scores > 0) & (scores < 1)).all()
    for index in (0, 64, 511, 512, 529):
        np.testing.assert_allclose(verifier.judge(grasps[index], surface), scores[index], atol=1e-5)
    assert len(verifier.judge(GraspGroup.empty(), surface)) == 0


def test_weights_come_back(tmp_path):
    verifier = verifier_of()
    save_verifier(verifier, tmp_path / "v.safetensors", {"epochs": "1"})
    loaded = load_verifier(tmp_path / "v.safetensors")
    assert loaded.config == SMALL
    for name, tensor in verifier.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)


def test_bad_weights_are_refused(tmp_path):
    path = tmp_path / "v.safetensors"
    with pytest.raises(WeightsError, match=r"no such weights.*anygrasp-train verifier"):
        load_verifier(path)
    path.write_bytes(b"\x80\x04pickle")
    with pytest.raises(WeightsError, match="not a safetensors file"):
        load_verifier(path)
    save_file({"x": torch.zeros(1)}, path, metadata={"format": FORMAT})
    with pytest.raises(WeightsError, match="need 'anygrasp-verifier-1'"):
        load_verifier(path)
    verifier = verifier_of()
    verifier.config = dataclasses.replace(SMALL, hidden_channels=9)
    save_verifier(verifier, path)
    with pytest.raises(WeightsError, match=r"do not fit their config \(hidden.bias: need \[9\], got \[8\]\)"):
        load_verifier(path)


@pytest.mark.parametrize(
    ("config", "values", "message"),
    [
        (VerifierConfig, {"point_channels": (8, 8)}, "three point_channels"),
        (VerifierConfig, {"frictions": (0.4, 0.2)}, "must be positive and rise"),
        (CropShape, {"behind_m": 0.0}, "behind_m must be positive, got 0.0"),
    ],
)
def test_configs_refuse_nonsense(config, values, message):
    with pytest.raises(ValueError, match=message):
        config(**values)


def test_the_shipped_verifier_prefers_a_box_held_across_to_one_held_askew():
    box = Box((0.03, 0.07, 0.05), (0.1, 0.08))
    detector = NetworkDetector()
    found = detector.propose(photograph(box, noise_m=0.001).cloud(), DetectionRequest())
    across = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])  # down, closing along x
    askew = across @ Rotation.from_euler("x", 45, degrees=True).as_matrix()
    tips = (0.1, 0.08, CAMERA_HEIGHT_M - 0.02)
    good, bad = (
        detector.verifier.judge(grasps_at(tips, R, width_m=0.06), found.surface)[0] for R in (across, askew)
    )
    assert good > 0.4
    assert bad < good / 2
