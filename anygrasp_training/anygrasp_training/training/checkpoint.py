# SPDX-License-Identifier: Apache-2.0
"""Checkpoints that survive a kill: network, optimiser and progress in one safetensors file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from anygrasp_perception.atomic_files import write_atomically

__all__ = [
    "CheckpointError",
    "Progress",
    "begin_or_resume",
    "checkpoint_path",
    "load_checkpoint",
    "save_checkpoint",
]

_FORMAT = "anygrasp-checkpoint-1"


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be resumed; the message names the file and the fix."""


@dataclass(frozen=True)
class Progress:
    """How far a run has come."""

    step: int = 0
    elapsed_s: float = 0.0  # of training, over all sessions


def save_checkpoint(
    path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress, config: str
) -> None:
    """Write a checkpoint whole or not at all; `config` of the network is what `load_checkpoint` compares."""
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    names: dict[Tensor, str] = {parameter: name for name, parameter in network.named_parameters()}
    for parameter, state in optimizer.state.items():
        for key, value in state.items():
            tensors[f"optimizer.{key}.{names[parameter]}"] = torch.as_tensor(value)
    header = {
        "format": _FORMAT,
        "config": config,
        "progress": json.dumps({"step": progress.step, "elapsed_s": progress.elapsed_s}),
    }
    content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, save(content, metadata=header))


def load_checkpoint(
    path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, config: str
) -> Progress:
    """Restore network and optimiser in place; returns the progress.

    Raises CheckpointError on a file that is broken or of another config.
    """
    try:
        with safe_open(path, framework="pt") as archive:
            header = archive.metadata() or {}
            tensors: dict[str, Tensor] = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: not a checkpoint ({error}); delete it to start anew") from error
    if header.get("format") != _FORMAT:
        raise CheckpointError(
            f"{path}: format {header.get('format')!r}, need {_FORMAT!r}; delete it to start anew"
        )
    if header.get("config") != config:
        raise CheckpointError(
            f"{path} is of another network: {header.get('config')}; give the same --config or another --out"
        )
    own = "network."
    network.load_state_dict({n.removeprefix(own): t for n, t in tensors.items() if n.startswith(own)})
    parameters = dict(network.named_parameters())
    for name, tensor in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "optimizer":
            key, _, parameter = rest.partition(".")
            optimizer.state[parameters[parameter]][key] = tensor
    return Progress(**json.loads(header["progress"]))


def checkpoint_path(out: Path, resume: bool) -> Path:
    """Where a run in the folder `out` keeps its checkpoint.

    Raises FileExistsError when there is one and `resume` is false.
    """
    path = out / "checkpoint.safetensors"
    if path.is_file() and not resume:
        raise FileExistsError(f"{out} holds a run already; give --resume to go on with it, or another --out")
    return path


def begin_or_resume(
    path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, config: str
) -> Progress:
    """Restore the checkpoint at `path` as `load_checkpoint` does, or begin where there is none."""
    return load_checkpoint(path, network, optimizer, config) if path.is_file() else Progress()
