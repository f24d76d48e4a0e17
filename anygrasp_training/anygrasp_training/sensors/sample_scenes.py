# SPDX-License-Identifier: Apache-2.0
"""Scenes of simple solids arranged like the real frames that the sensor models are compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import trimesh
from trimesh.transformations import rotation_matrix

from anygrasp_perception.arrays import BoolArray, Float64Array
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.se3 import make_transform
from anygrasp_training.sensors.clean_view import CleanView
from anygrasp_training.sensors.pixel_rays import pixel_rays
from anygrasp_training.sensors.ray_scene import Material, RayScene, view_scene

__all__ = [
    "CLUTTER_INTRINSICS",
    "COMPARISONS",
    "SINGLE_OBJECT_INTRINSICS",
    "ComparisonScene",
    "albedo_board_scene",
    "albedo_board_view_pose",
    "clutter_scene",
    "look_at",
    "plane_scene",
    "single_object_scene",
]

# The colour cameras of the two real sets.
SINGLE_OBJECT_INTRINSICS = CameraIntrinsics(616.365, 616.203, 310.259, 236.600, 640, 480)
CLUTTER_INTRINSICS = CameraIntrinsics(927.17, 927.37, 651.32, 349.62, 1280, 720)

_WOOD = Material(albedo=0.45, texture_contrast=0.2, texture_scale_m=0.008, specular=0.05)
_PAINTED = Material(albedo=0.35, texture_contrast=0.05, texture_scale_m=0.02, specular=0.05)
_CERAMIC = Material(albedo=0.6, texture_contrast=0.15, texture_scale_m=0.02, specular=0.15, shininess=80)
_CARTON = Material(albedo=0.5, texture_contrast=0.4, texture_scale_m=0.015, specular=0.1, shininess=30)
_FOIL = Material(albedo=0.25, texture_contrast=0.4, texture_scale_m=0.02, specular=0.3, shininess=60)
_RUBBER = Material(albedo=0.12, texture_contrast=0.2, texture_scale_m=0.01, specular=0.02)
_PLASTIC = Material(albedo=0.5, texture_contrast=0.1, texture_scale_m=0.02, specular=0.1, shininess=40)


def single_object_scene(seed: int = 0) -> RayScene:
    """A mug on a wooden table whose top is z = 0."""
    outer = trimesh.creation.cylinder(radius=0.042, height=0.105, sections=96)
    inner = trimesh.creation.cylinder(radius=0.038, height=0.105, sections=96)
    inner.apply_translation([0, 0, 0.006])
    handle = trimesh.creation.torus(major_radius=0.026, minor_radius=0.006)
    handle.apply_transform(rotation_matrix(np.pi / 2, [1, 0, 0]))
    handle.apply_translation([-0.058, 0, 0])
    mug = trimesh.boolean.union([trimesh.boolean.difference([outer, inner]), handle])
    mug.apply_transform(rotation_matrix(-0.3, [0, 0, 1]))
    mug.apply_translation([0.02, 0.0, 0.0525])
    return RayScene([_table(2.0), mug], [_WOOD, _CERAMIC], seed)


def clutter_scene(seed: int = 0) -> RayScene:
    """Ten solids of 5 to 60 mm height lying on a painted table, with carton, foil, rubber and plastic."""
    rng = np.random.default_rng(seed)
    solids: list[tuple[trimesh.Trimesh, Material]] = [
        (trimesh.creation.box((0.25, 0.055, 0.045)), _CARTON),
        (trimesh.creation.box((0.16, 0.05, 0.018)), _FOIL),
        (trimesh.creation.capsule(radius=0.017, height=0.10), _RUBBER),
        (trimesh.creation.icosphere(subdivisions=4, radius=0.022), _PLASTIC),
        (trimesh.creation.capsule(radius=0.009, height=0.08), _PLASTIC),
        (trimesh.creation.cylinder(radius=0.016, height=0.03, sections=64), _PLASTIC),
        (trimesh.creation.capsule(radius=0.0035, height=0.12), _FOIL),
        (trimesh.creation.annulus(r_min=0.02, r_max=0.028, height=0.009, sections=64), _PLASTIC),
        (trimesh.creation.icosphere(subdivisions=4, radius=0.03), _CERAMIC),
        (trimesh.creation.box((0.03, 0.03, 0.06)), _RUBBER),
    ]
    places = [(-0.05, 0.11), (0.02, 0.03), (-0.14, 0.0), (-0.01, -0.03), (0.18, 0.1)]
    places += [(0.2, 0.03), (-0.08, -0.1), (0.13, -0.02), (0.08, -0.10), (-0.17, -0.11)]
    meshes, materials = [_table(0.9)], [_PAINTED]
    for (mesh, material), (x, y) in zip(solids, places, strict=True):
        if mesh.extents[2] > 0.07:  # lay the capsules down
            mesh.apply_transform(rotation_matrix(np.pi / 2, [0, 1, 0]))
        mesh.apply_transform(rotation_matrix(rng.uniform(-0.5, 0.5), [0, 0, 1]))
        mesh.apply_translation([x, y, -mesh.bounds[0, 2]])
        meshes.append(mesh)
        materials.append(material)
    return RayScene(meshes, materials, seed)


def plane_scene(material: Material = _PAINTED, seed: int = 0) -> RayScene:
    """Only a table top, z = 0."""
    return RayScene([_table(4.0)], [material], seed)


def albedo_board_scene(distance_m: float) -> tuple[RayScene, tuple[float, ...]]:
    """Six matt patches on a table, filling the view from `distance_m`, and their albedos."""
    albedos = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
    meshes, materials, side = [_table(4.0)], [Material(albedo=0.4, specular=0.02)], 0.2 * distance_m
    for index, albedo in enumerate(albedos):
        patch = trimesh.creation.box((0.95 * side, 0.95 * side, 4e-4))
        patch.apply_translation([(index % 3 - 0.5) * side, (index // 3 - 0.5) * side, 0])
        meshes.append(patch)
        materials.append(Material(albedo=albedo, texture_contrast=0.1, texture_scale_m=0.02, specular=0.02))
    return RayScene(meshes, materials), albedos


def albedo_board_view_pose(distance_m: float) -> Float64Array:
    """(4, 4) camera pose straight above the board."""
    return look_at((0.0, 0.0, distance_m), (0.0, 0.0, 0.0))


def look_at(eye: tuple[float, float, float], target: tuple[float, float, float]) -> Float64Array:
    """(4, 4) pose of an optical frame (x right, y down, z forward) at `eye` looking at `target`, scene z up.

    Straight down, the image's top is towards +y.
    """
    forward = np.subtract(target, eye)
    forward = forward / np.linalg.norm(forward)
    up = np.array([0.0, 0.0, 1.0]) if abs(forward[2]) < 0.999 else np.array([0.0, 1.0, 0.0])
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    return make_transform(np.stack([right, np.cross(forward, right), forward], axis=1), eye)


@dataclass(frozen=True)
class ComparisonScene:
    """A scene seen as one of the real sets was."""

    build: Callable[[int], RayScene]
    T_scene_camera: Float64Array
    intrinsics: CameraIntrinsics

    def view(self, seed: int = 0) -> tuple[CleanView, BoolArray]:
        """What an ideal camera sees, and where (H, W) the objects are."""
        scene = self.build(seed)
        hits = scene.cast(self.T_scene_camera[:3, 3], pixel_rays(self.intrinsics, self.T_scene_camera))
        return view_scene(scene, self.T_scene_camera, self.intrinsics), np.asarray(hits.ids > 0)


def _table(size_m: float) -> trimesh.Trimesh:
    table = trimesh.creation.box((size_m, size_m, 0.02))
    table.apply_translation([0, 0, -0.01])
    return table


# Poses by the plane fits of the real frames: 0.30 m above the table and 62 degrees off straight down; 0.47 m
# and 13.5 degrees.
COMPARISONS = {
    "d415": ComparisonScene(
        single_object_scene, look_at((0.0, -0.40, 0.30), (0.0, 0.1649, 0.0)), SINGLE_OBJECT_INTRINSICS
    ),
    "d435": ComparisonScene(
        clutter_scene, look_at((0.0, -0.10, 0.47), (0.0, 0.0128, 0.0)), CLUTTER_INTRINSICS
    ),
}
