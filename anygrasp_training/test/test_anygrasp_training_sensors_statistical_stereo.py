# SPDX-License-Identifier: Apache-2.0
"""The fast stereo model: laws of stereo noise, holes on the hidden side, determinism, refused input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_training.sensors.clean_view import CleanView
from anygrasp_training.sensors.presets import D415, D435
from anygrasp_training.sensors.statistical_stereo import StatisticalStereo, StatisticalStereoConfig

INTRINSICS = CameraIntrinsics(616.0, 616.0, 319.5, 239.5, 640, 480)
SEEN = np.s_[20:-20, 160:-20]  # right of what the right imager cannot see
EXACT = replace(
    D415,
    noise=(),
    fattening_px=0.0,
    edge_jitter_px=0.0,
    edge_loss=0.0,
    dropout=0.0,
    surface_px=0.01,
    left_right_px=0.0,
    step_px=1e-4,
    depth_unit_m=1e-6,
)


def flat(depth_m: float, **images: np.ndarray) -> CleanView:
    return CleanView(np.full((480, 640), depth_m, np.float32), INTRINSICS, **images)


def box_view(near_m: float = 0.5, far_m: float = 0.7) -> CleanView:
    """A near rectangle, columns 300 to 399, before a far wall."""
    depth = np.full((480, 640), far_m, np.float32)
    depth[150:350, 300:400] = near_m
    return CleanView(depth, INTRINSICS)


def errors(config: StatisticalStereoConfig, depth_m: float, frames: int = 6) -> np.ndarray:
    sensor, rng = StatisticalStereo(config), np.random.default_rng(0)
    found = [sensor.measure(flat(depth_m), rng)[SEEN] for _ in range(frames)]
    return np.concatenate([depth[depth > 0] - depth_m for depth in found])


@pytest.mark.parametrize("config", [D415, D435], ids=["d415", "d435"])
def test_noise_grows_with_the_square_of_the_distance(config: StatisticalStereoConfig) -> None:
    ratio = errors(config, 1.0).std() / errors(config, 0.5).std()
    assert ratio == pytest.approx(4.0, rel=0.15)


@pytest.mark.parametrize(
    ("config", "low_per_m", "high_per_m"),
    [(D415, 0.0030, 0.0052), (D435, 0.0095, 0.0130)],
    ids=["d415", "d435"],
)
def test_noise_is_that_of_real_frames(
    config: StatisticalStereoConfig, low_per_m: float, high_per_m: float
) -> None:
    assert low_per_m < errors(config, 0.5, frames=12).std() / 0.25 < high_per_m


@pytest.mark.parametrize("config", [D415, D435], ids=["d415", "d435"])
def test_plane_stays_unbiased(config: StatisticalStereoConfig) -> None:
    error = errors(config, 0.6, frames=40)
    assert abs(error.mean()) < 0.15 * error.std()


@pytest.mark.parametrize("config", [EXACT, D415, D435], ids=["exact", "d415", "d435"])
def test_inclined_plane_stays_unbiased(config: StatisticalStereoConfig) -> None:
    rows = (np.arange(480) - 239.5) / 616.0
    depth = np.broadcast_to((0.5 / (1 + 0.8 * rows))[:, None], (480, 640)).astype(np.float32)
    view, rng = CleanView(depth, INTRINSICS), np.random.default_rng(0)
    errors_per_m = []
    for _ in range(20):
        measured = StatisticalStereo(config).measure(view, rng)[SEEN]
        kept = measured > 0
        errors_per_m.append((1 / measured[kept] - 1 / depth[SEEN][kept]).mean())
    assert abs(np.mean(errors_per_m)) < 1e-3


def test_noise_is_correlated_between_neighbours_and_not_across_the_image() -> None:
    rng = np.random.default_rng(3)
    products = {1: [], 150: []}
    for _ in range(10):
        error = StatisticalStereo(D415).measure(flat(0.8), rng)[SEEN]
        error = np.where(error > 0, error - 0.8, 0)
        for lag, found in products.items():
            found.append(np.mean(error[:, lag:] * error[:, :-lag]) / np.mean(error**2))
    assert np.mean(products[1]) > 0.8
    assert abs(np.mean(products[150])) < 0.25


def test_hidden_side_is_left_of_a_near_object_and_as_wide_as_the_baselines() -> None:
    measured = StatisticalStereo(EXACT).measure(box_view(), np.random.default_rng(0))
    holes = measured[250] == 0
    width_px = 616.0 * (0.055 + 0.015) * (1 / 0.5 - 1 / 0.7)  # 24.6
    assert np.count_nonzero(holes[200:300]) == pytest.approx(width_px, abs=2)
    assert holes[280:300].all()
    assert not holes[300:].any()


def test_right_imager_does_not_see_the_left_border() -> None:
    measured = StatisticalStereo(EXACT).measure(flat(0.5), np.random.default_rng(0))
    # In the infrared image the border lies at tangent -320 / 594, moved by 70 mm of baseline at half a metre.
    first = 319.5 + 616.0 * (0.07 / 0.5 - 320 / 594)
    assert np.nonzero(measured[240])[0][0] == pytest.approx(first, abs=2)


def test_colour_images_wider_than_the_infrared_ones_have_a_blind_frame() -> None:
    wide = CameraIntrinsics(300.0, 300.0, 319.5, 239.5, 640, 480)
    view = CleanView(np.full((480, 640), 0.6, np.float32), wide)
    rows, columns = np.nonzero(StatisticalStereo(EXACT).measure(view, np.random.default_rng(0)))
    assert columns.max() == pytest.approx(319.5 + 300 * 320 / 594, abs=2)
    assert (rows.min(), rows.max()) == pytest.approx(
        (239.5 - 300 * 240 / 594, 239.5 + 300 * 240 / 594), abs=2
    )


def test_fattening_makes_the_near_object_wider() -> None:
    measured = StatisticalStereo(replace(EXACT, fattening_px=3.0)).measure(
        box_view(), np.random.default_rng(0)
    )
    near = np.count_nonzero(np.abs(measured[250] - 0.5) < 0.01)
    assert near == pytest.approx(100 + 2 * 3, abs=1)


def test_edge_jitter_makes_straight_edges_ragged() -> None:
    rows = np.arange(160, 340)

    def right_edges(jitter_px: float) -> np.ndarray:
        config = replace(EXACT, edge_jitter_px=jitter_px)
        measured = StatisticalStereo(config).measure(box_view(), np.random.default_rng(1))
        return np.array([np.nonzero(np.abs(measured[row] - 0.5) < 0.01)[0].max() for row in rows])

    assert right_edges(0.0).std() == 0
    assert 0.5 < right_edges(1.5).std() < 4


def test_small_steps_become_ramps_and_large_ones_stay_sharp() -> None:
    config = replace(EXACT, window_px=3.0, surface_px=0.5)

    def ramp(near_m: float) -> int:
        row = StatisticalStereo(config).measure(box_view(near_m), np.random.default_rng(0))[250, 370:430]
        share = (row - near_m) / (0.7 - near_m)
        return int(np.count_nonzero((share > 0.2) & (share < 0.8)))

    assert ramp(0.693) >= 3
    assert ramp(0.5) == 0


def with_albedo(albedo: float) -> CleanView:
    return flat(0.6, albedo=np.full((480, 640), albedo, np.float32))


def test_dark_surfaces_drop_out() -> None:
    sensor = StatisticalStereo(D415)
    black, grey = (sensor.measure(with_albedo(a), np.random.default_rng(0))[SEEN] for a in (0.003, 0.5))
    assert np.mean(black == 0) > 0.9
    assert np.mean(grey == 0) < 0.01


def test_half_of_the_pixels_drop_out_at_the_dark_signal() -> None:
    albedo = D415.dark_signal * (0.6 / 0.5) ** 2
    rng = np.random.default_rng(0)
    frames = [StatisticalStereo(D415).measure(with_albedo(albedo), rng)[SEEN] for _ in range(10)]
    assert np.mean(np.array(frames) == 0) == pytest.approx(0.5, abs=0.05)


def test_dim_surfaces_are_noisier() -> None:
    sensor = StatisticalStereo(replace(D415, noise_exponent=0.3, dark_signal=1e-5))
    dim, bright = (sensor.measure(with_albedo(a), np.random.default_rng(0))[SEEN] for a in (0.05, 0.4))
    ratio = dim[dim > 0].std() / bright[bright > 0].std()
    assert ratio == pytest.approx((0.4 / 0.05) ** 0.3, rel=0.1)


def test_mirrors_drop_out_and_matt_surfaces_do_not() -> None:
    sensor = StatisticalStereo(D415)
    mirror = sensor.measure(flat(0.6, specular=np.ones((480, 640), np.float32)), np.random.default_rng(0))
    assert np.mean(mirror[SEEN] == 0) == pytest.approx(D415.specular_loss, abs=0.1)


def test_grazing_surfaces_drop_out() -> None:
    rows = (np.arange(480) - 239.5) / 616.0
    # Inverse depth rises by 400 a unit of tangent: 85 degrees off the normal at 1 m.
    inverse = np.clip(1.0 + 12.0 * rows, 0.4, 2.4)
    depth = np.broadcast_to((1 / inverse)[:, None], (480, 640)).astype(np.float32)
    config = replace(D415, dark_signal=0.01)
    grazing = StatisticalStereo(config).measure(CleanView(depth.copy(), INTRINSICS), np.random.default_rng(0))
    frontal = StatisticalStereo(config).measure(flat(1.0), np.random.default_rng(0))
    middle = np.s_[225:255, 160:-20]
    assert np.mean(grazing[middle] == 0) > 4 * np.mean(frontal[middle] == 0) + 0.02


def test_depths_are_multiples_of_the_disparity_step_and_of_a_millimetre() -> None:
    config = replace(D415, depth_unit_m=1e-6)
    depth = StatisticalStereo(config).measure(flat(1.5), np.random.default_rng(0))
    steps = D415.rig.disparity_m_px / depth[depth > 0] / D415.step_px
    assert np.abs(steps - np.round(steps)).max() < 0.02
    rounded = StatisticalStereo(D415).measure(flat(1.5), np.random.default_rng(0)) * 1000
    assert np.abs(rounded - np.round(rounded)).max() < 1e-3


def test_nothing_beyond_the_sensors_range() -> None:
    sensor = StatisticalStereo(D415)
    assert not sensor.measure(flat(D415.rig.min_depth_m - 0.02), np.random.default_rng(0)).any()
    assert not sensor.measure(flat(D415.rig.max_depth_m + 0.2), np.random.default_rng(0)).any()


@pytest.mark.parametrize("nothing", [0.0, np.nan])
def test_nothing_in_gives_nothing_out(nothing: float) -> None:
    measured = StatisticalStereo(D435).measure(flat(nothing), np.random.default_rng(0))
    assert not measured.any()
    depth = np.full((480, 640), 0.6, np.float32)
    depth[100:200, 300:500] = nothing
    measured = StatisticalStereo(D435).measure(CleanView(depth, INTRINSICS), np.random.default_rng(0))
    assert np.isfinite(measured).all()
    assert not measured[112:188, 312:488].any()


def test_same_seed_same_image_and_the_view_is_left_alone() -> None:
    view = box_view()
    before = view.depth_m.copy()
    first, second = (StatisticalStereo(D415).measure(view, np.random.default_rng(5)) for _ in range(2))
    other = StatisticalStereo(D415).measure(view, np.random.default_rng(6))
    np.testing.assert_array_equal(first, second)
    assert np.any(first != other)
    np.testing.assert_array_equal(view.depth_m, before)
    assert first.dtype == np.float32
    assert first.shape == (480, 640)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("window_px", 0.0),
        ("surface_px", -1.0),
        ("dark_signal", 0.0),
        ("fattening_px", -1.0),
        ("edge_jitter_px", -0.5),
        ("edge_loss", 1.0),
        ("dropout", -0.1),
        ("specular_loss", 1.5),
        ("noise", ((4.0, -0.1),)),
    ],
)
def test_impossible_figures_are_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        replace(D415, **{name: value})
