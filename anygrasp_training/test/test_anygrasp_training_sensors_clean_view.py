# SPDX-License-Identifier: Apache-2.0
"""The sensors' input: what is refused, and what a rendered view holds."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_training.sensors.clean_view import CleanView
from anygrasp_training.sensors.ray_scene import Material, RayScene, view_scene
from anygrasp_training.sensors.sample_scenes import look_at, plane_scene

INTRINSICS = CameraIntrinsics(100.0, 100.0, 31.5, 23.5, 64, 48)
DEPTH = np.full((48, 64), 0.5, np.float32)


def test_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"depth_m has shape \(64, 48\), the intrinsics say \(48, 64\)"):
        CleanView(DEPTH.T.copy(), INTRINSICS)


def test_wrong_type_is_refused() -> None:
    with pytest.raises(ValueError, match="depth_m must be a float32 array, got uint16"):
        CleanView((DEPTH * 1000).astype(np.uint16), INTRINSICS)


@pytest.mark.parametrize("bad", [-0.1, np.inf])
def test_negative_or_infinite_depth_is_refused(bad: float) -> None:
    depth = DEPTH.copy()
    depth[3, 4] = bad
    with pytest.raises(ValueError, match="depth_m must be finite metres >= 0"):
        CleanView(depth, INTRINSICS)


@pytest.mark.parametrize("name", ["albedo", "specular"])
def test_reflectance_out_of_range_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name} spans .* it must be in \[0, 1\]"):
        CleanView(DEPTH, INTRINSICS, **{name: np.full((48, 64), 1.5, np.float32)})


def test_scene_without_pose_is_refused() -> None:
    with pytest.raises(ValueError, match="scene and T_scene_camera belong together"):
        CleanView(DEPTH, INTRINSICS, scene=plane_scene())


def test_rendered_plane_has_its_depth_and_albedo() -> None:
    scene = plane_scene(Material(albedo=0.3, texture_contrast=0.0))
    view = view_scene(scene, look_at((0, 0, 0.8), (0, 0, 0)), INTRINSICS)
    np.testing.assert_allclose(view.depth_m, 0.8, atol=1e-5)
    assert view.albedo is not None
    np.testing.assert_allclose(view.albedo, 0.3, atol=1e-6)


def test_rays_that_meet_nothing_have_depth_zero() -> None:
    ball = trimesh.creation.icosphere(radius=0.05)
    view = view_scene(RayScene([ball], [Material()]), look_at((0, 0, 0.5), (0, 0, 0)), INTRINSICS)
    assert view.depth_m[0, 0] == 0
    assert view.depth_m[24, 32] == pytest.approx(0.45, abs=1e-3)


def test_texture_varies_the_albedo_by_its_contrast_and_the_seed() -> None:
    def albedo(seed: int) -> np.ndarray:
        scene = plane_scene(Material(albedo=0.4, texture_contrast=0.2, texture_scale_m=0.01), seed)
        image = view_scene(scene, look_at((0, 0, 0.8), (0, 0, 0)), INTRINSICS).albedo
        assert image is not None
        return image

    assert albedo(0).std() / albedo(0).mean() == pytest.approx(0.2, rel=0.3)
    np.testing.assert_array_equal(albedo(0), albedo(0))
    assert np.any(albedo(0) != albedo(1))


def test_sight_is_blocked_by_what_lies_between() -> None:
    plate = trimesh.creation.box((0.1, 0.1, 0.01))
    plate.apply_translation([0, 0, 0.25])
    scene = RayScene([trimesh.creation.box((2, 2, 0.02)), plate], [Material(), Material()])
    points = np.array([[0, 0, 0.01], [0.3, 0, 0.01], [np.nan] * 3], np.float32)
    np.testing.assert_array_equal(scene.sees(np.array([0, 0, 0.5]), points), [False, True, False])


def test_meshes_and_materials_must_match() -> None:
    with pytest.raises(ValueError, match="1 meshes with 2 materials"):
        RayScene([trimesh.creation.box((1, 1, 1))], [Material(), Material()])


@pytest.mark.parametrize(("name", "value"), [("albedo", 1.2), ("specular", -0.1), ("texture_scale_m", 0.0)])
def test_impossible_materials_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        Material(**{name: value})
