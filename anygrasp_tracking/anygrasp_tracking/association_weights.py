# SPDX-License-Identifier: Apache-2.0
"""Weights of the association network on disk: safetensors with the config in their header."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from anygrasp_perception.atomic_files import write_atomically
from anygrasp_perception.network.weights import WeightsError
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


def shipped_association_weights() -> Path:
    """Path of the weights that come with the package."""
    return Path(__file__).parent / "weights" / "association_slim.safetensors"


def geometry_digest(weights: Path | str) -> str:
    """SHA-256 of a geometry weights file: features of others, of the same sizes too, mean something else."""
    return hashlib.sha256(Path(weights).read_bytes()).hexdigest()


def save_association(network: AssociationNetwork, path: Path, notes: dict[str, str] | None = None) -> None:
    """Write a network, whole or not at all; `notes` go into the header. Raises OSError."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    header = {"format": FORMAT, "config": json.dumps(dataclasses.asdict(network.config)), **(notes or {})}
    write_atomically(path, save(tensors, metadata=header))


def read_header(path: Path | str) -> dict[str, str]:
    """The header of a weights file: format, config and notes.

    Raises WeightsError when the file is missing, broken, or of another kind.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights; give a file written by `anygrasp-train association`")
    try:
        with safe_open(path, framework="pt") as archive:
            header: dict[str, str] = archive.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path}: not a safetensors file ({error}); copy or train the weights again"
        ) from error
    if header.get("format") != FORMAT:
        raise WeightsError(
            f"{path}: format is {header.get('format')!r}, need {FORMAT!r}: no association weights"
        )
    return header


def load_association(path: Path | str, device: torch.device | str = "cpu") -> AssociationNetwork:
    """Read a network, ready for inference.

    Raises WeightsError when the file is missing, broken, of another kind, or does not fit its own config.
    """
    header = read_header(path)
    try:
        with safe_open(path, framework="pt") as archive:
            tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118, no mapping
        network = AssociationNetwork(AssociationNetworkConfig.from_dict(json.loads(header["config"])))
        network.load_state_dict(tensors)
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise WeightsError(
            f"{path}: the weights do not fit their config ({reason}); train them again"
        ) from error
    bad = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if bad:
        raise WeightsError(f"{path}: NaN or infinite values in {', '.join(bad[:3])}; train the weights again")
    return network.to(device).eval()
