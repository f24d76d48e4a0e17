# SPDX-License-Identifier: Apache-2.0
"""The compiled products are those of torch, whatever the sizes, the pairs and the number of threads."""

import numpy as np
import pytest
import torch

from anygrasp_perception import compiled
from anygrasp_perception.network import layers, sparse_ops
from anygrasp_perception.network.backbone import SparseUNet
from anygrasp_perception.network.network_config import INPUT_CHANNELS, NETWORK_CONFIGS
from anygrasp_perception.network.row_pairs import neighbour_pairs, one_to_one, pairs_of
from anygrasp_perception.network.row_products import is_compiled, linear, row_products
from anygrasp_perception.network.voxel_level import VoxelLevel


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def dense_products(x, weight, table, bias=None, added=None, activate=False):
    padded = torch.cat([x, x.new_zeros(1, x.shape[1])]).double()
    out = torch.einsum("kni,kio->no", padded[torch.from_numpy(table)], weight.double())
    for more in (bias, added):
        out = out if more is None else out + more
    return (out.relu() if activate else out).float()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("matrices", "rows_in", "rows_out", "inputs", "outputs"),
    [
        (1, 1, 1, 1, 8),
        (27, 700, 700, 32, 48),
        (8, 90, 300, 5, 16),
        (125, 1300, 1300, 7, 32),
        (2, 9, 2500, 96, 72),
    ],
)
def test_products_are_those_of_torch(matrices, rows_in, rows_out, inputs, outputs, threads):
    generator = torch.Generator().manual_seed(matrices)
    x = torch.randn(rows_in, inputs, generator=generator)
    weight = torch.randn(matrices, inputs, outputs, generator=generator)
    bias, added = (
        torch.randn(outputs, generator=generator),
        torch.randn(rows_out, outputs, generator=generator),
    )
    rng = np.random.default_rng(matrices)
    table = np.minimum(rng.integers(0, 3 * rows_in, (matrices, rows_out)), rows_in)  # two in three are none
    pairs = pairs_of(table, rows_in)
    with compiled.threads(threads):
        for activate in (False, True):
            got = row_products(x, weight, pairs, bias, added, activate)
            wanted = dense_products(x, weight, table, bias, added, activate)
            torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-4)
        torch.testing.assert_close(
            row_products(x, weight, pairs), dense_products(x, weight, table), rtol=1e-5, atol=1e-4
        )


def test_the_number_of_threads_changes_nothing():
    x, weight = torch.randn(3000, 24), torch.randn(27, 24, 16)
    pairs = pairs_of(np.random.default_rng(0).integers(0, 6000, (27, 3000)).clip(max=3000), 3000)
    alone = row_products(x, weight, pairs)
    with compiled.threads(4):
        torch.testing.assert_close(row_products(x, weight, pairs), alone, rtol=0, atol=0)


def test_no_rows_give_no_rows():
    assert row_products(torch.zeros(0, 4), torch.ones(1, 4, 8), one_to_one(0)).shape == (0, 8)


@pytest.mark.parametrize("box", [None, 0])  # by a table, and by search
def test_neighbours_found_are_those_of_the_table(box, monkeypatch):
    if box is not None:
        monkeypatch.setattr("anygrasp_perception.network.row_pairs._TABLE_VOXELS", box)
    cells = torch.unique(torch.randint(0, 9, (400, 3), generator=torch.Generator().manual_seed(1)), dim=0)
    level, _ = VoxelLevel.of(torch.cat([torch.zeros(len(cells), 1, dtype=torch.int64), cells], dim=1))
    for kernel in (3, 5):
        pairs = neighbour_pairs(level.keys.numpy(), level.shifts(kernel).numpy(), level.box_voxels)
        table, found = level.neighbours(kernel).numpy(), np.full((kernel**3, len(level)), len(level))
        for part in pairs.parts:
            matrix = np.repeat(np.arange(len(part.bounds) - 1), np.diff(part.bounds)) % kernel**3
            found[matrix, part.targets] = part.sources
        np.testing.assert_array_equal(found, table)


