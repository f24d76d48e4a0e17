# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from torch.autograd import gradcheck
from torch.nn import functional

from anygrasp_perception.network import sparse_ops
from anygrasp_perception.network.matmul import CHUNK_ROWS
from anygrasp_perception.network.sparse_ops import downsample, linear_rows, submanifold_conv, upsample
from anygrasp_perception.network.voxel_level import VoxelLevel

EDGE = 9  # odd: the last voxels have no partner in the level below


def random_level(edge=EDGE, share=0.4, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    occupied = torch.rand(batch, edge, edge, edge, generator=generator) < share
    occupied[:, -1, -1, -1] = True
    return VoxelLevel(occupied.nonzero())


def random_tensors(*shapes, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


def dense(x, level, edge):
    """Put rows on a grid (B, C, edge, edge, edge), differentiably."""
    batch, *xyz = level.coordinates.T
    grid = x.new_zeros(int(batch.max()) + 1, edge, edge, edge, x.shape[1])
    return grid.index_put((batch, *xyz), x).permute(0, 4, 1, 2, 3)


def at_voxels(grid, level):
    batch, *xyz = level.coordinates.T
    return grid.permute(0, 2, 3, 4, 1)[(batch, *xyz)]


def dense_weight(weight):
    """(kernel^3, I, O) as conv3d takes it: (O, I, kernel, kernel, kernel)."""
    kernel = round(weight.shape[0] ** (1 / 3))
    return weight.view(kernel, kernel, kernel, *weight.shape[1:]).permute(4, 3, 0, 1, 2)


def dense_submanifold(x, weight, level, kernel, edge=EDGE):
    return at_voxels(
        functional.conv3d(dense(x, level, edge), dense_weight(weight), padding=kernel // 2), level
    )


def dense_downsample(x, weight, level):
    return at_voxels(
        functional.conv3d(dense(x, level, EDGE + 1), dense_weight(weight), stride=2), level.down.level
    )


def dense_upsample(x, weight, level):
    grid = dense(x, level.down.level, (EDGE + 1) // 2)
    up = functional.conv_transpose3d(grid, dense_weight(weight).transpose(0, 1), stride=2)
    return at_voxels(up, level)


def assert_same_with_gradients(ours, reference, x, weight):
    x, weight = x.requires_grad_(), weight.requires_grad_()
    result, wanted = ours(x, weight), reference(x, weight)
    torch.testing.assert_close(result, wanted)
    (pull,) = random_tensors(result.shape, seed=2)
    for got, expected in zip(
        torch.autograd.grad(result, (x, weight), pull),
        torch.autograd.grad(wanted, (x, weight), pull),
        strict=True,
    ):
        torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("inputs", [4, 12])  # all neighbours at once, and pair by pair
@pytest.mark.parametrize("on_grid", [True, False])
def test_submanifold_convolution_is_conv3d_at_the_voxels(kernel, inputs, on_grid, monkeypatch):
    if not on_grid:
        monkeypatch.setattr(sparse_ops, "_GRID_NUMBERS", 0)
    level = random_level()
    x, weight = random_tensors((len(level), inputs), (kernel**3, inputs, 5))
    assert_same_with_gradients(
        lambda x, weight: submanifold_conv(x, weight, level, kernel),
        lambda x, weight: dense_submanifold(x, weight, level, kernel),
        x,
        weight,
    )


@pytest.mark.parametrize("inputs", [4, 12])
def test_more_pairs_than_a_chunk_holds(inputs):
    edge = 14
    level = random_level(edge, share=0.95, batch=1)
    assert len(level) > CHUNK_ROWS
    x, weight = random_tensors((len(level), inputs), (27, inputs, 5))
    assert_same_with_gradients(
        lambda x, weight: submanifold_conv(x, weight, level, 3),
        lambda x, weight: dense_submanifold(x, weight, level, 3, edge),
        x,
        weight,
    )


def test_downsampling_is_conv3d_with_stride_2():
    level = random_level(share=0.1)
    x, weight = random_tensors((len(level), 6), (8, 6, 5))
    assert_same_with_gradients(
        lambda x, weight: downsample(x, weight, level.down),
        lambda x, weight: dense_downsample(x, weight, level),
        x,
        weight,
    )


def test_upsampling_is_conv_transpose3d_with_stride_2():
    level = random_level(share=0.1)
    x, weight = random_tensors((len(level.down.level), 6), (8, 6, 5))
    assert_same_with_gradients(
        lambda x, weight: upsample(x, weight, level.down),
        lambda x, weight: dense_upsample(x, weight, level),
        x,
        weight,
    )


@pytest.mark.parametrize("count", [1, 16, 65, CHUNK_ROWS, CHUNK_ROWS + 1])
def test_rows_times_a_matrix(count):
    x, weight = random_tensors((count, 6), (6, 5))
    assert_same_with_gradients(linear_rows, torch.matmul, x, weight)


def test_gradients_agree_with_differences():
    level = random_level(4)
    below = level.down.level
    x, deep, narrow, thick, wide = (
        tensor.requires_grad_()
        for tensor in random_tensors(
            (len(level), 9), (len(below), 9), (27, 3, 2), (27, 9, 2), (8, 9, 2), seed=3
        )
    )
    assert gradcheck(lambda x, w: submanifold_conv(x[:, :3], w, level, 3), (x, narrow), fast_mode=True)
    assert gradcheck(lambda x, w: submanifold_conv(x, w, level, 3), (x, thick), fast_mode=True)
    assert gradcheck(lambda x, w: downsample(x, w, level.down), (x, wide), fast_mode=True)
    assert gradcheck(lambda x, w: upsample(x, w, level.down), (deep, wide), fast_mode=True)
    assert gradcheck(lambda x, w: linear_rows(x, w[0]), (x, wide), fast_mode=True)


def test_a_lone_voxel_has_no_neighbours():
    level = VoxelLevel(torch.tensor([[0, 5, 3, 1]]))
    x, weight = random_tensors((1, 12), (27, 12, 5))
    torch.testing.assert_close(submanifold_conv(x, weight, level, 3), x @ weight[13])
