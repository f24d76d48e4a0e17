# SPDX-License-Identifier: Apache-2.0
"""The compiled PointNet is that of torch, and what is repeated in a group changes nothing."""

from itertools import pairwise

import pytest
import torch

from anygrasp_perception import compiled
from anygrasp_perception.network.pooled_layers import pooled_layers, pools_compiled


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def layers(*widths):
    generator = torch.Generator().manual_seed(sum(widths))
    weights = [torch.randn(a, b, generator=generator) / a**0.5 for a, b in pairwise(widths)]
    return weights, [torch.randn(width, generator=generator) for width in widths[1:]]


def in_torch(x, weights, biases, table=None, rows=None):
    for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        x = x @ weight + bias
        if number == 0 and table is not None:
            x = x + table[rows]
        x = x.relu()
    return x.amax(dim=1)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("groups", "samples", "widths"),
    [(1, 1, (3, 8)), (70, 64, (8, 64, 64, 128)), (40, 25, (6, 24, 40)), (3, 24, (5, 16))],
)
def test_layers_are_those_of_torch(groups, samples, widths, threads):
    generator = torch.Generator().manual_seed(groups)
    x = torch.randn(groups, samples, widths[0], generator=generator)
    weights, biases = layers(*widths)
    table = torch.randn(30, widths[1], generator=generator)
    rows = torch.randint(0, 30, (groups, samples), generator=generator)
    with compiled.threads(threads):
        torch.testing.assert_close(pooled_layers(x, weights, biases), in_torch(x, weights, biases))
        torch.testing.assert_close(
            pooled_layers(x, weights, biases, table, rows), in_torch(x, weights, biases, table, rows)
        )


def test_repeated_points_and_those_behind_the_count_are_passed_over():
    weights, biases = layers(4, 16, 8)
    x = torch.randn(5, 10, 4)
    twice = x.repeat_interleave(3, dim=1)
    torch.testing.assert_close(pooled_layers(twice, weights, biases), pooled_layers(x, weights, biases))
    counts = torch.tensor([1, 2, 5, 9, 10])
    for group, count in enumerate(counts):
        torch.testing.assert_close(
            pooled_layers(x, weights, biases, counts=counts)[group],
            in_torch(x[group : group + 1, :count], weights, biases)[0],
        )


def test_no_groups_give_no_rows():
    assert pooled_layers(torch.zeros(0, 6, 4), *layers(4, 8)).shape == (0, 8)


def test_what_does_not_fit_is_told_and_nothing_is_read():
    weights, biases = layers(4, 16, 8)
    x, table, rows = torch.zeros(2, 3, 4), torch.zeros(5, 16), torch.zeros(2, 3, dtype=torch.int64)
    with pytest.raises(ValueError, match="does not take 5 channels"):
        pooled_layers(torch.zeros(2, 3, 5), weights, biases)
    with pytest.raises(ValueError, match="go together"):
        pooled_layers(x, weights, biases, table)
    with pytest.raises(ValueError, match=r"rows must be in \[0, 5\), got 0 to 5"):
        pooled_layers(x, weights, biases, table, rows + torch.tensor([[0, 0, 5], [0, 0, 0]]))
    with pytest.raises(ValueError, match="do not fit x"):
        pooled_layers(x, weights, biases, table, rows[:1])
    with pytest.raises(ValueError, match="counts must be 2 numbers up to 3"):
        pooled_layers(x, weights, biases, counts=torch.tensor([1, 4]))


def test_what_is_not_compiled():
    weights, _ = layers(4, 16)
    x = torch.zeros(2, 3, 4)
    assert pools_compiled(x, weights)
    assert not pools_compiled(x.double(), weights)
    assert not pools_compiled(x, layers(4, 12)[0])
    with torch.enable_grad():
        assert not pools_compiled(x, weights)
