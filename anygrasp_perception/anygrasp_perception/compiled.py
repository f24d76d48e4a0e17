# SPDX-License-Identifier: Apache-2.0
"""Functions that Numba compiles for this processor at their first call, and the threads they run on.

What is compiled stays on disk for the next process, where it can be written. The functions run without the
interpreter's lock, so plain threads share their work; OpenMP's would spin beside them after every product of
torch's, on cores that are needed here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, TypeVar, cast

from numba import njit

__all__ = ["compiled", "in_parts", "thread_count", "threads"]

_Function = TypeVar("_Function", bound=Callable[..., Any])
# Sums may be fused with products, not reordered: a row has the same result in whatever part it is.
_FAST = {"contract", "nsz"}
_threads = ContextVar("threads", default=1)


def compiled(function: _Function) -> _Function:
    """Compile a function of arrays and numbers at its first call, once for each machine."""
    try:
        return cast(_Function, njit(nogil=True, cache=True, fastmath=_FAST)(function))
    except RuntimeError:  # neither the package's folder nor the user's can be written
        return cast(_Function, njit(nogil=True, fastmath=_FAST)(function))


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let what is compiled, and called within the context, use so many threads; 1 without."""
    token = _threads.set(count)
    try:
        yield
    finally:
        _threads.reset(token)


def thread_count() -> int:
    """How many threads compiled work may use here."""
    return _threads.get()


def in_parts(work: Callable[[int, int], None], count: int, step: int, on_threads: int) -> None:
    """Call `work(start, stop)` for all of 0 to `count`, `step` at a time, on so many threads.

    Raises what `work` raises.
    """
    starts = iter(range(0, count, step))

    def go() -> None:
        for start in starts:  # whoever is free takes the next; the interpreter's lock guards the iterator
            work(start, min(start + step, count))

    helpers = min(on_threads, -(-count // step)) - 1
    others = [_pool().submit(go) for _ in range(helpers)]
    go()
    for other in others:
        other.result()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="compiled")


# A forked process has the pool and none of its threads: without this it would wait for them for ever.
os.register_at_fork(after_in_child=_pool.cache_clear)