@pytest.mark.parametrize("which", ["x", "weight", "bias", "added"])
def test_shapes_that_do_not_fit_are_told_and_nothing_is_read(which):
    tensors = {
        "x": torch.ones(4, 6),
        "weight": torch.ones(2, 6, 8),
        "bias": torch.ones(8),
        "added": torch.ones(4, 8),
    }
    tensors[which] = tensors[which][:-1]
    with pytest.raises(ValueError, match=f"{which} must be"):
        row_products(pairs=pairs_of(np.zeros((2, 4), dtype=np.int64), 4), **tensors)


def test_what_is_not_compiled():
    x, weight = torch.ones(2, 4), torch.ones(1, 4, 8)
    assert is_compiled(x, weight)
    assert not is_compiled(x.double(), weight.double())
    assert not is_compiled(x.bfloat16(), weight.bfloat16())
    assert not is_compiled(x, torch.ones(1, 4, 9))
    with torch.enable_grad():
        assert not is_compiled(x, weight)


def test_a_convolution_is_the_same_in_torch_alone(monkeypatch):
    cells = torch.unique(torch.randint(0, 12, (900, 3), generator=torch.Generator().manual_seed(2)), dim=0)
    level, _ = VoxelLevel.of(torch.cat([torch.zeros(len(cells), 1, dtype=torch.int64), cells], dim=1))
    x, weight = torch.randn(len(level), 16), torch.randn(27, 16, 24)
    compiled_result = sparse_ops.submanifold_conv(x, weight, level, 3)
    monkeypatch.setattr(sparse_ops, "is_compiled", lambda *_: False)
    torch.testing.assert_close(
        compiled_result, sparse_ops.submanifold_conv(x, weight, level, 3), rtol=1e-5, atol=1e-4
    )


@pytest.mark.parametrize("outputs", [3, 8, 300])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activate", [True, False])
def test_a_linear_layer_of_any_width_is_that_of_torch(outputs, bias, activate, monkeypatch):
    layer, x = torch.nn.Linear(20, outputs, bias), torch.randn(70, 20)
    wanted = layer(x).relu() if activate else layer(x)
    torch.testing.assert_close(linear(layer, x, activate), wanted, rtol=1e-5, atol=1e-5)
    monkeypatch.setattr("anygrasp_perception.network.row_products._WORTH_A_THREAD", 0)
    with compiled.threads(2):
        torch.testing.assert_close(linear(layer, x, activate), wanted, rtol=1e-5, atol=1e-5)


def test_a_linear_layer_with_gradients_has_them():
    layer = torch.nn.Linear(4, 8)
    with torch.enable_grad():
        linear(layer, torch.ones(2, 4), activate=True).sum().backward()
    assert layer.weight.grad is not None


def test_the_whole_backbone_is_that_of_torch(monkeypatch):
    torch.manual_seed(3)
    backbone = SparseUNet(NETWORK_CONFIGS["debug"]).eval()
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm1d):  # as after training
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    cells = torch.unique(torch.randint(0, 20, (1500, 3), generator=torch.Generator().manual_seed(4)), dim=0)
    level, _ = VoxelLevel.of(torch.cat([torch.zeros(len(cells), 1, dtype=torch.int64), cells], dim=1))
    x = torch.randn(len(level), INPUT_CHANNELS)
    in_torch = backbone(x, level)
    for module in backbone.modules():
        if isinstance(module, layers.NormalisedLayer):
            module.fold()
    called = []
    monkeypatch.setattr(layers, "row_products", lambda *a, **k: called.append(1) or row_products(*a, **k))
    torch.testing.assert_close(backbone(x, level), in_torch, rtol=1e-4, atol=1e-4)
    assert len(called) > 20
