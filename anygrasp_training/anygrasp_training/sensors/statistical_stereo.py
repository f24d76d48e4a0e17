# SPDX-License-Identifier: Apache-2.0
"""Fast statistical model of an active stereo camera: from perfect depth to what the camera would report.

Everything happens in disparity, where stereo measures: an error of a constant part of a pixel there is a
depth error that grows with the square of the distance. Lengths are in pixels of the infrared image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import cv2
import numpy as np

from anygrasp_perception.arrays import BoolArray, Float32Array, Uint8Array
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_training.sensors.clean_view import CleanView
from anygrasp_training.sensors.noise_field import cut_noise, noise_tile
from anygrasp_training.sensors.occlusion import seen_from_right
from anygrasp_training.sensors.stereo_rig import D415_RIG, StereoRig

__all__ = ["StatisticalStereo", "StatisticalStereoConfig"]

_EDGE_PX = 1.0  # a step of disparity between neighbours that is an edge, not a slope
_RAGGED = 0.5  # scale of ragged edges and of holes, in windows: seen in real frames


@dataclass(frozen=True)
class StatisticalStereoConfig:
    """One camera's error model; `anygrasp_training.sensors.fit` finds the figures."""

    rig: StereoRig = D415_RIG
    noise: tuple[tuple[float, float], ...] = ((4.0, 0.1), (20.0, 0.1))  # (Gaussian sigma, std)
    window_px: float = 4.0  # Gaussian sigma of the matching window, which blurs small steps
    surface_px: float = 0.5  # disparity steps well above this stay sharp
    fattening_px: float = 1.0  # how far near surfaces grow over far ones
    edge_jitter_px: float = 1.0  # standard deviation of an edge's position
    edge_loss: float = 0.1  # share of invalid pixels within a window of a sharp edge
    left_right_px: float = 1.0  # disparity difference from which the hidden side is noticed
    dropout: float = 0.002  # share of invalid pixels on an ordinary surface
    dark_signal: float = 0.02  # albedo x cosine x (0.5 m / z)^2 at which half the pixels are lost
    dark_spread: float = 0.5  # of ln(signal) around that
    specular_loss: float = 0.5  # invalid share of a mirror, by the cube of `specular` on others
    noise_exponent: float = 0.35  # noise grows as (0.4 / reflectance) to this power
    step_px: float = 1 / 32  # resolution of the disparity
    depth_unit_m: float = 0.001  # of the 16-bit image

    def __post_init__(self) -> None:
        for name in ("window_px", "surface_px", "dark_signal", "dark_spread", "step_px", "depth_unit_m"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")
        for name in ("fattening_px", "edge_jitter_px", "left_right_px", "noise_exponent"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must not be negative")
        for name in ("edge_loss", "dropout", "specular_loss"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be in [0, 1)")
        if any(sigma <= 0 or std < 0 for sigma, std in self.noise):
            raise ValueError(f"noise is {self.noise}; every sigma must be positive and no std negative")


class StatisticalStereo:
    """Applies a `StatisticalStereoConfig` to clean views; reflectances are used where the view has them."""

    def __init__(self, config: StatisticalStereoConfig) -> None:
        self.config = config

    def measure(self, view: CleanView, rng: np.random.Generator) -> Float32Array:
        """Depth (H, W) in metres aligned to the view's colour camera, 0 invalid."""
        config, rig = self.config, self.config.rig
        scale = view.intrinsics.fx / rig.focal_px  # image pixels an infrared pixel
        known = view.depth_m > 0  # NaN compares false
        disparity = np.zeros(view.depth_m.shape, np.float32)
        np.divide(np.float32(rig.disparity_m_px), view.depth_m, out=disparity, where=known)

        shape = (view.intrinsics.height, view.intrinsics.width)
        ragged = noise_tile(shape, ((_RAGGED * config.window_px * scale, 1.0),))
        disparity = self._wandering_edges(disparity, ragged, scale, rng)
        blurred = cv2.GaussianBlur(disparity, (0, 0), config.window_px * scale)
        difference = blurred - disparity
        # One surface, however inclined, has no difference; a window that holds a large one is not blurred.
        alone = cv2.exp(np.square(difference) * np.float32(-(config.surface_px**-2)))
        alone = cv2.erode(alone, _square(1.5 * config.window_px * scale))
        at_edge = np.abs(difference) > config.surface_px
        kept = disparity > 0
        disparity += alone * difference
        slope_x = cv2.Sobel(blurred, cv2.CV_32F, 1, 0, scale=1 / 8)
        slope_y = cv2.Sobel(blurred, cv2.CV_32F, 0, 1, scale=1 / 8)
        slope_x *= alone
        slope_y *= alone
        reflectance = self._reflectance(view, blurred, slope_x, slope_y)
        nearness = disparity * np.float32(0.5 / rig.disparity_m_px)  # 0.5 m over the depth
        kept &= self._seen_by_both(disparity, view.intrinsics)
        kept &= self._matched(at_edge, reflectance * nearness * nearness, view.specular, ragged, rng)

        shift_x, shift_y = _resampling_shift(view.intrinsics, scale)
        disparity += slope_x * shift_x + slope_y * shift_y[:, None]
        disparity += self._noise(reflectance, scale, rng)
        disparity = np.rint(disparity * np.float32(1 / config.step_px)) * np.float32(config.step_px)
        np.maximum(disparity, np.float32(config.step_px), out=disparity)
        kept &= disparity <= rig.max_disparity_px
        depth = np.float32(rig.disparity_m_px) / disparity
        kept &= depth <= rig.max_depth_m
        depth = np.rint(depth * np.float32(1 / config.depth_unit_m)) * np.float32(config.depth_unit_m)
        return np.asarray(depth * kept, dtype=np.float32)

    def _wandering_edges(
        self, disparity: Float32Array, ragged: Float32Array, scale: float, rng: np.random.Generator
    ) -> Float32Array:
        """Let near surfaces grow, then look everything up at shifted pixels: edges become ragged."""
        config = self.config
        reach = round(config.fattening_px * scale)
        if reach > 0:
            kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
            disparity = _changed_at_edges(disparity, cv2.dilate(disparity, kernel))
        if config.edge_jitter_px == 0:
            return disparity
        jitter = np.float32(config.edge_jitter_px * scale)
        map_x = jitter * cut_noise(ragged, rng) + np.arange(disparity.shape[1], dtype=np.float32)
        map_y = jitter * cut_noise(ragged, rng) + np.arange(disparity.shape[0], dtype=np.float32)[:, None]
        moved = cv2.remap(disparity, map_x, map_y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        return _changed_at_edges(disparity, moved)

    def _reflectance(
        self, view: CleanView, disparity: Float32Array, slope_x: Float32Array, slope_y: Float32Array
    ) -> Float32Array:
        """Share (H, W) of the projector's light that is sent back: albedo times cosine of incidence."""
        slope = cv2.magnitude(slope_x, slope_y) * np.float32(view.intrinsics.fx)
        tangent = slope / np.maximum(disparity, np.float32(1e-3))  # since dz / z = -dd / d
        albedo = np.float32(0.5) if view.albedo is None else view.albedo
        return np.asarray(np.maximum(albedo / np.sqrt(1 + tangent * tangent), 1e-4), dtype=np.float32)

    def _seen_by_both(self, disparity: Float32Array, intrinsics: CameraIntrinsics) -> BoolArray:
        """Pixels in both infrared images that nothing hides from the right imager."""
        rig = self.config.rig
        apart = (rig.baseline_m + rig.color_offset_m) / rig.baseline_m  # right imager to colour camera
        scale = intrinsics.fx / rig.focal_px
        visible = seen_from_right(
            disparity * np.float32(apart * scale),
            tolerance_px=self.config.left_right_px * apart * scale,
            leftmost_px=intrinsics.cx - scale * rig.width / 2,
        )
        x = np.arange(intrinsics.width) - intrinsics.cx
        y = np.arange(intrinsics.height) - intrinsics.cy
        visible &= x <= scale * rig.width / 2
        visible &= np.abs(y)[:, None] <= scale * rig.height / 2
        return visible

    def _matched(
        self,
        at_edge: BoolArray,
        signal: Float32Array,
        specular: Float32Array | None,
        ragged: Float32Array,
        rng: np.random.Generator,
    ) -> BoolArray:
        """All but blobs, smaller than a window: few, more at edges, most on dark surfaces."""
        config = self.config
        luck = cut_noise(ragged, rng)
        matched = signal > config.dark_signal * cv2.exp(np.float32(-config.dark_spread) * luck)
        matched &= luck > _quantile(config.dropout)
        matched &= (luck > _quantile(config.edge_loss)) | ~at_edge
        if specular is not None and config.specular_loss > 0:
            shares = config.specular_loss * np.linspace(0, 1, 256) ** 3
            limits = np.array([_quantile(share) for share in shares], dtype=np.float32)
            matched &= cut_noise(ragged, rng) > limits[(specular * np.float32(255)).astype(np.uint8)]
        return np.asarray(matched)

    def _noise(self, reflectance: Float32Array, scale: float, rng: np.random.Generator) -> Float32Array:
        components = tuple((sigma_px * scale, std_px) for sigma_px, std_px in self.config.noise)
        noise = cut_noise(noise_tile((reflectance.shape[0], reflectance.shape[1]), components), rng)
        if self.config.noise_exponent == 0:
            return noise
        gain = cv2.pow(reflectance, -self.config.noise_exponent) * np.float32(0.4**self.config.noise_exponent)
        return np.asarray(noise * np.clip(gain, 0.7, 4.0), dtype=np.float32)


def _square(reach_px: float) -> Uint8Array:
    return np.ones((2 * round(reach_px) + 1,) * 2, np.uint8)


def _changed_at_edges(disparity: Float32Array, changed: Float32Array) -> Float32Array:
    """Take over only changes that are steps: on one inclined surface they would be a bias or a ripple."""
    step = changed - disparity
    return np.asarray(disparity + step * (np.abs(step) > _EDGE_PX), dtype=np.float32)


def _resampling_shift(intrinsics: CameraIntrinsics, scale: float) -> tuple[Float32Array, Float32Array]:
    """Pixels (W,), (H,) between an image pixel and the infrared pixel whose depth it is given.

    Aligning copies the nearest infrared pixel: on an inclined plane that leaves the saw-tooth of real frames.
    """
    shifts = []
    for centre, size in ((intrinsics.cx, intrinsics.width), (intrinsics.cy, intrinsics.height)):
        infrared = (np.arange(size) - centre) / scale
        shifts.append(((np.round(infrared) - infrared) * scale).astype(np.float32))
    return shifts[0], shifts[1]


def _quantile(share: float) -> float:
    """Value below which unit noise falls with probability `share`."""
    return NormalDist().inv_cdf(share) if share > 0 else -math.inf
