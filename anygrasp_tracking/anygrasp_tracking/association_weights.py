# SPDX-License-Identifier: Apache-2.0
"""Weights of the association network on disk: safetensors with the config in their header."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import torch

from anygrasp_perception.network.weights import fill_module, fitting_weights, read_weights, save_weights
from anygrasp_tracking.association_config import AssociationNetworkConfig
from anygrasp_tracking.association_network import AssociationNetwork

__all__ = [
    "geometry_digest",
    "load_association",
    "read_header",
    "save_association",
    "shipped_association_weights",
]

FORMAT = "anygrasp-association-1"
_COMMAND = "anygrasp-train association"


def shipped_association_weights() -> Path:
    """Path of the weights that come with the package."""
    return Path(__file__).parent / "weights" / "association_slim.safetensors"


def geometry_digest(weights: Path | str) -> str:
    """SHA-256 of a geometry weights file: features of others, of the same sizes too, mean something else."""
    return hashlib.sha256(Path(weights).read_bytes()).hexdigest()


def save_association(network: AssociationNetwork, path: Path, notes: dict[str, str] | None = None) -> None:
    """Write a network, whole or not at all; `notes` go into the header. Raises OSError."""
    save_weights(network, FORMAT, dataclasses.asdict(network.config), path, notes)


def read_header(path: Path | str) -> dict[str, str]:
    """The header of a weights file: format, config and notes. Raises WeightsError as `read_weights` does."""
    return read_weights(path, FORMAT, _COMMAND)[0]


def load_association(path: Path | str, device: torch.device | str = "cpu") -> AssociationNetwork:
    """Read a network, ready for inference.

    Raises WeightsError when the file is missing, broken, of another kind, or does not fit its own config.
    """
    header, tensors = read_weights(path, FORMAT, _COMMAND)
    with fitting_weights(path):
        network = AssociationNetwork(AssociationNetworkConfig.from_dict(json.loads(header["config"])))
        fill_module(network, tensors)
    return network.to(device).eval()
