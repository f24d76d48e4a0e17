# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from anygrasp_perception.network import (
    NETWORK_CONFIGS,
    GraspNetwork,
    WeightsError,
    load_network,
    save_network,
)
from anygrasp_perception.network.voxel_cloud import VoxelBatch, voxelise
from anygrasp_perception.network.weights import FORMAT

DEBUG = NETWORK_CONFIGS["debug"]


@pytest.fixture
def network():
    torch.manual_seed(0)
    return GraspNetwork(DEBUG)


@pytest.fixture
def path(network, tmp_path):
    save_network(network, tmp_path / "net.safetensors", {"hours": "0"})
    return tmp_path / "net.safetensors"


def write(path, tensors, config=None, kind=FORMAT):
    header = {"format": kind, "config": config or json.dumps(dataclasses.asdict(DEBUG))}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata=header)
    return path


def test_what_was_saved_is_loaded(network, path):
    loaded = load_network(path, fold=False)
    assert loaded.config == DEBUG
    for name, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, network.state_dict()[name])


def test_a_missing_file_names_the_command_that_writes_one(tmp_path):
    with pytest.raises(WeightsError, match=r"nowhere.safetensors: no such weights.*anygrasp-train"):
        load_network(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_file_asks_for_another_copy(path, share):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(WeightsError, match="copy or train the weights again"):
        load_network(path)


def test_a_pickle_is_not_opened(network, tmp_path):
    torch.save(network.state_dict(), tmp_path / "net.pth")
    with pytest.raises(WeightsError, match="not a safetensors file"):
        load_network(tmp_path / "net.pth")


def test_weights_of_something_else(tmp_path, network):
    save_file({"layer": torch.zeros(3)}, tmp_path / "foreign.safetensors")
    with pytest.raises(WeightsError, match=f"format is None, need '{FORMAT}'"):
        load_network(tmp_path / "foreign.safetensors")
    with pytest.raises(WeightsError, match="no weights of this network"):
        load_network(write(tmp_path / "other.safetensors", network.state_dict(), kind="anygrasp-tracking-1"))


@pytest.mark.parametrize(
    "config",
    [
        json.dumps(dataclasses.asdict(NETWORK_CONFIGS["slim"])),
        json.dumps(dataclasses.asdict(DEBUG) | {"colour": 3}),
        json.dumps(dataclasses.asdict(DEBUG) | {"stem_channels": "eight"}),
        json.dumps(dataclasses.asdict(DEBUG) | {"encoder_channels": [8, 8]}),
        "{",
    ],
    ids=["sizes", "unknown name", "type", "stages", "no json"],
)
def test_a_config_that_does_not_fit(tmp_path, network, config):
    with pytest.raises(WeightsError, match=r"do not fit their config.{,500}train them again"):
        load_network(write(tmp_path / "net.safetensors", network.state_dict(), config))


def test_a_layer_that_is_not_there(tmp_path, network):
    tensors = network.state_dict()
    del tensors["crop_head.out.bias"]
    with pytest.raises(WeightsError, match=r"crop_head\.out\.bias: need \[132\], got none"):
        load_network(write(tmp_path / "net.safetensors", tensors))


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_values_that_are_no_numbers(tmp_path, network, value):
    tensors = network.state_dict()
    tensors["backbone.stem.weight"][5, 1, 2] = value
    with pytest.raises(WeightsError, match=r"NaN or infinite values in backbone\.stem\.weight"):
        load_network(write(tmp_path / "net.safetensors", tensors))


def test_bfloat16_computes_nearly_the_same_and_gives_float32(network, path):
    points = np.random.default_rng(0).uniform(-0.05, 0.05, (3000, 3)).astype(np.float32)
    batch = VoxelBatch.of([voxelise(points, DEBUG.voxel_m)])
    with torch.inference_mode():
        exact, coarse = (load_network(path, precision=p).encode(batch) for p in ("float32", "bfloat16"))
    for ours, theirs in zip(coarse, exact, strict=True):
        assert ours.dtype == torch.float32
        assert 0 < (ours - theirs).norm() < 0.05 * theirs.norm()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"precision": "float8"}, "no precision 'float8'; choose one of float32, bfloat16"),
        ({"precision": "bfloat16", "fold": False}, "inference with backend 'torch' only"),
        ({"precision": "bfloat16", "backend": "minkowski"}, "inference with backend 'torch' only"),
    ],
)
def test_a_precision_that_cannot_be(path, asked, message):
    with pytest.raises(ValueError, match=message):
        load_network(path, **asked)
