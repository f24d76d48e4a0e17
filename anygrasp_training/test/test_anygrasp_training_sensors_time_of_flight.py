# SPDX-License-Identifier: Apache-2.0
"""The time-of-flight model: noise figures, dropouts, and what water does to a beam."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_training.sensors.clean_view import CleanView
from anygrasp_training.sensors.presets import L515
from anygrasp_training.sensors.time_of_flight import TimeOfFlight, TimeOfFlightConfig
from anygrasp_training.sensors.water_surface import WaterSurface, look_through

INTRINSICS = CameraIntrinsics(600.0, 600.0, 319.5, 239.5, 640, 480)
STILL = WaterSurface(distance_m=0.4, wave_slope_rad=0.0, glint_rad=0.0)
NOISELESS = replace(L515, noise_floor_m=0.0, noise_per_m=0.0)


def flat(depth_m: float, albedo: float = 0.95, **images: np.ndarray) -> CleanView:
    return CleanView(
        np.full((480, 640), depth_m, np.float32),
        INTRINSICS,
        np.full((480, 640), albedo, np.float32),
        **images,
    )


@pytest.mark.parametrize(("distance_m", "std_m"), [(1.0, 0.0025), (9.0 - 0.6, 0.0145)])
def test_noise_is_the_data_sheets(distance_m: float, std_m: float) -> None:
    config = replace(L515, dark_signal=1e-6)
    measured = TimeOfFlight(config).measure(flat(distance_m), np.random.default_rng(0))[200:280, 280:360]
    assert measured.std() == pytest.approx(std_m, rel=0.1)
    assert abs(measured.mean() - distance_m) < 0.2 * std_m


def test_darker_surfaces_are_noisier() -> None:
    sensor = TimeOfFlight(L515)
    white, dark = (sensor.measure(flat(1.5, albedo), np.random.default_rng(0)) for albedo in (0.95, 0.15))
    assert dark[dark > 0].std() > 1.5 * white[white > 0].std()


def test_black_surfaces_and_mirrors_drop_out() -> None:
    sensor = TimeOfFlight(L515)
    black = sensor.measure(flat(1.5, 0.002), np.random.default_rng(0))
    mirror = sensor.measure(flat(0.5, specular=np.ones((480, 640), np.float32)), np.random.default_rng(0))
    assert np.mean(black == 0) > 0.9
    assert np.mean(mirror == 0) == pytest.approx(L515.specular_loss, abs=0.03)


def test_edges_give_a_few_flying_pixels_between_the_surfaces() -> None:
    depth = np.full((480, 640), 0.8, np.float32)
    depth[100:380, 200:440] = 0.6
    measured = TimeOfFlight(NOISELESS).measure(CleanView(depth, INTRINSICS), np.random.default_rng(0))
    flying = (measured > 0.62) & (measured < 0.78)
    assert 0 < flying.sum() < 0.01 * measured.size
    columns = np.nonzero(flying[150:330])[1]
    assert np.all((np.abs(columns - 200) < 25) | (np.abs(columns - 440) < 6))


def test_water_seen_straight_down_looks_deeper_by_its_index() -> None:
    config = replace(NOISELESS, water=STILL)
    measured = TimeOfFlight(config).measure(flat(0.5), np.random.default_rng(0))
    assert measured[240, 320] == pytest.approx(0.4 + 1.33 * 0.1, abs=5e-4)


def test_bent_beam_obeys_snell() -> None:
    under = look_through(STILL, np.full((480, 640), 0.5, np.float32), INTRINSICS, np.random.default_rng(0))
    tangent = (600 - 319.5) / 600.0
    incidence = math.atan(tangent)
    bent = math.asin(math.sin(incidence) / 1.33)
    # Row 239.5 lies between two rows: the beams of both differ from the middle one by under a micrometre.
    expected = 0.4 / math.cos(incidence) + 1.33 * 0.1 / math.cos(bent)
    assert under.range_m[240, 600] == pytest.approx(expected, abs=1e-5)
    lands_at = 0.4 * tangent + 0.1 * math.tan(bent)
    assert under.source_x[240, 600] == pytest.approx(319.5 + 600 * lands_at / 0.5, abs=0.01)


def test_objects_above_the_surface_are_untouched() -> None:
    config = replace(NOISELESS, water=STILL)
    dry, wet = (
        TimeOfFlight(c).measure(flat(0.35), np.random.default_rng(0))[50:-50, 50:-50]
        for c in (NOISELESS, config)
    )
    assert np.mean(np.abs(dry - wet) < 1e-3) > 0.99


def test_water_of_index_one_that_absorbs_nothing_is_air() -> None:
    air = replace(STILL, refractive_index=1.0, absorption_per_m=0.0)
    depth = np.full((480, 640), 0.6, np.float32)
    under = look_through(air, depth, INTRINSICS, np.random.default_rng(0))
    dry = TimeOfFlight(NOISELESS).measure(flat(0.6), np.random.default_rng(0))
    wet = TimeOfFlight(replace(NOISELESS, water=air)).measure(flat(0.6), np.random.default_rng(0))
    assert np.all(under.transmission == 1)
    np.testing.assert_allclose(wet[wet > 0], dry[wet > 0], atol=3e-4)


def test_noise_grows_under_water() -> None:
    deep = replace(L515, water=replace(STILL, distance_m=0.4))
    sensor = TimeOfFlight(deep)
    centre = np.s_[220:260, 300:340]
    shallow, below = (
        np.std(sensor.measure(flat(depth, 0.5), np.random.default_rng(0))[centre]) for depth in (0.41, 0.6)
    )
    assert below > 1.3 * shallow


def test_light_is_absorbed_there_and_back() -> None:
    under = look_through(STILL, np.full((480, 640), 0.5, np.float32), INTRINSICS, np.random.default_rng(0))
    assert under.transmission[240, 320] == pytest.approx(math.exp(-2 * 4.6 * 0.1), rel=1e-3)


def test_surface_throws_back_the_perpendicular_beam_only() -> None:
    config = replace(NOISELESS, water=replace(STILL, glint_rad=0.03))
    measured = TimeOfFlight(config).measure(flat(0.5), np.random.default_rng(0))
    hole = np.argwhere(measured[:, 50:-50] == 0) + np.array([0, 50])
    radius = np.hypot(hole[:, 0] - 239.5, hole[:, 1] - 319.5)
    assert len(hole) == pytest.approx(math.pi * (600 * math.tan(0.03)) ** 2, rel=0.1)
    assert radius.max() < 600 * math.tan(0.03) + 2


@pytest.mark.parametrize("nothing", [0.0, np.nan])
@pytest.mark.parametrize("water", [None, WaterSurface(distance_m=0.4)], ids=["dry", "water"])
def test_nothing_in_gives_nothing_out(nothing: float, water: WaterSurface | None) -> None:
    measured = TimeOfFlight(replace(L515, water=water)).measure(flat(nothing), np.random.default_rng(0))
    assert not measured.any()
    assert measured.dtype == np.float32


def test_same_seed_same_image() -> None:
    sensor = TimeOfFlight(replace(L515, water=WaterSurface(distance_m=0.4)))
    first, second = (sensor.measure(flat(0.5), np.random.default_rng(2)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("config", "name", "value"),
    [
        (TimeOfFlightConfig(), "edge_m", 0.0),
        (TimeOfFlightConfig(), "noise_per_m", -0.1),
        (TimeOfFlightConfig(), "flying_share", 1.5),
        (TimeOfFlightConfig(), "min_range_m", 20.0),
        (STILL, "normal", (0.0, 0.0, -1.0)),
        (STILL, "distance_m", 0.0),
        (STILL, "refractive_index", 0.9),
        (STILL, "absorption_per_m", -1.0),
    ],
)
def test_impossible_figures_are_refused_by_name(config: object, name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        replace(config, **{name: value})  # type: ignore[type-var]
