# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from anygrasp_perception.network import voxel_level
from anygrasp_perception.network.matmul import CHUNK_ROWS
from anygrasp_perception.network.voxel_level import VoxelLevel, kernel_offsets


def random_coordinates(count=400, edge=9, seed=0):
    generator = torch.Generator().manual_seed(seed)
    batch = torch.randint(2, (count, 1), generator=generator)
    return torch.unique(torch.cat([batch, torch.randint(edge, (count, 3), generator=generator)], 1), dim=0)


def pairs_of(level, kernel):
    return {
        (chunk.offset, source, target)
        for block in level.blocks(kernel)
        for chunk in block.chunks
        for source, target in zip(chunk.source.tolist(), chunk.target.tolist(), strict=True)
    }


@pytest.mark.parametrize("kernel", [3, 5])
def test_neighbours_are_those_at_the_offsets(kernel):
    level = VoxelLevel(random_coordinates())
    rows = {tuple(voxel): row for row, voxel in enumerate(level.coordinates.tolist())}
    expected = [
        [rows.get((b, x + dx, y + dy, z + dz), len(level)) for b, x, y, z in level.coordinates.tolist()]
        for dx, dy, dz in kernel_offsets(kernel).tolist()
    ]
    assert level.neighbours(kernel).tolist() == expected


@pytest.mark.parametrize("kernel", [3, 5])
def test_a_search_finds_what_the_table_holds(kernel, monkeypatch):
    coordinates = random_coordinates()
    table = VoxelLevel(coordinates)
    by_table = table.neighbours(kernel), pairs_of(table, kernel)
    monkeypatch.setattr(voxel_level, "_TABLE_VOXELS", 0)
    searched = VoxelLevel(coordinates)
    assert torch.equal(searched.neighbours(kernel), by_table[0])
    assert pairs_of(searched, kernel) == by_table[1]


@pytest.fixture(params=[7, 64, 10**6])
def block_rows(request, monkeypatch):
    monkeypatch.setattr(voxel_level, "_BLOCK_ROWS", request.param)
    return request.param


def test_pairs_are_the_neighbours(block_rows):
    level = VoxelLevel(random_coordinates())
    neighbours = level.neighbours(3)
    expected = {
        (offset, int(neighbours[offset, row]), row)
        for offset, row in (neighbours < len(level)).nonzero().tolist()
    }
    assert pairs_of(level, 3) == expected
    chunks = [chunk for block in level.blocks(3) for chunk in block.chunks]
    assert sum(len(chunk.source) for chunk in chunks) == len(expected)


def test_a_target_finds_the_products_of_its_pairs(block_rows, monkeypatch):
    monkeypatch.setattr(voxel_level, "CHUNK_ROWS", 32)
    monkeypatch.setattr(voxel_level, "padded_rows", lambda count: -(-count // 8) * 8)
    level = VoxelLevel(random_coordinates())
    targets = []
    for block in level.blocks(3):
        owner = torch.full((block.rows,), -1)
        for chunk in block.chunks:
            assert (owner[chunk.start : chunk.start + chunk.rows] == -1).all()  # chunks do not overlap
            owner[chunk.start : chunk.start + len(chunk.target)] = chunk.target
        sizes = torch.diff(block.bags, append=torch.tensor([len(block.products)]))
        expected = torch.repeat_interleave(torch.arange(len(sizes)) + len(targets), sizes)
        assert torch.equal(owner[block.products], expected)
        assert len(block.products.unique()) == len(block.products) == int((owner >= 0).sum())
        targets += range(len(targets), len(targets) + len(sizes))
    assert targets == list(range(len(level)))


def test_chunks_stay_small_and_are_padded():
    cube = torch.cartesian_prod(torch.tensor([0]), *[torch.arange(14)] * 3)
    chunks = [chunk for block in VoxelLevel(cube).blocks(3) for chunk in block.chunks]
    assert all(len(chunk.source) <= chunk.rows <= CHUNK_ROWS for chunk in chunks)
    assert len(chunks) > 27


def test_clouds_of_a_batch_are_no_neighbours():
    level = VoxelLevel(torch.tensor([[0, 3, 3, 3], [1, 0, 0, 0], [1, 3, 3, 3]]))
    assert pairs_of(level, 5) == {(62, row, row) for row in range(3)}


def test_large_voxels_hold_the_eight_small_ones():
    level = VoxelLevel(random_coordinates())
    large, slot = level.down.level, level.down.slot
    owner, octant = slot // 8, slot % 8
    corner = torch.stack([octant >> 2, octant >> 1 & 1, octant & 1], dim=1)
    assert torch.equal(large.coordinates[owner][:, 1:] * 2 + corner, level.coordinates[:, 1:])
    assert torch.equal(large.coordinates[owner][:, 0], level.coordinates[:, 0])
    assert torch.equal(torch.unique(large.coordinates, dim=0), large.coordinates)


def test_sorts_what_comes_unsorted():
    coordinates = random_coordinates()
    shuffled = coordinates[torch.randperm(len(coordinates), generator=torch.Generator().manual_seed(1))]
    level, order = VoxelLevel.of(shuffled)
    assert torch.equal(level.coordinates, coordinates)
    assert torch.equal(shuffled[order], coordinates)


def test_a_box_that_has_no_numbers_is_refused():
    with pytest.raises(ValueError, match="drop far-away points"):
        VoxelLevel(torch.tensor([[0, 0, 0, 0], [0, 2**21, 2**21, 2**21]]))
