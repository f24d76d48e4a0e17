# SPDX-License-Identifier: Apache-2.0
"""Matrix products of many row counts at the speed of few: the core of the sparse convolutions on a CPU.

oneDNN is more than twice as fast as MKL on recent AMD processors, but builds a primitive for each new
number of rows; so products are cut into chunks whose sizes repeat.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

__all__ = [
    "CHUNK_ROWS",
    "fast_float32",
    "matmul_rows",
    "padded_rows",
    "scratch",
    "weight_gradient",
]

CHUNK_ROWS = 2048
_BUCKET_ROWS = 256
_ACCURACY = 1e-5  # relative error that products in the fast mode must stay below to be used
_local = threading.local()
_mode_lock = threading.Lock()
_mode_users = 0  # threads inside `fast_float32`: the first switches it on, the last one off
_mode_before = "none"


@dataclass(frozen=True, eq=False)
class _Buffer:
    memory: Tensor
    views: dict[tuple[int, int], Tensor]  # by rows and columns; to make one takes as long as a small product


def padded_rows(count: int) -> int:
    """Return the number of rows, `count` or a little more, whose products are prepared already."""
    step = 16 if count <= 64 else 64 if count <= 512 else _BUCKET_ROWS
    return -(-count // step) * step


def scratch(name: str, rows: int, columns: int, like: Tensor) -> Tensor:
    """Return a (rows, columns) tensor with anything in it, the same memory at each call of a thread."""
    store: dict[object, _Buffer] = _local.__dict__.setdefault("buffers", {})
    key = (name, like.dtype, like.device)
    buffer = store.get(key)
    if buffer is None or buffer.memory.numel() < rows * columns:
        with torch.inference_mode(False):  # training may use it next
            memory = torch.empty(rows * columns * 5 // 4, dtype=like.dtype, device=like.device)
        buffer = store[key] = _Buffer(memory, {})
    view = buffer.views.get((rows, columns))
    if view is None:
        with torch.inference_mode(False):
            view = buffer.views[rows, columns] = buffer.memory[: rows * columns].view(rows, columns)
    return view


def matmul_rows(x: Tensor, weight: Tensor) -> Tensor:
    """Return x (N, I) times weight (I, O); without gradients of its own."""
    if x.is_cuda:
        return x @ weight
    out = x.new_empty(x.shape[0], weight.shape[1])
    for start in range(0, x.shape[0], CHUNK_ROWS):
        part = x[start : start + CHUNK_ROWS]
        count, rows = part.shape[0], padded_rows(part.shape[0])
        if rows == count:
            torch.mm(part, weight, out=out[start : start + count])
            continue
        padded = scratch("matmul_in", rows, x.shape[1], x)
        padded[:count] = part
        product = scratch("matmul_out", rows, weight.shape[1], x)
        torch.mm(padded, weight, out=product)
        out[start : start + count] = product[:count]
    return out


def weight_gradient(x: Tensor, gradient: Tensor) -> Tensor:
    """Return x (N, I) transposed times gradient (N, O)."""
    if x.is_cuda:
        return x.t() @ gradient
    out = x.new_zeros(x.shape[1], gradient.shape[1])
    for start in range(0, x.shape[0], CHUNK_ROWS):
        part, part_gradient = x[start : start + CHUNK_ROWS], gradient[start : start + CHUNK_ROWS]
        count, rows = part.shape[0], padded_rows(part.shape[0])
        if rows != count:
            part = _zero_padded("gradient_in", part, rows)
            part_gradient = _zero_padded("gradient_out", part_gradient, rows)
        out.addmm_(part.t(), part_gradient)
    return out


def _zero_padded(name: str, x: Tensor, rows: int) -> Tensor:
    padded = scratch(name, rows, x.shape[1], x)
    padded[: x.shape[0]] = x
    padded[x.shape[0] :] = 0
    return padded


@contextmanager
def fast_float32() -> Iterator[bool]:
    """Let float32 products run in oneDNN where that is accurate; yields whether they do.

    The switch allows bfloat16. Processors on which oneDNN takes that offer are found by a test product, and
    left alone. It is global to the process, so the last thread that leaves puts it back.
    """
    switch = getattr(getattr(torch.backends, "mkldnn", None), "matmul", None)
    if switch is None or not hasattr(switch, "fp32_precision") or not _is_accurate():
        yield False
        return
    global _mode_users, _mode_before
    with _mode_lock:
        if _mode_users == 0:
            _mode_before = switch.fp32_precision
            switch.fp32_precision = "bf16"
        _mode_users += 1
    try:
        yield True
    finally:
        with _mode_lock:
            _mode_users -= 1
            if _mode_users == 0:
                switch.fp32_precision = _mode_before


@cache
def _is_accurate() -> bool:
    """Whether a product in the fast mode is a float32 product."""
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(256, 192, generator=generator)
    right = torch.randn(192, 64, generator=generator)
    exact = left.double() @ right.double()
    switch = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = switch.fp32_precision
    switch.fp32_precision = "bf16"
    try:
        error = (left @ right - exact).norm() / exact.norm()
    finally:
        switch.fp32_precision = before
    return bool(error < _ACCURACY)
