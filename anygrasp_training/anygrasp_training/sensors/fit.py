# SPDX-License-Identifier: Apache-2.0
"""Fit the statistical stereo model: `python -m anygrasp_training.sensors.fit --camera d415 --realdata DIR`.

The noise (size and correlation) is that of table planes in real frames; edges are half-way between real
frames and the simulated camera on the comparison scenes; dark surfaces are the simulated camera's.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.optimize import nnls
from scipy.special import ndtr

from anygrasp_perception.arrays import BoolArray, Float32Array, Float64Array
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_training.sensors.active_stereo import ActiveStereo, ActiveStereoConfig
from anygrasp_training.sensors.clean_view import CleanView
from anygrasp_training.sensors.frame_statistics import FrameStatistics, measure_frame
from anygrasp_training.sensors.pixel_rays import pixel_rays
from anygrasp_training.sensors.plane_statistics import autocorrelation, fit_plane
from anygrasp_training.sensors.presets import D415, D415_STEREO, D435, D435_STEREO
from anygrasp_training.sensors.ray_scene import view_scene
from anygrasp_training.sensors.real_frames import RealFrame, load_real_frames
from anygrasp_training.sensors.sample_scenes import COMPARISONS, albedo_board_scene, albedo_board_view_pose
from anygrasp_training.sensors.statistical_stereo import StatisticalStereo, StatisticalStereoConfig

__all__ = ["EDGE_CANDIDATES", "fit_darkness", "fit_edges", "fit_noise", "main"]

_SIGMAS_PX = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_LAGS_PX = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_NOISE_ROUNDS = 4
_MAX_DARK_SPREAD = 0.5  # real tables lose nothing at seven times the signal that loses half
_NOISE_DRAWS = 16
EDGE_CANDIDATES: dict[str, tuple[float, ...]] = {
    "fattening_px": (0.0, 0.5, 1.0, 1.5, 2.0, 3.0),
    "edge_jitter_px": (0.0, 0.3, 0.6, 1.0, 1.5, 2.0),
    "surface_px": (0.3, 0.5, 0.8, 1.2, 1.8, 2.5),
    "window_px": (3.0, 4.0, 5.0),  # smaller ones keep thin objects that real frames lose
    "edge_loss": (0.0, 0.005, 0.01, 0.02, 0.05, 0.1),
    "left_right_px": (0.0, 0.25, 0.5, 1.0, 2.0),
    "dropout": (0.0, 0.0003, 0.001, 0.003),
}


def fit_noise(
    frames: Sequence[RealFrame], view: CleanView, config: StatisticalStereoConfig
) -> StatisticalStereoConfig:
    """Mixture of Gaussian scales that gives `view` of a table the covariance of the real planes.

    The model is measured as the frames are, since fitting a plane and rounding to millimetres change both;
    what it lacks is asked for in addition the next time.
    """
    target = np.median([_covariance(f.depth_m, f.intrinsics, config) for f in frames], axis=0)
    shapes = np.exp(-((np.array(_LAGS_PX)[:, None] / (2 * np.array(_SIGMAS_PX))) ** 2))
    asked = target.copy()
    for _ in range(_NOISE_ROUNDS):
        variances, _ = nnls(shapes, asked)
        noise = tuple(
            (sigma, round(float(np.sqrt(variance)), 4))
            for sigma, variance in zip(_SIGMAS_PX, variances, strict=True)
            if variance > 1e-6
        )
        config = replace(config, noise=noise)
        sensor, rng = StatisticalStereo(config), np.random.default_rng(0)
        found = [_covariance(sensor.measure(view, rng), view.intrinsics, config) for _ in range(_NOISE_DRAWS)]
        asked += target - np.mean(found, axis=0)
    return config


def fit_edges(
    views: Sequence[tuple[CleanView, BoolArray]],
    measured: Sequence[Float32Array],
    real: Sequence[RealFrame],
    config: StatisticalStereoConfig,
    candidates: Mapping[str, tuple[float, ...]] = EDGE_CANDIDATES,
    sweeps: int = 3,
    report: Callable[[str], None] = print,
) -> StatisticalStereoConfig:
    """Search, one figure at a time, for what puts the edges half-way between real and simulated ones.

    `measured` are the simulated camera's images (H, W) of the same `views`: the same content, but a matcher
    that is not the real one. The `real` frames are the real matcher on other content.
    """
    real_figures = np.nanmedian(
        [_edge_figures(measure_frame(f.depth_m, f.intrinsics, f.silhouette, f.usable)) for f in real], axis=0
    )
    targets = []
    for (view, silhouette), depth in zip(views, measured, strict=True):
        simulated = _edge_figures(measure_frame(depth, view.intrinsics, silhouette))
        targets.append(np.nanmean([simulated, real_figures], axis=0))

    def cost(candidate: StatisticalStereoConfig) -> float:
        total = 0.0
        for (view, silhouette), target in zip(views, targets, strict=True):
            depth = StatisticalStereo(candidate).measure(view, np.random.default_rng(0))
            total += _distance(_edge_figures(measure_frame(depth, view.intrinsics, silhouette)), target)
        return total

    for name, values in candidates.items():
        config = _changed(config, name, _nearest(values, float(getattr(config, name))))
    best = cost(config)
    for _ in range(sweeps):
        for name, values in candidates.items():
            for value in values:
                candidate = _changed(config, name, value)
                if candidate != config and (found := cost(candidate)) < best:
                    best, config = found, candidate
            report(f"  {name} = {getattr(config, name)}  (cost {best:.3f})")
    return config


def fit_darkness(stereo: ActiveStereoConfig, config: StatisticalStereoConfig) -> StatisticalStereoConfig:
    """How noise and loss follow the light that comes back, from boards of patches of different albedo."""
    noises, losses = [], []
    # The matcher's noise alone, neither bent nor rounded.
    plain = replace(
        stereo, calibration_px=0.0, depth_unit_m=1e-6, matcher=replace(stereo.matcher, step_px=1e-3)
    )
    clear = np.ones((25, 25), np.uint8)  # so that no window reaches into another patch
    for distance_m in (0.5, 0.7, 1.0, 1.4):
        scene, albedos = albedo_board_scene(distance_m)
        pose, intrinsics = albedo_board_view_pose(distance_m), COMPARISONS["d415"].intrinsics
        view = view_scene(scene, pose, intrinsics)
        ids = scene.cast(pose[:3, 3], pixel_rays(intrinsics, pose)).ids
        depth = ActiveStereo(plain).measure(view, np.random.default_rng(0))
        for index, albedo in enumerate(albedos, start=1):
            inside = cv2.erode((ids == index).astype(np.uint8), clear) > 0
            known = inside & (depth > 0)
            lost = 1 - np.count_nonzero(known) / np.count_nonzero(inside)
            losses.append((albedo * (0.5 / distance_m) ** 2, lost))
            if lost < 0.3:
                error = 1 / depth[known] - 1 / view.depth_m[known]
                noises.append((albedo, distance_m, float(np.median(np.abs(error - np.median(error))))))
    exponent = _noise_exponent(noises)
    dark_signal, dark_spread = _loss_curve(losses)
    return replace(config, noise_exponent=exponent, dark_signal=dark_signal, dark_spread=dark_spread)


def main(argv: Sequence[str] | None = None) -> None:
    """Print the fitted configuration of one camera."""
    parser = argparse.ArgumentParser(description="fit the statistical depth-sensor model of one camera")
    parser.add_argument("--camera", choices=("d415", "d435"), required=True)
    parser.add_argument(
        "--realdata", type=Path, required=True, help="folder with clutter/ and single_objects/"
    )
    parser.add_argument("--scenes", type=int, default=2, help="seeds of the comparison scene to fit edges on")
    arguments = parser.parse_args(argv)
    cv2.setNumThreads(1)
    config, stereo = {"d415": (D415, D415_STEREO), "d435": (D435, D435_STEREO)}[arguments.camera]
    real = load_real_frames(arguments.realdata, arguments.camera)
    config = fit_noise(real, COMPARISONS[arguments.camera].view()[0], config)
    print(f"noise = {config.noise}")
    config = fit_darkness(stereo, config)
    print(f"noise_exponent = {config.noise_exponent}, dark = {config.dark_signal} +- {config.dark_spread}")
    views, depths = [], []
    for seed in range(arguments.scenes):
        view, silhouette = COMPARISONS[arguments.camera].view(seed)
        views.append((view, silhouette))
        depths.append(ActiveStereo(stereo).measure(view, np.random.default_rng(seed)))
    print(fit_edges(views, depths, real, config))


def _covariance(
    depth_m: Float32Array, intrinsics: CameraIntrinsics, config: StatisticalStereoConfig
) -> Float64Array:
    """Covariance (L,) of a plane's disparity error at `_LAGS_PX`, in pixels squared of the infrared image."""
    view = fit_plane(depth_m, intrinsics)
    error = view.inverse_depth_error * config.rig.disparity_m_px
    lags = np.round(np.array(_LAGS_PX) * intrinsics.fx / config.rig.focal_px)
    return autocorrelation(view, lags) * np.nanvar(error)


