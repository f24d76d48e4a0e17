# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from anygrasp_perception.network.cylinder import group_cylinders
from anygrasp_perception.network.network_config import NetworkConfig

CONFIG = NetworkConfig(cylinder_samples=6)


def make_case(seed, seeds=150):
    rng = np.random.default_rng(seed)
    points = rng.uniform((-0.2, -0.2, 0.5), (0.2, 0.2, 0.6), (1500, 3)).astype(np.float32)
    rotations = Rotation.random(seeds, random_state=seed).as_matrix().astype(np.float32)
    return points, rng.permutation(1500)[:700], rng.permutation(1500)[:seeds], rotations


def group(points, pool, seeds, rotations, config=CONFIG):
    return group_cylinders(*map(torch.from_numpy, (points, pool, seeds, rotations)), config)


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_a_loop_over_seeds(seed):
    points, pool, seeds, rotations = make_case(seed)
    rows, local = group(points, pool, seeds, rotations)
    expected = np.empty_like(rows.numpy())
    for index, (row, R) in enumerate(zip(seeds, rotations, strict=True)):
        x, y, z = ((points[pool] - points[row]).astype(np.float64) @ R).T
        inside = (CONFIG.cylinder_min_m < x) & (x < CONFIG.cylinder_max_m)
        inside &= np.hypot(y, z) < CONFIG.cylinder_radius_m
        expected[index] = np.resize(pool[inside] if inside.any() else [row], CONFIG.cylinder_samples)
    np.testing.assert_array_equal(rows, expected)
    offsets = np.einsum("ski,sij->skj", points[rows] - points[seeds][:, None], rotations)
    np.testing.assert_allclose(local, offsets / CONFIG.cylinder_radius_m, atol=1e-5)


def test_coordinates_are_in_the_grasp_frame_over_the_radius():
    points = np.array([[0.1, 0.2, 0.5], [0.1, 0.2, 0.53]], dtype=np.float32)
    down = np.array([[[0, 0, -1], [0, 1, 0], [1, 0, 0]]], dtype=np.float32)  # x, the approach, is camera z
    rows, local = group(points, np.array([1]), np.array([0]), down)
    assert (rows == 1).all()
    np.testing.assert_allclose(local[0, 0], [0.03 / 0.05, 0, 0], atol=1e-5)


def test_points_beyond_the_cylinder_are_left_out():
    outside = [[0.041, 0, 0], [-0.021, 0, 0], [0, 0.051, 0], [0, 0.036, 0.036]]
    inside = [[0.039, 0, 0], [-0.019, 0, 0], [0, 0.049, 0], [0, 0.035, 0.035]]
    points = np.array([[0, 0, 0], *outside, *inside], dtype=np.float32)
    rows, _ = group(points, np.arange(1, 9), np.array([0]), np.eye(3, dtype=np.float32)[None])
    assert set(rows[0].tolist()) == {5, 6, 7, 8}


def test_an_empty_cylinder_holds_its_seed():
    points = np.array([[0, 0, 0], [1, 0, 0]], dtype=np.float32)
    rows, local = group(points, np.array([1]), np.array([0]), np.eye(3, dtype=np.float32)[None])
    assert (rows == 0).all()
    assert (local == 0).all()


def test_no_seeds_no_cylinders():
    points, pool, _, rotations = make_case(0)
    rows, local = group(points, pool, np.empty(0, dtype=np.intp), rotations[:0])
    assert rows.shape == (0, CONFIG.cylinder_samples)
    assert local.shape == (0, CONFIG.cylinder_samples, 3)


@pytest.mark.parametrize("seed", range(2))
def test_in_torch_alone_the_points_are_the_same(seed):
    points, pool, seeds, rotations = make_case(seed)
    compiled, _ = group(points, pool, seeds, rotations)
    in_torch, _ = group(points.astype(np.float64), pool, seeds, rotations.astype(np.float64))
    np.testing.assert_array_equal(in_torch, compiled)
