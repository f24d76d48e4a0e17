# SPDX-License-Identifier: Apache-2.0
"""Training on several processes started by torchrun: who am I, and the mean of everyone's gradients."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_reduce

from anygrasp_perception.network.layers import NormalisedLayer

__all__ = ["ProcessGroup", "SharedBatchNorm", "process_group", "share_batch_statistics"]


@dataclass(frozen=True)
class ProcessGroup:
    """The processes of one run."""

    rank: int = 0
    world: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and logs."""
        return self.rank == 0

    def average_gradients(self, network: nn.Module) -> None:
        """Replace each gradient by its mean over the processes: that of one process with all their clouds."""
        if self.world == 1:
            return
        parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        flat = torch.cat([parameter.grad.flatten() for parameter in parameters if parameter.grad is not None])
        distributed.all_reduce(flat)
        flat /= self.world
        start = 0
        for parameter in parameters:
            count = parameter.numel()
            assert parameter.grad is not None
            parameter.grad.copy_(flat[start : start + count].view_as(parameter))
            start += count

    def average_statistics(self, network: nn.Module) -> None:
        """Replace the running statistics by their means: each process saw its own clouds' cylinders."""
        if self.world == 1:
            return
        for buffer in network.buffers():
            if buffer.is_floating_point():
                distributed.all_reduce(buffer)
                buffer /= self.world

    def agree(self, value: float) -> float:
        """Return process 0's value in all processes."""
        if self.world == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64)
        distributed.broadcast(shared, src=0)
        return float(shared[0])

    def wait(self) -> None:
        """Wait for all processes."""
        if self.world > 1:
            distributed.barrier()


class SharedBatchNorm(nn.BatchNorm1d):
    """Batch normalisation by the statistics of all processes' rows; torch's own works on GPUs only."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C)."""
        if not self.training:
            return super().forward(x)
        # In two passes: the difference of a mean of squares and a squared mean has lost its digits.
        sums = all_reduce(torch.cat([x.sum(dim=0), x.new_tensor([float(len(x))])]))  # type: ignore[no-untyped-call]
        count = sums[-1]
        mean = sums[:-1] / count
        centred = x - mean
        variance = all_reduce((centred * centred).sum(dim=0)) / count  # type: ignore[no-untyped-call]
        with torch.no_grad():
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            self.num_batches_tracked += 1
            rate = 0.1 if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean, rate)
            self.running_var.lerp_(variance * count / (count - 1), rate)
        normalised: Tensor = centred * torch.rsqrt(variance + self.eps)
        return normalised * self.weight + self.bias


def share_batch_statistics(network: nn.Module) -> None:
    """Exchange the batch normalisations of a module for shared ones; names and values of the weights stay."""
    for layer in network.modules():
        if isinstance(layer, NormalisedLayer) and layer.norm is not None:
            shared = SharedBatchNorm(layer.norm.num_features)
            shared.load_state_dict(layer.norm.state_dict())
            layer.norm = shared


@contextmanager
def process_group() -> Iterator[ProcessGroup]:
    """Join the processes that torchrun started; one alone without torchrun."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield ProcessGroup()
        return
    distributed.init_process_group("gloo")
    try:
        yield ProcessGroup(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
