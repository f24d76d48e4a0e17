# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest
from synthetic_scene import CAMERA_HEIGHT_M, Box, Sphere, photograph

from anygrasp_perception.object_surface import ObjectSurfaceConfig, build_object_surface, voxel_means


def surface_of(*shapes, noise_m=0.0005, extra=None):
    points = photograph(*shapes, noise_m=noise_m).cloud().points
    points = points[points[:, 2] < CAMERA_HEIGHT_M - 0.005]
    points = voxel_means(points, 0.003).means
    if extra is not None:
        points = np.concatenate([points, np.asarray(extra, np.float32)])
    return points, build_object_surface(points, ObjectSurfaceConfig())


def test_voxel_means_by_hand():
    points = np.array([(0.1, 0.1, 1.1), (0.3, 0.1, 1.3), (1.5, 0.1, 1.1)], np.float32)
    voxels = voxel_means(points, 1.0)
    np.testing.assert_allclose(voxels.means, [(0.2, 0.1, 1.2), (1.5, 0.1, 1.1)], atol=1e-6)
    assert voxels.voxel_of_point.tolist() == [0, 0, 1]
    assert voxels.counts.tolist() == [2, 1]
    np.testing.assert_allclose(voxels.share(np.array([True, False, False])), (0.5, 0.0))


def test_voxel_means_lower_the_noise():
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 0.1, (50_000, 2))
    points = np.column_stack([xy, rng.normal(0.505, 0.001, 50_000)]).astype(np.float32)
    assert voxel_means(points, 0.01).means[:, 2].std() < 0.0003


def test_every_voxel_names_one_of_its_points():
    points = np.random.default_rng(0).uniform(size=(1000, 3)).astype(np.float32)
    voxels = voxel_means(points, 0.2)
    assert voxels.voxel_of_point[voxels.members].tolist() == list(range(len(voxels.counts)))
    assert voxels.counts.sum() == 1000


def test_two_objects_are_two_segments_with_their_centres():
    _, surface = surface_of(Box((0.04, 0.04, 0.05), (-0.05, 0)), Sphere(0.03, (0.06, 0)))
    assert len(surface.centres) == 2
    np.testing.assert_allclose(np.sort(surface.centres[:, 0]), (-0.05, 0.06), atol=0.004)
    np.testing.assert_allclose(np.linalg.norm(surface.normals, axis=1), 1.0, atol=1e-5)
    assert (np.einsum("ni,ni->n", surface.normals, surface.points) < 0).all()  # towards the camera


def test_touching_objects_are_parted_at_the_crease():
    # A sphere lies against the foot of a wide block, whose top is lower than the sphere's.
    points, surface = surface_of(Sphere(0.04, (0.03, 0.0)), Box((0.06, 0.08, 0.03), (-0.02, 0.0)))
    large = np.bincount(surface.segment_ids) > 0.1 * len(points)
    assert large.sum() == 2


def test_stray_points_and_small_heaps_are_dropped():
    rng = np.random.default_rng(0)
    stray = rng.uniform((-0.2, -0.2, 0.3), (0.2, 0.2, 0.4), (10, 3))
    heap = rng.normal((0.15, 0.1, 0.55), 0.002, (10, 3))
    points, surface = surface_of(Box((0.06, 0.06, 0.05)), extra=np.concatenate([stray, heap]))
    assert surface.source.max() < len(points) - 20
    np.testing.assert_array_equal(points[surface.source], surface.points)


def test_radius_reaches_the_furthest_point():
    _, surface = surface_of(Box((0.08, 0.06, 0.05)), noise_m=0.0)
    assert surface.radii_m[0] == pytest.approx(np.hypot(0.04, 0.03), abs=0.005)


@pytest.mark.parametrize("count", [0, 5, 20])
def test_too_few_points_make_an_empty_surface(count):
    points = np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32)
    surface = build_object_surface(points, ObjectSurfaceConfig())
    assert len(surface) == len(surface.centres) == len(surface.source) == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [("normal_neighbours", 2), ("link_neighbours", 2), ("link_distance_m", 0.0), ("crease_angle_rad", -1.0)],
)
def test_config_out_of_range_is_refused(field, value):
    with pytest.raises(ValueError, match=field):
        ObjectSurfaceConfig(**{field: value})
