# SPDX-License-Identifier: Apache-2.0
"""Detectors by name, and what is said about weights that cannot be used."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file
from tiny_network import tiny_network

from anygrasp_perception.detector import DetectorError
from anygrasp_perception.detectors import DEFAULT_DETECTOR, create_detector
from anygrasp_perception.network import save_network


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_network(tiny_network(), path)
    return path


def test_the_default_needs_no_weights_and_the_network_takes_them(weights):
    assert create_detector().name == DEFAULT_DETECTOR
    assert create_detector("network", weights).name == "network"


def test_the_geometric_detector_needs_nothing_and_takes_no_weights(weights):
    assert create_detector("geometric").name == "geometric"
    with pytest.raises(ValueError, match="no use for weights"):
        create_detector("geometric", weights)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="choose one of geometric, network"):
        create_detector("psychic")


def test_device_that_is_not_there(weights):
    with pytest.raises(DetectorError, match="'abacus' cannot be used"):
        create_detector("network", weights, device="abacus")


def missing(folder, whole):
    return folder / "nowhere.safetensors"


def folder_instead_of_a_file(folder, whole):
    return folder


def empty(folder, whole):
    (folder / "empty.safetensors").touch()
    return folder / "empty.safetensors"


def cut_short(folder, whole):
    (folder / "half.safetensors").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    return folder / "half.safetensors"


def noise(folder, whole):
    (folder / "noise.safetensors").write_bytes(bytes(range(256)) * 40)
    return folder / "noise.safetensors"


def pickled_checkpoint(folder, whole):
    torch.save({"model": torch.zeros(3)}, folder / "checkpoint.tar")
    return folder / "checkpoint.tar"


def of_another_network(folder, whole):
    save_file({"conv1.weight": torch.zeros(3, 3)}, folder / "foreign.safetensors", metadata={"format": "pt"})
    return folder / "foreign.safetensors"


def resaved(folder, change, tensors=None):
    """Weights of the tiny network with another header."""
    network = tiny_network()
    save_network(network, folder / "good.safetensors")
    content = (folder / "good.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])["__metadata__"]
    change(header)
    path = folder / "changed.safetensors"
    save_file(tensors or dict(network.state_dict()), path, metadata=header)
    return path


def config_that_does_not_fit(folder, whole):
    def change(header):
        header["config"] = json.dumps(json.loads(header["config"]) | {"feature_channels": 24})

    return resaved(folder, change)


def config_of_unknown_fields(folder, whole):
    def change(header):
        header["config"] = json.dumps({"colour": "blue"})

    return resaved(folder, change)


def config_that_is_no_json(folder, whole):
    return resaved(folder, lambda header: header.update(config="slim"))


def with_nan(folder, whole):
    tensors = dict(tiny_network().state_dict())
    tensors["point_head.out.bias"] = torch.full((3,), torch.nan)
    return resaved(folder, lambda header: None, tensors)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (missing, "no such weights"),
        (folder_instead_of_a_file, "no such weights"),
        (empty, "not a safetensors file"),
        (cut_short, "not a safetensors file"),
        (noise, "not a safetensors file"),
        (pickled_checkpoint, "not a safetensors file"),
        (of_another_network, "no weights of this network"),
        (config_that_does_not_fit, "do not fit their config"),
        (config_of_unknown_fields, "do not fit their config"),
        (config_that_is_no_json, "do not fit their config"),
        (with_nan, "NaN or infinite values in point_head.out.bias"),
    ],
)
def test_weights_that_cannot_be_used_are_a_clear_error(tmp_path, weights, make, words):
    path = make(tmp_path, weights)
    with pytest.raises(DetectorError, match=words) as caught:
        create_detector("network", path)
    assert str(path) in str(caught.value)


def test_who_does_not_ask_for_the_network_does_not_wait_for_torch():
    code = (
        "import sys; from anygrasp_perception import cli, detectors;"
        "detectors.create_detector('geometric'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0
