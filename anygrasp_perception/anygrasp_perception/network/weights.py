# SPDX-License-Identifier: Apache-2.0
"""Weights on disk: safetensors, which hold arrays and nothing that runs, with the config in their header."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from anygrasp_perception.atomic_files import write_atomically
from anygrasp_perception.network.backbone import SparseUNet
from anygrasp_perception.network.grasp_network import GraspNetwork
from anygrasp_perception.network.minkowski_backend import MinkowskiUNet
from anygrasp_perception.network.network_config import NetworkConfig
from anygrasp_perception.network.verifier import GraspVerifier, VerifierConfig

__all__ = [
    "BACKENDS",
    "PRECISIONS",
    "WeightsError",
    "fill_module",
    "fitting_weights",
    "load_network",
    "load_verifier",
    "read_weights",
    "save_network",
    "save_verifier",
    "save_weights",
]

FORMAT = "anygrasp-geometry-1"
VERIFIER_FORMAT = "anygrasp-verifier-1"
BACKENDS = ("torch", "minkowski")
PRECISIONS = ("float32", "bfloat16")


class WeightsError(RuntimeError):
    """A weights file that cannot be used; the message names the file and the fix."""


def save_network(network: GraspNetwork, path: Path, notes: dict[str, str] | None = None) -> None:
    """Write an unfolded network, whole or not at all; `notes` go into the header. Raises OSError."""
    save_weights(network, FORMAT, dataclasses.asdict(network.config), path, notes)


def save_verifier(verifier: GraspVerifier, path: Path, notes: dict[str, str] | None = None) -> None:
    """Write a verifier as `save_network` does a network."""
    save_weights(verifier, VERIFIER_FORMAT, dataclasses.asdict(verifier.config), path, notes)


def load_verifier(path: Path | str, device: torch.device | str = "cpu") -> GraspVerifier:
    """Read a verifier, ready for inference. Raises WeightsError as `load_network` does."""
    header, tensors = read_weights(path, VERIFIER_FORMAT, "anygrasp-train verifier")
    with fitting_weights(path):
        verifier = GraspVerifier(VerifierConfig.from_dict(json.loads(header["config"])))
        fill_module(verifier, tensors)
    return verifier.to(device).eval()


def load_network(
    path: Path | str,
    device: torch.device | str = "cpu",
    fold: bool = True,
    backend: str = "torch",
    precision: str = "float32",
) -> GraspNetwork:
    """Read a network, ready for inference; `fold=False` to train it on.

    The `backend` runs the sparse convolutions: "torch", or "minkowski" where MinkowskiEngine is installed.
    `precision` is theirs: "float32", or "bfloat16" with the backend torch (`GraspNetwork.reduce_precision`).
    Raises WeightsError when the file is missing, broken, of another kind, or does not fit its own config,
    MinkowskiMissingError, and ValueError on another backend or precision or one that cannot train.
    """
    if backend not in BACKENDS:
        raise ValueError(f"no backend {backend!r}; choose one of {', '.join(BACKENDS)}")
    if backend == "minkowski" and not fold:
        raise ValueError("backend 'minkowski' is for inference only; train with backend 'torch'")
    if precision not in PRECISIONS:
        raise ValueError(f"no precision {precision!r}; choose one of {', '.join(PRECISIONS)}")
    if precision == "bfloat16" and (backend != "torch" or not fold):
        raise ValueError("precision 'bfloat16' is for inference with backend 'torch' only")
    header, tensors = read_weights(path, FORMAT, "anygrasp-train geometry")
    with fitting_weights(path):
        network = GraspNetwork(NetworkConfig.from_dict(json.loads(header["config"])))
        fill_module(network, tensors)
    network = network.to(device)
    if not fold:
        return network
    network.fold()
    if backend == "minkowski" and isinstance(network.backbone, SparseUNet):
        network.backbone = MinkowskiUNet(network.backbone)
    return network.reduce_precision() if precision == "bfloat16" else network


def read_weights(path: Path | str, wanted: str, command: str) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return header and tensors of a file of the format `wanted`, which `command` writes.

    Raises WeightsError when it is missing, broken, of another kind, or holds NaN or infinite values.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights; give a file written by `{command}`")
    try:
        with safe_open(path, framework="pt") as archive:
            header = archive.metadata() or {}
            tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118, no mapping
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path}: not a safetensors file ({error}); copy or train the weights again"
        ) from error
    if header.get("format") != wanted:
        raise WeightsError(
            f"{path}: format is {header.get('format')!r}, need {wanted!r}: no weights of this network"
        )
    bad = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if bad:
        raise WeightsError(f"{path}: NaN or infinite values in {', '.join(bad[:3])}; train the weights again")
    return header, tensors


@contextmanager
def fitting_weights(path: Path | str) -> Iterator[None]:
    """Raise WeightsError, with the file's name, when its tensors do not fit its config."""
    try:
        yield
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise WeightsError(
            f"{path}: the weights do not fit their config ({reason}); train them again"
        ) from error


def fill_module(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Load tensors into a module; raises ValueError naming the first that is not of its shape."""
    _check_shapes(module.state_dict(), tensors)
    module.load_state_dict(tensors)


def save_weights(
    module: nn.Module, kind: str, config: dict[str, object], path: Path, notes: dict[str, str] | None
) -> None:
    """Write a module of the format `kind`, whole or not at all; config and notes go into the header."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    header = {"format": kind, "config": json.dumps(config), **(notes or {})}
    write_atomically(path, save(tensors, metadata=header))


def _check_shapes(wanted: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    """Raise ValueError naming the first of the weights that is missing, superfluous or of another shape."""
    for name in sorted(wanted.keys() | tensors.keys()):
        need, got = (list(group[name].shape) if name in group else "none" for group in (wanted, tensors))
        if need != got:
            raise ValueError(f"{name}: need {need}, got {got}")
