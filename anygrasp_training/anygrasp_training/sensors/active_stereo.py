# SPDX-License-Identifier: Apache-2.0
"""Active stereo camera simulated from light to depth: two infrared images, matching, alignment to colour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from anygrasp_perception.arrays import Float32Array, Float64Array, Uint8Array
from anygrasp_training.sensors.clean_view import CleanView
from anygrasp_training.sensors.depth_alignment import align_depth
from anygrasp_training.sensors.dot_pattern import DotPattern
from anygrasp_training.sensors.infrared_camera import InfraredConfig, render_infrared
from anygrasp_training.sensors.noise_field import smooth_noise
from anygrasp_training.sensors.stereo_matching import MatcherConfig, match_disparity
from anygrasp_training.sensors.stereo_rig import D415_RIG, StereoRig

if TYPE_CHECKING:
    from anygrasp_training.sensors.ray_scene import RayScene

__all__ = ["ActiveStereo", "ActiveStereoConfig"]


@dataclass(frozen=True)
class ActiveStereoConfig:
    """One active stereo camera."""

    rig: StereoRig = D415_RIG
    pattern: DotPattern = field(default_factory=lambda: DotPattern(D415_RIG.projector_fov_deg))
    infrared: InfraredConfig = field(default_factory=InfraredConfig)
    matcher: MatcherConfig = field(default_factory=MatcherConfig)
    calibration_px: float = 0.1  # smooth error of the rectification, standard deviation in disparity
    calibration_scale_px: float = 30.0  # its Gaussian sigma
    depth_unit_m: float = 0.001  # of the 16-bit image

    def __post_init__(self) -> None:
        if self.calibration_px < 0 or not self.calibration_scale_px > 0 or not self.depth_unit_m > 0:
            raise ValueError(
                f"calibration_px {self.calibration_px} must be >= 0, calibration_scale_px "
                f"{self.calibration_scale_px} and depth_unit_m {self.depth_unit_m} positive"
            )


class ActiveStereo:
    """Renders, matches and aligns; about a second a frame. The reference for the fast statistical model."""

    def __init__(self, config: ActiveStereoConfig) -> None:
        self.config = config

    def measure(self, view: CleanView, rng: np.random.Generator) -> Float32Array:
        """Depth (H, W) in metres aligned to the view's colour camera, 0 invalid.

        Raises ValueError when the view has no scene: clean depth does not say what the imagers, which stand
        elsewhere, see.
        """
        if view.scene is None or view.T_scene_camera is None:
            raise ValueError(
                "active stereo renders its own images: make the view with view_scene(), or use the"
                " statistical model on clean depth"
            )
        config, rig = self.config, self.config.rig
        left, right = self.infrared_pair(view.scene, view.T_scene_camera, rng)
        disparity = match_disparity(left, right, rig.max_disparity_px, config.matcher)
        error = config.calibration_px * smooth_noise(disparity.shape, config.calibration_scale_px, rng)
        depth = np.where(disparity > 0, rig.disparity_m_px / np.maximum(disparity + error, 1), 0)
        depth[depth > rig.max_depth_m] = 0
        aligned = align_depth(
            depth.astype(np.float32), rig.infrared_intrinsics, view.intrinsics, rig.color_offset_m
        )
        unit = np.float32(config.depth_unit_m)
        return np.asarray(np.round(aligned / unit) * unit, dtype=np.float32)

    def infrared_pair(
        self, scene: RayScene, T_scene_camera: Float64Array, rng: np.random.Generator
    ) -> tuple[Uint8Array, Uint8Array]:
        """Left and right image (H, W) of the imagers beside a colour camera at `T_scene_camera`."""
        config, rig = self.config, self.config.rig
        T_scene_left = _moved_right(T_scene_camera, rig.color_offset_m)
        T_scene_projector = _moved_right(T_scene_left, rig.projector_offset_m)
        left, right = (
            render_infrared(
                scene, pose, T_scene_projector, rig.infrared_intrinsics, config.pattern, config.infrared, rng
            )
            for pose in (T_scene_left, _moved_right(T_scene_left, rig.baseline_m))
        )
        return left, right


def _moved_right(T_scene_camera: Float64Array, distance_m: float) -> Float64Array:
    moved = T_scene_camera.copy()
    moved[:3, 3] += distance_m * T_scene_camera[:3, 0]
    return moved
