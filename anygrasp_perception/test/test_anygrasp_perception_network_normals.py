# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from anygrasp_perception.network.voxel_cloud import VoxelBatch, voxelise


def normals_of(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    batch = VoxelBatch.of([voxelise(points.astype(np.float32), 0.005)])
    return batch.points.numpy(), batch.normals.numpy()


@pytest.mark.parametrize("normal", [(0.0, 0.0, -1.0), (0.3, -0.2, -1.0), (0.9, 0.1, -0.3)])
def test_normals_of_a_plane(normal):
    normal = np.array(normal) / np.linalg.norm(normal)
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.06, 0.06, (40_000, 3))
    points -= np.outer(points @ normal, normal)
    _, found = normals_of(points + np.array([0, 0, 0.6]))
    angles = np.degrees(np.arccos(np.clip(found @ normal, -1, 1)))
    assert np.median(angles) < 2.0


def test_normals_of_a_ball_point_out_of_it_towards_the_camera():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(40_000, 3))
    points *= 0.05 / np.linalg.norm(points, axis=1, keepdims=True)
    seen = points[points[:, 2] < -0.01]
    centres, found = normals_of(seen + np.array([0, 0, 0.5]))
    outward = centres - [0, 0, 0.5]
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    assert (found[:, 2] <= 0).all()
    assert np.percentile(np.degrees(np.arccos(np.clip((found * outward).sum(axis=1), -1, 1))), 90) < 10.0


def test_lonely_voxels_have_a_unit_normal():
    for points in (np.array([[0, 0, 0.5]]), np.array([[0, 0, 0.5], [0.3, 0, 0.5]])):
        _, found = normals_of(points)
        assert np.isfinite(found).all()
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)


def test_points_of_a_line_have_a_normal_across_it():
    points = np.column_stack([np.linspace(0, 0.1, 200), np.zeros(200), np.full(200, 0.5)])
    _, found = normals_of(points)
    assert np.abs(found[:, 0]).max() < 1e-3
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)


def test_features_say_occupied_where_and_which_way():
    points = np.array([[0.0012, 0.0025, 0.5040]], dtype=np.float32)  # in the cell from 0, 0, 0.500
    batch = VoxelBatch.of([voxelise(points, 0.005)])
    wanted = torch.tensor([1.0, 2 * (0.24 - 0.5), 0.0, 2 * (0.8 - 0.5)])
    torch.testing.assert_close(batch.features[0, :4], wanted, atol=1e-3, rtol=0)
    torch.testing.assert_close(batch.features[:, 4:], batch.normals)


def test_a_cloud_has_the_same_normals_in_every_batch():
    rng = np.random.default_rng(2)
    clouds = [
        voxelise((rng.normal(size=(300, 3)) * 0.05 + offset).astype(np.float32), 0.005)
        for offset in ([0, 0, 0.5], [0.3, 0.1, 0.9])
    ]
    both = VoxelBatch.of(clouds)
    for index, cloud in enumerate(clouds):
        torch.testing.assert_close(
            both.normals[both.rows(index)], VoxelBatch.of([cloud]).normals, rtol=0, atol=0
        )


def test_in_torch_alone_normals_are_the_same(monkeypatch):
    rng = np.random.default_rng(2)
    points = rng.normal(size=(20_000, 3)) * (0.05, 0.05, 0.002) + (0, 0, 0.5)
    points = np.vstack([points, [0.3, 0, 0.5]])  # and one alone
    _, compiled = normals_of(points)
    monkeypatch.setattr("anygrasp_perception.network.normals._is_compiled", lambda _rows: False)
    _, in_torch = normals_of(points)
    same = np.abs((compiled * in_torch).sum(axis=1))
    assert (same > 0.999).mean() > 0.995  # where two axes are as short as each other rounding decides
    np.testing.assert_allclose(np.linalg.norm(compiled, axis=1), 1.0, atol=1e-5)