def _changed(config: StatisticalStereoConfig, name: str, value: float) -> StatisticalStereoConfig:
    values: dict[str, Any] = {name: value}
    return replace(config, **values)


def _nearest(values: Sequence[float], wanted: float) -> float:
    return min(values, key=lambda value: abs(value - wanted))


def _edge_figures(statistics: FrameStatistics) -> Float64Array:
    """Figures (7,) scaled so that one is a difference worth as much as any other."""
    edges = statistics.edges
    return np.array(
        [
            statistics.edge_offset_mrad / 1.5,
            statistics.edge_wander_mrad / 1.5,
            edges.ramp_mrad / 1.5,
            edges.shadow_baseline_m / 0.01,
            edges.shadow_right_mrad / 1.0,
            edges.invalid_share_edges / 0.02,
            edges.invalid_share_surface / 0.003,
        ]
    )


def _distance(figures: Float64Array, target: Float64Array) -> float:
    # A figure that only one side can measure counts as far off.
    missing = np.isfinite(target) & ~np.isfinite(figures)
    return float(np.nansum((figures - target) ** 2) + 9 * np.count_nonzero(missing))


def _noise_exponent(noises: Sequence[tuple[float, float, float]]) -> float:
    """Common slope of ln(noise) over ln(albedo), each distance with its own level."""
    slopes = []
    for distance in {row[1] for row in noises}:
        rows = np.array([(np.log(albedo), np.log(noise)) for albedo, at, noise in noises if at == distance])
        if len(rows) >= 3:
            slopes.append(-float(np.polyfit(rows[:, 0], rows[:, 1], 1)[0]))
    return round(max(float(np.median(slopes)), 0.0), 2)


def _loss_curve(losses: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Signal at which half is lost and spread of its logarithm: a cumulative Gaussian, by search."""
    signals, lost = np.array(losses).T
    middles, spreads = np.geomspace(2e-4, 5e-2, 60), np.linspace(0.2, _MAX_DARK_SPREAD, 33)
    expected = ndtr((np.log(middles)[:, None, None] - np.log(signals)) / spreads[None, :, None])
    row, column = np.unravel_index(np.argmin(((expected - lost) ** 2).sum(axis=-1)), (60, 33))
    return round(float(middles[row]), 5), round(float(spreads[column]), 2)


if __name__ == "__main__":
    main()
