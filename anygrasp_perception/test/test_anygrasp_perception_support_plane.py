# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest
from synthetic_scene import CAMERA_HEIGHT_M, Box, photograph

from anygrasp_perception.support_plane import SupportPlaneConfig, estimate_support_plane


def estimate(points, **config):
    return estimate_support_plane(points, np.random.default_rng(0), SupportPlaneConfig(**config))


def test_table_is_found_through_noise_with_its_normal_up():
    plane = estimate(photograph(Box((0.1, 0.1, 0.05)), noise_m=0.001).cloud().points)
    np.testing.assert_allclose(plane.normal, (0, 0, -1), atol=0.01)
    assert plane.offset_m == pytest.approx(CAMERA_HEIGHT_M, abs=0.001)
    heights = plane.heights(np.array([(0, 0, CAMERA_HEIGHT_M - 0.05), (0.1, 0, CAMERA_HEIGHT_M)], np.float32))
    np.testing.assert_allclose(heights, (0.05, 0.0), atol=0.002)


def test_tolerance_follows_the_noise():
    quiet, noisy = (
        estimate(photograph(noise_m=noise).cloud().points).tolerance_m for noise in (0.0005, 0.002)
    )
    assert quiet == SupportPlaneConfig().min_tolerance_m
    assert noisy == pytest.approx(SupportPlaneConfig().noise_factor * 0.002, rel=0.1)


def test_large_box_on_a_table_is_not_the_support():
    # Its top fills more of the image than the table, but the table shows below it.
    cloud = photograph(Box((0.31, 0.25, 0.06))).cloud()
    top = np.isclose(cloud.points[:, 2], CAMERA_HEIGHT_M - 0.06, atol=1e-3)
    assert top.mean() > 0.5
    assert estimate(cloud.points).offset_m == pytest.approx(CAMERA_HEIGHT_M, abs=0.002)


def test_tilted_plane():
    rng = np.random.default_rng(1)
    normal = np.array((0.3, -0.6, -0.742))
    normal /= np.linalg.norm(normal)
    x, y = rng.uniform(-0.3, 0.3, (2, 2000))
    z = -(0.5 + normal[0] * x + normal[1] * y) / normal[2]
    plane = estimate(np.column_stack([x, y, z]).astype(np.float32))
    np.testing.assert_allclose(plane.normal, normal, atol=1e-3)


def test_scattered_points_have_no_support():
    points = np.random.default_rng(0).uniform((-0.3, -0.3, 0.4), (0.3, 0.3, 0.8), (3000, 3))
    assert estimate(points.astype(np.float32)) is None


def test_face_of_an_object_is_no_support():
    xy = np.random.default_rng(0).uniform(-0.05, 0.05, (2000, 2))
    assert estimate(np.column_stack([xy, np.full(2000, 0.5)]).astype(np.float32)) is None


def test_few_points_have_no_support():
    assert estimate(np.ones((49, 3), np.float32)) is None


def test_points_on_a_line_have_no_support():
    points = np.array((0, 0, 0.5)) + np.outer(np.linspace(0.0, 1.0, 100), (1, 0, 0))
    assert estimate(points.astype(np.float32)) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hypotheses", 0),
        ("sample_count", 2),
        ("min_inlier_share", 0.0),
        ("min_inlier_share", 1.1),
        ("min_tolerance_m", 0.0),
        ("min_tolerance_m", 0.02),
    ],
)
def test_config_out_of_range_is_refused(field, value):
    with pytest.raises(ValueError, match=str(value)):
        SupportPlaneConfig(**{field: value})
