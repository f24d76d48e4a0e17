# SPDX-License-Identifier: Apache-2.0
"""Wall time by stage, as it travels with every result."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["timed"]


@contextmanager
def timed(durations_s: dict[str, float], stage: str) -> Iterator[None]:
    """Record the seconds spent inside under the stage's name."""
    start = time.perf_counter()
    yield
    durations_s[stage] = time.perf_counter() - start
