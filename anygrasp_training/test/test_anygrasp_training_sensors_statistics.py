# SPDX-License-Identifier: Apache-2.0
"""The measuring code, on images whose figures are known by construction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_training.sensors.edge_statistics import edge_offsets_px, fill_holes, measure_edges
from anygrasp_training.sensors.frame_statistics import measure_frame
from anygrasp_training.sensors.noise_field import cut_noise, noise_tile, smooth_noise
from anygrasp_training.sensors.plane_statistics import (
    autocorrelation,
    correlation_length_mrad,
    fit_plane,
    noise_by_distance,
)
from anygrasp_training.sensors.real_frames import load_real_frames

INTRINSICS = CameraIntrinsics(616.0, 616.0, 319.5, 239.5, 640, 480)
REALDATA = Path(__file__).parents[3] / "shared" / "realdata"


def inclined(noise_per_m: float = 0.0, sigma_px: float = 0.0, seed: int = 0) -> np.ndarray:
    """A plane from 0.37 to 0.9 m whose inverse depth is noisy."""
    inverse = np.linspace(1 / 0.9, 1 / 0.37, 480)[:, None] + np.linspace(-0.1, 0.1, 640)
    noise = smooth_noise((480, 640), sigma_px, np.random.default_rng(seed))
    return (1 / (inverse + noise_per_m * noise)).astype(np.float32)


def with_box(depth: np.ndarray, height_m: float = 0.05) -> np.ndarray:
    boxed = depth.copy()
    boxed[200:320, 250:400] -= np.float32(height_m)
    return boxed


def test_clean_plane_has_no_noise() -> None:
    view = fit_plane(with_box(inclined()), INTRINSICS)
    assert all(deviation < 1e-5 for _, deviation, _ in noise_by_distance(view, np.arange(0.3, 1.0, 0.1)))


def test_plane_noise_is_measured_by_distance() -> None:
    view = fit_plane(with_box(inclined(0.004, 2.0)), INTRINSICS)
    rows = noise_by_distance(view, np.arange(0.3, 1.0, 0.1))
    assert len(rows) >= 5
    for distance, deviation, _ in rows:
        assert deviation == pytest.approx(0.004 * distance**2, rel=0.15)


def test_low_objects_do_not_tilt_the_plane() -> None:
    depth = inclined()
    depth[100:400, 320:] -= np.float32(0.009)
    view = fit_plane(depth, INTRINSICS)
    assert np.abs(view.height_m[:, :300]).max() < 1e-4
    np.testing.assert_allclose(view.height_m[150:350, 340:], 0.009, atol=1e-4)


@pytest.mark.parametrize("sigma_px", [3.0, 8.0])
def test_correlation_is_that_of_the_noise(sigma_px: float) -> None:
    view = fit_plane(inclined(0.004, sigma_px), INTRINSICS)
    lags = np.array([1, 4, 8])
    np.testing.assert_allclose(
        autocorrelation(view, lags), np.exp(-((lags / (2 * sigma_px)) ** 2)), atol=0.12
    )
    half = 2 * sigma_px * np.sqrt(np.log(2))
    assert correlation_length_mrad(view, INTRINSICS) == pytest.approx(half / 616 * 1000, abs=2.5)


def test_too_few_pixels_are_refused() -> None:
    depth = np.zeros((480, 640), np.float32)
    depth[:10, :10] = 0.5
    with pytest.raises(ValueError, match="only 100 valid pixels"):
        fit_plane(depth, INTRINSICS)


def test_holes_take_the_farther_neighbour() -> None:
    row = np.array([[0.0, 0.7, 0.0, 0.0, 0.5, 0.0]], np.float32)
    np.testing.assert_allclose(fill_holes(row), [[0.7, 0.7, 0.7, 0.7, 0.5, 0.5]])


def test_shadow_on_the_left_is_measured_as_its_baseline() -> None:
    depth = np.full((480, 640), 0.7, np.float32)
    depth[150:350, 300:400] = 0.5
    depth[150:350, 275:300] = 0
    figures = measure_edges(depth, INTRINSICS, np.ones_like(depth, dtype=bool))
    assert figures.shadow_left_mrad == pytest.approx(25 / 616 * 1000)
    assert figures.shadow_baseline_m == pytest.approx(25 / 616 / (1 / 0.5 - 1 / 0.7))
    assert figures.shadow_right_mrad == 0
    assert figures.invalid_share_edges > 0.1
    assert figures.invalid_share_surface == 0


def test_holes_on_a_surface_count_as_such() -> None:
    depth = np.full((480, 640), 0.7, np.float32)
    depth[100:110, 100:148] = 0
    figures = measure_edges(depth, INTRINSICS, np.ones_like(depth, dtype=bool))
    assert figures.invalid_share_surface == pytest.approx(480 / (480 * 640))
    assert np.isnan(figures.invalid_share_edges)


def test_sharp_edges_have_no_ramp_and_blurred_ones_have() -> None:
    sharp = np.full((480, 640), 0.7, np.float32)
    sharp[:, 300:400] = 0.5
    ramped = sharp.copy()
    ramped[:, 395:405] = np.linspace(0.5, 0.7, 10)
    everywhere = np.ones_like(sharp, dtype=bool)
    assert measure_edges(sharp, INTRINSICS, everywhere).ramp_mrad == 0
    assert measure_edges(ramped, INTRINSICS, everywhere).ramp_mrad == pytest.approx(6 / 616 * 1000, abs=0.1)


@pytest.mark.parametrize("growth_px", [-2, 0, 3])
def test_edge_offset_is_how_far_the_object_grew(growth_px: int) -> None:
    silhouette = np.zeros((480, 640), dtype=bool)
    silhouette[200:320, 250:400] = True
    height = np.zeros((480, 640))
    height[200:320, 250 : 400 + growth_px] = 0.05
    offsets = edge_offsets_px(height, silhouette, reach_px=14)
    assert len(offsets) == 120
    np.testing.assert_allclose(offsets, growth_px, atol=1e-9)


def test_low_objects_and_holes_have_no_edge_offset() -> None:
    silhouette = np.zeros((480, 640), dtype=bool)
    silhouette[200:320, 250:400] = True
    height = np.where(silhouette, 0.005, 0.0)
    assert len(edge_offsets_px(height, silhouette, reach_px=14)) == 0
    height = np.where(silhouette, 0.05, 0.0)
    height[:, 402] = np.nan
    assert len(edge_offsets_px(height, silhouette, reach_px=14)) == 0


def test_depth_step_is_the_smallest_difference() -> None:
    depth = np.round(inclined(0.004, 2.0), 3).astype(np.float32)
    assert measure_frame(depth, INTRINSICS).depth_step_m == pytest.approx(0.001, abs=1e-5)


@pytest.mark.parametrize("sigma_px", [0.0, 1.0, 5.0, 20.0])
def test_noise_has_unit_variance_and_the_correlation_it_promises(sigma_px: float) -> None:
    noise = smooth_noise((1200, 1200), sigma_px, np.random.default_rng(1))
    assert noise.std() == pytest.approx(1.0, abs=0.08)
    lag = max(1, round(2 * sigma_px))
    found = np.mean(noise[:, lag:] * noise[:, :-lag]) / np.mean(noise**2)
    assert found == pytest.approx(np.exp(-1) if sigma_px else 0.0, abs=0.08)


def test_noise_refuses_impossible_sizes() -> None:
    with pytest.raises(ValueError, match="sigma_px -1"):
        smooth_noise((10, 10), -1.0, np.random.default_rng(0))


def test_cut_noise_differs_between_frames_and_not_between_equal_generators() -> None:
    tile = noise_tile((120, 160), ((2.0, 1.0),))
    first, again = (cut_noise(tile, np.random.default_rng(3)) for _ in range(2))
    rng = np.random.default_rng(3)
    cut_noise(tile, rng)
    assert first.shape == (120, 160)
    np.testing.assert_array_equal(first, again)
    assert np.any(cut_noise(tile, rng) != first)
    assert not tile.flags.writeable


@pytest.mark.skipif(not REALDATA.is_dir(), reason="no ../shared/realdata beside the repository")
@pytest.mark.parametrize(
    ("camera", "baseline_m", "noise_per_m"),
    [("d415", 0.070, (0.003, 0.006)), ("d435", 0.065, (0.009, 0.014))],
)
def test_real_frames_show_the_baseline_and_noise_of_their_camera(
    camera: str, baseline_m: float, noise_per_m: tuple[float, float]
) -> None:
    wanted = {"d415": "red_mug", "d435": "demo"}[camera]
    (frame,) = (frame for frame in load_real_frames(REALDATA, camera) if frame.name == wanted)
    figures = measure_frame(frame.depth_m, frame.intrinsics, frame.silhouette, frame.usable)
    assert figures.edges.shadow_baseline_m == pytest.approx(baseline_m, abs=0.01)
    assert noise_per_m[0] < figures.noise_per_m < noise_per_m[1]


def test_missing_real_frames_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"demo_depth_mm\.png"):
        load_real_frames(tmp_path, "d435")
    with pytest.raises(FileNotFoundError, match="single_objects"):
        load_real_frames(tmp_path, "d415")


def test_unknown_camera_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="real frames exist of d415 and d435"):
        load_real_frames(tmp_path, "kinect")
