# SPDX-License-Identifier: Apache-2.0
"""What an ideal camera would measure: the one input of every sensor model, and their common interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from anygrasp_perception.arrays import Float32Array, Float64Array
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.se3 import check_transform

if TYPE_CHECKING:  # ray casting needs open3d, which sensors that work on depth alone do without
    from anygrasp_training.sensors.ray_scene import RayScene

__all__ = ["CleanView", "DepthSensor"]


@dataclass(frozen=True, eq=False)
class CleanView:
    """Noise-free depth in the colour camera's image, with what else is known of the surfaces.

    Raises ValueError on wrong shapes or types, on negative depth, and on reflectances outside [0, 1].
    Pixels of NaN or 0 depth are "nothing there".
    """

    depth_m: Float32Array  # (H, W) along the optical axis
    intrinsics: CameraIntrinsics
    albedo: Float32Array | None = None  # (H, W) diffuse infrared reflectance; None: 0.5 everywhere
    specular: Float32Array | None = None  # (H, W) mirror-like share; None: 0 everywhere
    scene: RayScene | None = None  # needed by sensors that render images of their own
    T_scene_camera: Float64Array | None = None  # (4, 4) pose of the colour camera in the scene

    def __post_init__(self) -> None:
        size = (self.intrinsics.height, self.intrinsics.width)
        for name in ("depth_m", "albedo", "specular"):
            image = getattr(self, name)
            if image is None and name != "depth_m":
                continue
            if not isinstance(image, np.ndarray) or image.dtype != np.float32:
                raise ValueError(
                    f"{name} must be a float32 array, got {getattr(image, 'dtype', type(image))}"
                )
            if image.shape != size:
                raise ValueError(f"{name} has shape {image.shape}, the intrinsics say {size}")
            if name != "depth_m" and not (image.min() >= 0 and image.max() <= 1):
                raise ValueError(f"{name} spans {image.min()} to {image.max()}; it must be in [0, 1]")
        lowest = float(np.min(self.depth_m, initial=0.0, where=~np.isnan(self.depth_m)))
        if lowest < 0 or np.isinf(self.depth_m).any():
            raise ValueError(
                f"depth_m must be finite metres >= 0 with 0 or NaN where invalid, got {lowest} or infinity"
            )
        if (self.scene is None) != (self.T_scene_camera is None):
            raise ValueError("scene and T_scene_camera belong together: give both or neither")
        if self.T_scene_camera is not None:
            check_transform(self.T_scene_camera, "T_scene_camera")


class DepthSensor(Protocol):
    """A model of a depth camera, aligned to colour: the same view and generator state, the same image."""

    def measure(self, view: CleanView, rng: np.random.Generator) -> Float32Array:
        """Return the depth (H, W) in metres this sensor reports, 0 where it reports none."""
        ...
