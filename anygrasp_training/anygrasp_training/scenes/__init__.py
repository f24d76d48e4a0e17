# SPDX-License-Identifier: Apache-2.0
"""Cluttered scenes settled by physics, looked at by cameras around them."""

from anygrasp_training.scenes.building import SceneError, build_scene
from anygrasp_training.scenes.plan import SceneConfig, ScenePlan, plan_scene
from anygrasp_training.scenes.rendering import SceneRenderer, SceneView
from anygrasp_training.scenes.scene import PlacedObject, Scene, SceneKind

__all__ = [
    "PlacedObject",
    "Scene",
    "SceneConfig",
    "SceneError",
    "SceneKind",
    "ScenePlan",
    "SceneRenderer",
    "SceneView",
    "build_scene",
    "plan_scene",
]
