# SPDX-License-Identifier: Apache-2.0
"""The camera on the wrist: a scanning time-of-flight sensor that looks through a water surface."""

from __future__ import annotations

from dataclasses import replace
from types import TracebackType

import mujoco
import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.camera import RgbdFrame
from anygrasp_sim.camera import OffscreenCamera
from anygrasp_sim.fish.fish_cell_config import FishCellConfig
from anygrasp_sim.fish.fish_world import WRIST_CAMERA
from anygrasp_sim.fish.tank import OVERVIEW_GROUP
from anygrasp_training.sensors.clean_view import CleanView
from anygrasp_training.sensors.presets import L515
from anygrasp_training.sensors.time_of_flight import TimeOfFlight
from anygrasp_training.sensors.water_surface import WaterSurface

__all__ = ["WristCamera"]


class WristCamera:
    """Owns an OpenGL context: use it from one thread, and close it (or use it as a context manager).

    Raises:
        RenderingUnavailable: no OpenGL on this machine.
    """

    def __init__(self, model: mujoco.MjModel, config: FishCellConfig) -> None:
        self._config = config
        self._camera = OffscreenCamera(
            model, WRIST_CAMERA, config.image_width, config.image_height, hidden_groups=(OVERVIEW_GROUP,)
        )
        self._rng = np.random.default_rng([config.seed, 1])

    def render(self, data: mujoco.MjData, T_base_camera: Float64Array) -> RgbdFrame:
        """Colour and depth from a pose; what lies under water appears deeper than it is, as to a real one."""
        color, depth_m = self._camera.render(data)
        albedo = (color.mean(axis=2) / np.float32(255)).astype(np.float32)
        view = CleanView(depth_m=depth_m, intrinsics=self._config.intrinsics, albedo=albedo)
        sensor = TimeOfFlight(replace(L515, water=self._surface(T_base_camera), dark_signal=0.004))
        return RgbdFrame(color, sensor.measure(view, self._rng), self._config.intrinsics)

    def close(self) -> None:
        """Free the OpenGL resources; safe to call twice."""
        self._camera.close()

    def __enter__(self) -> WristCamera:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _surface(self, T_base_camera: Float64Array) -> WaterSurface | None:
        """The water's plane as the camera sees it; None while it is not above, or looks up."""
        water = self._config.water
        down = -T_base_camera[2, :3]  # base -z in the camera's frame
        height = float(T_base_camera[2, 3]) - water.level_m
        if height <= 0.02 or down[2] <= 0.1:
            return None
        return WaterSurface(
            normal=(float(down[0]), float(down[1]), float(down[2])),
            distance_m=height,
            wave_slope_rad=water.wave_slope_rad,
            refractive_index=water.refractive_index,
        )
