# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from anygrasp_perception.network.voxel_cloud import VoxelBatch, VoxelCloud, voxelise

VOXEL_M = 0.005


def test_points_of_a_cube_become_their_mean():
    points = np.array(
        [[0.001, 0.002, 0.5012], [0.003, 0.004, 0.5014], [0.006, 0.001, 0.501]], dtype=np.float32
    )
    cloud = voxelise(points, VOXEL_M)
    np.testing.assert_array_equal(cloud.cells, [[0, 0, 0], [1, 0, 0]])
    np.testing.assert_allclose(cloud.points, [[0.002, 0.003, 0.5013], [0.006, 0.001, 0.501]], atol=1e-6)
    np.testing.assert_array_equal(cloud.of_point, [0, 0, 1])


@pytest.mark.parametrize("seed", range(2))
def test_every_point_lies_in_its_voxel(seed):
    points = np.random.default_rng(seed).uniform(-0.3, 0.3, (5000, 3)).astype(np.float32)
    cloud = voxelise(points, VOXEL_M)
    cells = np.floor(points / np.float32(VOXEL_M)).astype(int)
    np.testing.assert_array_equal(cloud.cells[cloud.of_point], cells - cells.min(axis=0))
    assert len(np.unique(cloud.cells, axis=0)) == len(cloud)
    order = np.lexsort(cloud.cells.T[::-1])
    np.testing.assert_array_equal(order, np.arange(len(cloud)))  # sorted, as the network keeps them


def test_one_point_and_identical_points():
    for count in (1, 1000):
        cloud = voxelise(np.full((count, 3), 0.3, dtype=np.float32), VOXEL_M)
        assert len(cloud) == 1
        np.testing.assert_allclose(cloud.points, [[0.3, 0.3, 0.3]], atol=1e-6)


def test_points_a_kilometre_away():
    points = np.array([[0, 0, 0.5], [1000, -1000, 1000], [0, 0, 0.5]], dtype=np.float32)
    cloud = voxelise(points, VOXEL_M)
    np.testing.assert_array_equal(cloud.of_point[[0, 2]], cloud.of_point[0])
    (block,) = VoxelBatch.of([cloud]).level.blocks(3)
    assert [chunk.offset for chunk in block.chunks] == [13]  # each with itself alone


def test_points_too_far_apart_are_refused():
    points = np.array([[0, 0, 0], [1e9, 1e9, 1e9]], dtype=np.float32)
    with pytest.raises(ValueError, match="drop far-away points"):
        voxelise(points, VOXEL_M)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_points_that_are_no_numbers_are_refused(bad):
    points = np.zeros((3, 3), dtype=np.float32)
    points[1, 2] = bad
    with pytest.raises(ValueError, match="1 of 3 points"):
        voxelise(points, VOXEL_M)


def test_no_points():
    with pytest.raises(ValueError, match="nothing was measured"):
        voxelise(np.empty((0, 3), dtype=np.float32), VOXEL_M)


def test_two_million_points():
    rng = np.random.default_rng(0)
    points = rng.uniform((-0.3, -0.3, 0.5), (0.3, 0.3, 0.52), (2_000_000, 3)).astype(np.float32)
    cloud = voxelise(points, VOXEL_M, 15_000, rng)
    assert len(cloud) == 15_000
    left_out = cloud.of_point < 0
    assert 0 < left_out.sum() < len(points)
    np.testing.assert_allclose(points[~left_out], cloud.points[cloud.of_point[~left_out]], atol=VOXEL_M)


def test_too_many_voxels_need_luck():
    points = np.random.default_rng(0).uniform(-1, 1, (100, 3)).astype(np.float32)
    with pytest.raises(ValueError, match="give an rng"):
        voxelise(points, VOXEL_M, 10)


def test_a_batch_keeps_clouds_apart_and_rows_in_order():
    rng = np.random.default_rng(0)
    clouds = [voxelise(rng.uniform(-0.1, 0.1, (300, 3)).astype(np.float32), VOXEL_M) for _ in range(2)]
    batch = VoxelBatch.of(clouds)
    for index, cloud in enumerate(clouds):
        rows = batch.rows(index)
        np.testing.assert_array_equal(batch.points[rows], cloud.points)
        np.testing.assert_array_equal(batch.level.coordinates[rows, 1:], cloud.cells)
        assert (batch.level.coordinates[rows, 0] == index).all()
    assert batch.features.abs().max() <= 1.0001


@pytest.mark.parametrize("offset", range(6))
def test_a_flat_table_is_one_layer_of_larger_voxels_wherever_it_lies(offset):
    x, y = np.meshgrid(np.arange(40), np.arange(40))
    # One layer of voxels, two above each other in places: as noise makes of a plane.
    z = 7 + offset + ((x + y) % 3 == 0)
    far = (0, 0, 1)  # where the lowest voxel lies changes nothing
    cells = np.vstack([far, np.stack([x, y, z], axis=-1).reshape(-1, 3)])
    cloud = VoxelCloud(cells.astype(np.float32) * 0.005, cells, np.arange(len(cells)), 0.005)
    level = VoxelBatch.of([cloud]).level
    assert len(level.down.level) == 400 + 1
    assert len(level) == len(cells)
