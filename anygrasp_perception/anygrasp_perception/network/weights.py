# SPDX-License-Identifier: Apache-2.0
"""Weights on disk: safetensors, which hold arrays and nothing that runs, with the config in their header."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from anygrasp_perception.atomic_files import write_atomically
from anygrasp_perception.network.backbone import SparseUNet
from anygrasp_perception.network.grasp_network import GraspNetwork
from anygrasp_perception.network.minkowski_backend import MinkowskiUNet
from anygrasp_perception.network.network_config import NetworkConfig

__all__ = ["BACKENDS", "WeightsError", "load_network", "save_network"]

FORMAT = "anygrasp-geometry-1"
BACKENDS = ("torch", "minkowski")


class WeightsError(RuntimeError):
    """A weights file that cannot be used; the message names the file and the fix."""


def save_network(network: GraspNetwork, path: Path, notes: dict[str, str] | None = None) -> None:
    """Write an unfolded network, whole or not at all; `notes` go into the header. Raises OSError."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    header = {
        "format": FORMAT,
        "config": json.dumps(dataclasses.asdict(network.config)),
        **(notes or {}),
    }
    write_atomically(path, save(tensors, metadata=header))


def load_network(
    path: Path | str, device: torch.device | str = "cpu", fold: bool = True, backend: str = "torch"
) -> GraspNetwork:
    """Read a network, ready for inference; `fold=False` to train it on.

    The `backend` runs the sparse convolutions: "torch", or "minkowski" where MinkowskiEngine is installed.
    Raises WeightsError when the file is missing, broken, of another kind, or does not fit its own config,
    MinkowskiMissingError, and ValueError on another backend or one that cannot train.
    """
    if backend not in BACKENDS:
        raise ValueError(f"no backend {backend!r}; choose one of {', '.join(BACKENDS)}")
    if backend == "minkowski" and not fold:
        raise ValueError("backend 'minkowski' is for inference only; train with backend 'torch'")
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights; give a file written by `anygrasp-train`")
    try:
        with safe_open(path, framework="pt") as archive:
            header = archive.metadata() or {}
            tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118, no mapping
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path}: not a safetensors file ({error}); copy or train the weights again"
        ) from error
    if header.get("format") != FORMAT:
        raise WeightsError(
            f"{path}: format is {header.get('format')!r}, need {FORMAT!r}: no weights of this network"
        )
    try:
        config = NetworkConfig.from_dict(json.loads(header["config"]))
        network = GraspNetwork(config)
        _check_shapes(network.state_dict(), tensors)
        network.load_state_dict(tensors)
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise WeightsError(
            f"{path}: the weights do not fit their config ({error}); train them again"
        ) from error
    bad = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if bad:
        raise WeightsError(f"{path}: NaN or infinite values in {', '.join(bad[:3])}; train the weights again")
    network = network.to(device)
    if not fold:
        return network
    network.fold()
    if backend == "minkowski" and isinstance(network.backbone, SparseUNet):
        network.backbone = MinkowskiUNet(network.backbone)
    return network


def _check_shapes(wanted: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    """Raise ValueError naming the first of the weights that is missing, superfluous or of another shape."""
    for name in sorted(wanted.keys() | tensors.keys()):
        need, got = (list(group[name].shape) if name in group else "none" for group in (wanted, tensors))
        if need != got:
            raise ValueError(f"{name}: need {need}, got {got}")
