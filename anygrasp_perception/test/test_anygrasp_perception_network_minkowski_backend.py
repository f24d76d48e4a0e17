# SPDX-License-Identifier: Apache-2.0
import sys

import numpy as np
import pytest
import torch

from anygrasp_perception.network import NETWORK_CONFIGS, GraspNetwork, load_network, save_network
from anygrasp_perception.network.minkowski_backend import (
    MinkowskiMissingError,
    MinkowskiUNet,
    import_minkowski,
)
from anygrasp_perception.network.voxel_cloud import VoxelBatch, voxelise

CONFIG = NETWORK_CONFIGS["debug"]


@pytest.fixture
def path(tmp_path):
    torch.manual_seed(0)
    network = GraspNetwork(CONFIG)
    for name, buffer in network.named_buffers():
        if "running" in name:
            buffer.uniform_(0.5, 1.5)
    save_network(network, tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


@pytest.fixture
def engine():
    try:
        return import_minkowski()
    except MinkowskiMissingError as error:
        pytest.skip(str(error))


def make_batch():
    rng = np.random.default_rng(0)
    clouds = [
        rng.uniform((-0.1, -0.1, 0.5), (0.1, 0.1, 0.52), (3000, 3)).astype(np.float32) for _ in range(2)
    ]
    return VoxelBatch.of([voxelise(cloud, CONFIG.voxel_m) for cloud in clouds])


def test_both_backends_compute_the_same(path, engine):
    ours, theirs = load_network(path), load_network(path, backend="minkowski")
    assert isinstance(theirs.backbone, MinkowskiUNet)
    batch = make_batch()
    with torch.inference_mode():
        for one, other in zip(ours.encode(batch), theirs.encode(batch), strict=True):
            torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-4)


def test_in_float64_they_agree_to_the_last_digits(path, engine):
    ours = load_network(path).double()
    theirs = MinkowskiUNet(ours.backbone).double()
    batch = make_batch()
    with torch.inference_mode():
        x = batch.features.double()
        torch.testing.assert_close(
            theirs(x, batch.level), ours.backbone(x, batch.level), rtol=1e-9, atol=1e-9
        )


def test_without_the_engine_the_error_tells_how_to_get_it(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "MinkowskiEngine", None)
    with pytest.raises(MinkowskiMissingError, match=r"docs/minkowski\.md.*backend 'torch'"):
        load_network(path, backend="minkowski")


def test_backends_are_named(path):
    with pytest.raises(ValueError, match="'cuda'; choose one of torch, minkowski"):
        load_network(path, backend="cuda")


def test_the_engine_does_not_train(path):
    with pytest.raises(ValueError, match="inference only"):
        load_network(path, backend="minkowski", fold=False)


def test_an_unfolded_network_is_refused(engine):
    with pytest.raises(ValueError, match=r"call fold\(\) first"):
        MinkowskiUNet(GraspNetwork(CONFIG).backbone)
