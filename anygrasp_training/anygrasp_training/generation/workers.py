# SPDX-License-Identifier: Apache-2.0
"""Runs independent jobs on the cores of this machine (loky) or on a Dask cluster, through joblib."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import joblib

from anygrasp_training.generation.spent import peak_memory_bytes

__all__ = ["BACKENDS", "Workers"]

BACKENDS = ("loky", "dask")


@dataclass(frozen=True)
class Workers:
    """Who does the work. On a cluster all workers must see the dataset folder under the same path."""

    jobs: int = 1  # processes on this machine; a cluster uses the workers it has
    backend: str = BACKENDS[0]
    scheduler: str | None = None  # address of the Dask scheduler, tcp://host:8786
    scheduler_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise ValueError(f"jobs must be 1 or more, got {self.jobs}")
        if self.backend not in BACKENDS:
            raise ValueError(f"unknown backend {self.backend!r}; choose of {', '.join(BACKENDS)}")
        if (self.backend == "dask") != (self.scheduler is not None):
            raise ValueError(
                "the dask backend needs the address of its scheduler and no other backend takes one: "
                "--backend dask --scheduler tcp://HOST:8786"
            )

    def run(self, job: Callable[[int], None], numbers: Sequence[int]) -> Iterator[int]:
        """Run `job(number)` for each number, in any order; as each is done, yield the peak memory in bytes of
        the process that did it, 0 where the system does not tell.

        The first error ends it. Raises RuntimeError when the cluster cannot be reached.
        """
        with self._backend():
            parallel = joblib.Parallel(return_as="generator_unordered")
            yield from parallel(joblib.delayed(_run_one)(job, number) for number in numbers)

    @contextmanager
    def _backend(self) -> Iterator[None]:
        if self.backend == "loky":
            # One thread a process: two that share two cores are slower than none.
            limits: dict[str, Any] = {"inner_max_num_threads": 1} if self.jobs > 1 else {}
            with joblib.parallel_config(backend="loky", n_jobs=self.jobs, **limits):
                yield
            return
        with (
            _dask_client(str(self.scheduler), self.scheduler_timeout_s),
            joblib.parallel_config(backend="dask"),
        ):
            yield


def _run_one(job: Callable[[int], None], number: int) -> int:
    job(number)
    return peak_memory_bytes()


@contextmanager
def _dask_client(scheduler: str, timeout_s: float) -> Iterator[None]:
    try:
        from distributed import Client
    except ImportError as error:
        raise RuntimeError("the dask backend needs: pip install 'anygrasp_training[dask]'") from error
    try:
        client = Client(scheduler, timeout=timeout_s)
    except (OSError, ValueError) as error:
        raise RuntimeError(
            f"no Dask scheduler at {scheduler}: {error}; start one, `dask scheduler`"
        ) from error
    with client:
        yield
