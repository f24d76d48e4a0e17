# SPDX-License-Identifier: Apache-2.0
"""One fault: when it strikes, what it does, how it is undone, and what has to come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from faults.bench import Bench

__all__ = ["GOES_ON", "Fault", "nothing"]

GOES_ON = ""  # the error code of a run that ends by itself


def nothing(bench: Bench) -> None:
    """Undoing that is not needed."""


@dataclass(frozen=True)
class Fault:
    """A fault and what has to come of it.

    `codes` are the error codes with which the run may end; `GOES_ON` among them: it may deal with the fault
    by itself. None: the executor is gone and no result comes.
    """

    group: str
    name: str
    stage: str  # of the run at which it strikes
    inject: Callable[[Bench], object]
    log: str  # regular expression of the line that the log or the run's result must have; "": none
    codes: tuple[str, ...] | None
    undo: Callable[[Bench], object] = nothing  # remove the cause
    requests: tuple[str, ...] = ()  # services that the operator calls after that
    attempts: int = 1  # of the run
    afterwards: str = "move"  # what has to work again: "move", or "look" and move, or a whole "pick"

    @property
    def key(self) -> str:
        """Name for files and for `--only`."""
        return f"{self.group}: {self.name} ({self.stage})"
