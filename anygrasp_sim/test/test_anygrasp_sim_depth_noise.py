# SPDX-License-Identifier: Apache-2.0
"""The depth-sensor model against figures measured on real RealSense frames."""

import numpy as np
import pytest

from anygrasp_sim.depth_noise import D415, DepthSensorConfig, DepthSensorModel

FOCAL_PX = 615.0
SHAPE = (480, 640)


def measure(scene, config=D415, seed=0):
    return DepthSensorModel(config, FOCAL_PX, seed).apply(scene)


def plane(depth_m):
    return np.full(SHAPE, depth_m, np.float32)


@pytest.fixture(scope="module")
def step_scene():
    """A box, columns 200 to 399 and rows 150 to 299, 70 mm above a plane."""
    scene = plane(0.75)
    scene[150:300, 200:400] = 0.68
    return scene


@pytest.mark.parametrize("depth_m", [0.5, 0.6, 0.75, 0.9])
def test_plane_residual_is_that_of_real_frames(depth_m):
    measured = measure(plane(depth_m))
    residual_mm = 1000 * (measured[measured > 0] - depth_m).std()
    assert 0.8 < residual_mm < 3.4


def test_noise_grows_with_the_square_of_the_distance():
    config = DepthSensorConfig(dropout_fraction=0)
    spread = [np.mean([measure(plane(z), config, s).std() for s in range(3)]) for z in (0.5, 1.0)]
    assert spread[1] / spread[0] == pytest.approx(4.0, rel=0.15)


def test_invalid_share_of_a_plane_is_that_of_real_frames():
    assert 0.002 < (measure(plane(0.7)) == 0).mean() < 0.02


def test_noise_is_correlated_like_on_real_planes():
    config = DepthSensorConfig(dropout_fraction=0, disparity_step_px=1e-4, depth_unit_m=1e-6)
    error = np.concatenate([measure(plane(0.75), config, seed) - 0.75 for seed in range(6)])
    lags = (1, 4, 8, 20, 40)
    correlation = [(error[:, :-lag] * error[:, lag:]).mean() / (error**2).mean() for lag in lags]
    np.testing.assert_allclose(correlation, (0.96, 0.86, 0.74, 0.48, 0.25), atol=0.12)


def test_depth_comes_in_whole_millimetres():
    measured = measure(plane(0.7)).astype(np.float64)
    np.testing.assert_allclose(measured, np.round(measured, 3), atol=1e-7)
    assert measured.dtype == np.float64
    assert measure(plane(0.7)).dtype == np.float32


def test_edges_have_holes_and_flat_parts_hardly(step_scene):
    hole = measure(step_scene) == 0
    assert hole[160:290, 195:205].mean() > 0.3
    assert hole[200:250, 250:350].mean() < 0.05


def test_what_the_right_imager_cannot_see_is_missing_on_the_left(step_scene):
    config = DepthSensorConfig(edge_shift_px=0, dropout_fraction=0, fattening_px=0, max_slope=1e9)
    hole = (measure(step_scene, config) == 0)[160:290].mean(axis=0)
    left, right = hole[180:205].sum(), hole[395:420].sum()
    # f b (1/0.68 - 1/0.75) = 4.6 pixels of shadow
    assert left - right == pytest.approx(FOCAL_PX * 0.055 * (1 / 0.68 - 1 / 0.75), abs=1.5)


def test_near_surfaces_grow_over_far_ones(step_scene):
    config = DepthSensorConfig(edge_shift_px=0, noise_px=0, dropout_fraction=0, fattening_px=3, max_slope=1e9)
    near = measure(step_scene, config)
    grown = (near > 0.6) & (near < 0.715)
    assert grown.sum() > (step_scene < 0.7).sum()
    assert grown[225, 402]
    assert not grown[225, 404]


def test_edges_are_ragged(step_scene):
    measured = measure(step_scene, DepthSensorConfig(fattening_px=0, edge_shift_px=2.0, max_slope=1e9))
    last_near = [np.flatnonzero((row > 0.6) & (row < 0.715)).max() for row in measured[160:290]]
    assert np.std(last_near) > 0.4


def test_a_steep_surface_is_lost_and_a_gentle_one_kept():
    config = DepthSensorConfig(dropout_fraction=0, edge_shift_px=0, fattening_px=0)
    pixel_m = 0.7 / FOCAL_PX
    gentle = plane(0.7) + (np.arange(480, dtype=np.float32)[:, None] - 240) * 0.5 * pixel_m
    steep = plane(0.9) + (np.arange(480, dtype=np.float32)[:, None] - 240) * 9.0 * pixel_m
    band = slice(230, 250)
    assert (measure(gentle, config)[band] == 0).mean() < 0.01
    assert (measure(steep, config)[band] == 0).mean() > 0.99


def test_depth_outside_the_range_is_invalid():
    assert not measure(plane(0.2)).any()
    assert not measure(plane(4.0)).any()
    assert not measure(plane(0.0)).any()


def test_seed_fixes_the_sequence_and_frames_differ():
    one, other = (DepthSensorModel(D415, FOCAL_PX, 5) for _ in range(2))
    first, second = one.apply(plane(0.7)), one.apply(plane(0.7))
    np.testing.assert_array_equal(first, other.apply(plane(0.7)))
    assert (first != second).mean() > 0.3
    assert (first != measure(plane(0.7), seed=6)).mean() > 0.3


def test_a_disabled_sensor_passes_a_copy_of_perfect_depth(step_scene):
    measured = measure(step_scene, DepthSensorConfig(enabled=False))
    np.testing.assert_array_equal(measured, step_scene)
    assert measured is not step_scene


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("baseline_m", 0.0),
        ("noise_px", -0.1),
        ("fattening_px", -1),
        ("dropout_fraction", 1.0),
        ("max_depth_m", 0.1),
    ],
)
def test_impossible_sensors_are_refused(field, value):
    with pytest.raises(ValueError, match=field):
        DepthSensorConfig(**{field: value})


def test_a_focal_length_of_zero_is_refused():
    with pytest.raises(ValueError, match="focal_px is 0"):
        DepthSensorModel(D415, 0.0, seed=0)
