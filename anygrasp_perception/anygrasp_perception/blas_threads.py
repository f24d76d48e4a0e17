# SPDX-License-Identifier: Apache-2.0
"""Keeps NumPy's and SciPy's matrix products on one thread.

The products of a detection are small: on two cores a second BLAS thread made no stage shorter, added two
thirds to the CPU time of a decision, since it spins between two products, and fought with torch's threads.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import scipy.linalg  # noqa: F401  # loads SciPy's BLAS; the controller finds only what is loaded
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

__all__ = ["one_blas_thread"]


def one_blas_thread() -> AbstractContextManager[Any]:
    """BLAS computes on one thread within the context, in all threads of the process; then as before."""
    context: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return context


@cache  # looking the libraries up takes some milliseconds
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
