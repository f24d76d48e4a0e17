# SPDX-License-Identifier: Apache-2.0
"""The simulated stereo camera: dots, matching, alignment, and the whole chain on planes and edges."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import trimesh

from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_training.sensors.active_stereo import ActiveStereo
from anygrasp_training.sensors.clean_view import CleanView
from anygrasp_training.sensors.depth_alignment import align_depth
from anygrasp_training.sensors.dot_pattern import DotPattern
from anygrasp_training.sensors.infrared_camera import InfraredConfig
from anygrasp_training.sensors.presets import D415_STEREO, D435_STEREO
from anygrasp_training.sensors.ray_scene import Material, RayScene, view_scene
from anygrasp_training.sensors.sample_scenes import look_at, plane_scene
from anygrasp_training.sensors.stereo_matching import MatcherConfig, match_disparity
from anygrasp_training.sensors.stereo_rig import D415_RIG, StereoRig

INTRINSICS = CameraIntrinsics(616.0, 616.0, 319.5, 239.5, 640, 480)


def dotted(shift_px: float) -> np.ndarray:
    """An image (200, 400) of dots moved left by a fraction of pixels."""
    v, u = np.indices((200, 400), dtype=np.float32)
    light = DotPattern().illumination((u + shift_px - 200) / 424, (v - 100) / 424)
    return np.clip(20 + 150 * cv2.GaussianBlur(light, (0, 0), 0.6), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shift_px", [30.0, 30.25, 30.5])
def test_matching_finds_subpixel_shifts_without_favouring_whole_pixels(shift_px: float) -> None:
    disparity = match_disparity(dotted(0.0), dotted(shift_px), 64, MatcherConfig())
    found = disparity[20:-20, 80:-20]
    assert np.mean(found > 0) > 0.95
    assert np.median(found[found > 0]) == pytest.approx(shift_px, abs=0.06)


def test_matching_finds_nothing_without_texture() -> None:
    grey = np.full((200, 400), 90, np.uint8)
    assert not match_disparity(grey, grey, 64, MatcherConfig()).any()


def test_matching_never_looks_outside_the_right_image() -> None:
    disparity = match_disparity(dotted(0.0), dotted(30.0), 64, MatcherConfig())
    columns = np.broadcast_to(np.arange(400), disparity.shape)
    assert np.all(columns[disparity > 0] >= disparity[disparity > 0] - 1)


def test_matching_refuses_different_images() -> None:
    with pytest.raises(ValueError, match="two uint8 images of one size"):
        match_disparity(dotted(0.0), dotted(0.0)[:-1], 64, MatcherConfig())


def test_dots_fill_the_field_of_view_and_nothing_else() -> None:
    pattern = DotPattern(fov_deg=(60.0, 40.0), dot_count=1000)
    tangents = np.linspace(-1, 1, 2001, dtype=np.float32)
    x, y = np.meshgrid(tangents, tangents)
    light = pattern.illumination(x, y)
    inside = (np.abs(x) < np.tan(np.radians(30)) + 0.01) & (np.abs(y) < np.tan(np.radians(20)) + 0.01)
    assert light[~inside].max() < 0.05
    dots, _ = cv2.connectedComponents((light > 0.3).astype(np.uint8))
    assert dots - 1 == pytest.approx(1000, rel=0.25)


def test_alignment_moves_by_the_parallax_of_the_colour_camera() -> None:
    depth = np.zeros((480, 640), np.float32)
    depth[200:300, 300:400] = 0.5
    aligned = align_depth(depth, INTRINSICS, INTRINSICS, offset_x_m=0.015)
    columns = np.nonzero(aligned[250])[0]
    assert columns.min() == pytest.approx(300 + 616 * 0.015 / 0.5, abs=1.5)
    assert len(columns) == pytest.approx(100, abs=2)
    assert np.all(aligned[250, columns] == np.float32(0.5))


def test_alignment_to_a_finer_image_leaves_no_cracks_and_keeps_the_nearest() -> None:
    fine = CameraIntrinsics(1232.0, 1232.0, 639.5, 479.5, 1280, 960)
    depth = np.full((480, 640), 0.8, np.float32)
    depth[:, 320:] = 0.4
    aligned = align_depth(depth, INTRINSICS, fine, offset_x_m=0.05)
    assert np.all(aligned[100:-100, 200:700] > 0)
    assert set(np.unique(aligned)) == {0.0, np.float32(0.4), np.float32(0.8)}
    # The near half moves further right than the far one: the gap between them shows nothing.
    gap = np.nonzero(aligned[480, 640:900] == 0)[0]
    assert len(gap) == pytest.approx(1232 * 0.05 * (1 / 0.4 - 1 / 0.8), abs=3)


def test_alignment_refuses_a_foreign_image() -> None:
    with pytest.raises(ValueError, match=r"depth_m has shape \(10, 10\), its camera \(480, 640\)"):
        align_depth(np.zeros((10, 10), np.float32), INTRINSICS, INTRINSICS, 0.015)


@pytest.fixture(scope="module")
def plane_depth() -> np.ndarray:
    view = view_scene(plane_scene(), look_at((0, 0, 0.5), (0, 0, 0)), INTRINSICS)
    return ActiveStereo(D415_STEREO).measure(view, np.random.default_rng(0))


def test_plane_is_dense_unbiased_and_as_noisy_as_a_real_one(plane_depth: np.ndarray) -> None:
    seen = plane_depth[20:-20, 160:-20]
    assert np.mean(seen > 0) > 0.98
    error = seen[seen > 0] - 0.5
    assert abs(np.median(error)) < 5e-4
    assert 0.0004 < error.std() < 0.0016


def test_left_border_is_blind(plane_depth: np.ndarray) -> None:
    first = 319.5 + 616.0 * (0.07 / 0.5 - 320 / D415_RIG.focal_px)
    assert np.median([np.nonzero(row)[0][0] for row in plane_depth[50:-50]]) == pytest.approx(first, abs=6)


def test_holes_are_on_the_left_of_objects() -> None:
    box = trimesh.creation.box((0.08, 0.12, 0.2))
    box.apply_translation([0, 0, 0.1])
    table = trimesh.creation.box((2, 2, 0.02))
    table.apply_translation([0, 0, -0.01])
    view = view_scene(
        RayScene([table, box], [Material(), Material(texture_contrast=0.3)]),
        look_at((0, 0, 0.7), (0, 0, 0)),
        INTRINSICS,
    )
    measured = ActiveStereo(D415_STEREO).measure(view, np.random.default_rng(0))
    rows = measured[200:280]
    # The top, at 0.5 m, spans 616 * 0.04 / 0.5 = 49 px either side of the centre.
    left, right = rows[:, 250:270] == 0, rows[:, 371:391] == 0
    assert left.mean() > 0.6
    assert right.mean() < 0.2


def test_same_seed_same_image() -> None:
    small = replace(D435_STEREO, rig=replace(D435_STEREO.rig, focal_px=212.0, width=424, height=240))
    intrinsics = CameraIntrinsics(212.0, 212.0, 159.5, 119.5, 320, 240)
    view = view_scene(plane_scene(), look_at((0, 0, 0.5), (0, 0, 0)), intrinsics)
    first, second = (ActiveStereo(small).measure(view, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (240, 320)
    assert first.dtype == np.float32


def test_depth_alone_is_not_enough() -> None:
    view = CleanView(np.full((480, 640), 0.5, np.float32), INTRINSICS)
    with pytest.raises(ValueError, match="view_scene"):
        ActiveStereo(D415_STEREO).measure(view, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("config", "name", "value"),
    [
        (D415_RIG, "baseline_m", 0.0),
        (D415_RIG, "color_offset_m", -0.01),
        (D415_RIG, "projector_fov_deg", (0.0, 40.0)),
        (DotPattern(), "dot_count", 0),
        (InfraredConfig(), "exposure", 300.0),
        (InfraredConfig(), "speckle", -1.0),
        (MatcherConfig(), "block_px", 4),
        (MatcherConfig(), "step_px", 0.0),
        (D415_STEREO, "calibration_px", -0.1),
    ],
)
def test_impossible_figures_are_refused_by_name(config: object, name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        replace(config, **{name: value})  # type: ignore[type-var]


def test_nearest_distance_is_the_end_of_the_search_range() -> None:
    rig = StereoRig(focal_px=600.0, width=640, height=480, baseline_m=0.05, max_disparity_px=120)
    assert rig.min_depth_m == pytest.approx(0.25)
