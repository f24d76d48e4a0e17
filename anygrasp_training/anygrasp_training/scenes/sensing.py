# SPDX-License-Identifier: Apache-2.0
"""Measures rendered views with the depth sensor models, by name."""

from __future__ import annotations

import numpy as np

from anygrasp_perception.arrays import Float32Array
from anygrasp_training.scenes.rendering import SceneView
from anygrasp_training.scenes.scene import Scene
from anygrasp_training.scenes.surfaces import scene_surfaces
from anygrasp_training.sensors.clean_view import CleanView, DepthSensor
from anygrasp_training.sensors.presets import SENSOR_NAMES, make_sensor
from anygrasp_training.sensors.ray_scene import Material, RayScene

__all__ = ["SENSORS", "SceneSensor"]

CLEAN = "clean"
MIXED = "mixed"
SENSORS = (CLEAN, *SENSOR_NAMES, MIXED)
_MIX = ("d415", "d435")  # a detector trained on one camera's noise alone knows no other's


class SceneSensor:
    """A depth sensor pointed at scenes; `clean` reports what is there, `mixed` is another for each view.

    Raises ValueError on a name that is not in SENSORS.
    """

    def __init__(self, name: str) -> None:
        names = {CLEAN: (), MIXED: _MIX}.get(name, (name,))
        self._sensors: tuple[DepthSensor, ...] = tuple(make_sensor(each) for each in names)
        # These render infrared images of their own; the others make do with the view.
        self._needs_scene = name.endswith("-stereo")
        self._ray_scene: tuple[Scene, RayScene] | None = None

    def measure(self, view: SceneView, scene: Scene, rng: np.random.Generator) -> Float32Array:
        """Return the depth (H, W) in metres that the sensor reports of a view of a scene, 0 invalid."""
        if not self._sensors:
            return view.depth_m
        sensor = self._sensors[int(rng.integers(len(self._sensors))) if len(self._sensors) > 1 else 0]
        clean = CleanView(
            view.depth_m,
            view.intrinsics,
            albedo=view.infrared_albedo,
            specular=view.specular,
            scene=self._rays(scene) if self._needs_scene else None,
            T_scene_camera=view.T_scene_camera if self._needs_scene else None,
        )
        return sensor.measure(clean, rng)

    def _rays(self, scene: Scene) -> RayScene:
        """The scene for infrared rays; all its views share one."""
        if self._ray_scene is None or self._ray_scene[0] is not scene:
            surfaces = scene_surfaces(scene)
            materials = [
                Material(albedo=surface.finish.infrared_albedo, specular=surface.finish.specular)
                for surface in surfaces
            ]
            rays = RayScene([surface.mesh for surface in surfaces], materials, scene.seed)
            self._ray_scene = (scene, rays)
        return self._ray_scene[1]
