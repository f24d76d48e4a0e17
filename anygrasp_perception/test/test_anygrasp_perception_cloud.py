# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from anygrasp_perception.cloud import PointCloud, estimate_normals, voxel_downsample


def test_crop_keeps_rows_together():
    points = np.arange(12.0).reshape(4, 3)
    pixels = np.arange(8, dtype=np.int32).reshape(4, 2)
    cloud = PointCloud(points, np.float32(points / 12), pixels)
    for selection in (np.array([False, True, False, True]), np.array([1, 3])):
        part = cloud.crop(selection)
        np.testing.assert_array_equal(part.points, points[[1, 3]])
        np.testing.assert_array_equal(part.colors, np.float32(points / 12)[[1, 3]])
        np.testing.assert_array_equal(part.pixels, pixels[[1, 3]])


def test_crop_of_bare_points():
    part = PointCloud(np.zeros((3, 3))).crop(np.array([0]))
    assert len(part) == 1
    assert part.colors is None
    assert part.pixels is None


def test_points_are_float32():
    assert PointCloud(np.zeros((3, 3))).points.dtype == np.float32


def test_nan_points_are_refused():
    with pytest.raises(ValueError, match=r"PointCloud.points: 1 of 2 points are NaN"):
        PointCloud(np.array([[0, 0, 0], [0, np.nan, 0]]))


def test_colors_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"PointCloud.colors must have shape \(3, 3\), got \(2, 3\)"):
        PointCloud(np.zeros((3, 3)), np.zeros((2, 3), dtype=np.float32))


def test_pixels_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"PointCloud.pixels must have shape \(3, 2\)"):
        PointCloud(np.zeros((3, 3)), pixels=np.zeros((3, 3), dtype=np.int32))


def test_one_point_a_voxel_the_first():
    points = [[0, 0, 0], [0.004, 0, 0], [0.011, 0, 0], [0.001, 0, 0], [0.011, 0.011, 0.011]]
    np.testing.assert_array_equal(voxel_downsample(points, 0.01), [0, 2, 4])


def test_downsampling_leaves_gaps_no_wider_than_a_voxel_diagonal():
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (5000, 3))
    kept = points[voxel_downsample(points, 0.2)]
    assert len(kept) <= 11**3
    distance = np.linalg.norm(points[:, None] - kept[None], axis=-1).min(axis=1)
    assert distance.max() <= 0.2 * np.sqrt(3) + 1e-6


def test_downsampling_nothing():
    assert voxel_downsample(np.zeros((0, 3)), 0.01).shape == (0,)


@pytest.mark.parametrize("voxel", [0.0, -0.01, np.nan])
def test_voxel_must_be_positive(voxel):
    with pytest.raises(ValueError, match="voxel_m must be positive"):
        voxel_downsample(np.zeros((1, 3)), voxel)


def test_normals_of_a_tilted_plane_face_the_camera():
    rng = np.random.default_rng(0)
    normal = np.array([0.3, -0.2, -0.9])
    normal /= np.linalg.norm(normal)
    u = np.cross(normal, (1.0, 0.0, 0.0))
    v = np.cross(normal, u)
    points = rng.uniform(-0.1, 0.1, (500, 2)) @ np.stack([u, v]) + (0.0, 0.0, 0.6)
    normals = estimate_normals(points)
    np.testing.assert_allclose(normals, np.broadcast_to(normal, (500, 3)), atol=1e-3)


def test_normals_of_a_sphere_point_outwards_to_a_viewer():
    rng = np.random.default_rng(0)
    outward = rng.normal(size=(4000, 3))
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    points = 0.05 * outward + (0.0, 0.0, 0.5)
    seen = np.einsum("ni,ni->n", outward, -points) > 0.05 * np.linalg.norm(points, axis=1)
    normals = estimate_normals(points, neighbours=15, radius_m=0.02)
    agreement = np.einsum("ni,ni->n", normals[seen], outward[seen])
    assert np.median(agreement) > 0.995
    assert agreement.min() > 0.9


def test_viewpoint_decides_the_sign():
    points = np.random.default_rng(0).uniform(-0.1, 0.1, (200, 3)) * (1, 1, 0)
    assert (estimate_normals(points, viewpoint=(0, 0, 1))[:, 2] > 0.99).all()
    assert (estimate_normals(points, viewpoint=(0, 0, -1))[:, 2] < -0.99).all()


def test_lonely_points_look_at_the_viewer():
    normals = estimate_normals([[0.0, 0.0, 1.0], [5.0, 0.0, 1.0]], radius_m=0.1)
    np.testing.assert_allclose(normals[0], (0.0, 0.0, -1.0), atol=1e-6)
    assert np.isfinite(normals).all()


def test_normals_of_nothing():
    assert estimate_normals(np.zeros((0, 3))).shape == (0, 3)


def test_normals_need_three_neighbours():
    with pytest.raises(ValueError, match="neighbours must be at least 3"):
        estimate_normals(np.zeros((5, 3)), neighbours=2)


def test_normals_of_nan_points_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        estimate_normals(np.full((5, 3), np.nan))
