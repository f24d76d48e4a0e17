# SPDX-License-Identifier: Apache-2.0
"""Success rates, picks per hour and decision time of a run, per category (paper V-C, Table I)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anygrasp_perception.atomic_files import write_atomically
from robot_drivers.report.attribution import AttemptOutcome
from robot_drivers.report.ground_truth import CellSnapshot, Place, bin_entries

__all__ = ["CategoryStatistics", "RunReport", "build_report"]

_PAPER_CATEGORIES = ("hardware", "snack", "ragdoll", "toy", "household")  # rows of Table I


@dataclass(frozen=True)
class CategoryStatistics:
    """What was achieved on the objects of one category, or on all."""

    attempts: int  # but for those that a stop or a lost device interrupted
    successes: int  # attempts that brought an object into the bin
    objects: int | None  # on the plate at the start; None: unknown
    cleared: int  # objects that ended in the bin
    picks_per_hour: float | None  # successes over ROS-clock time; None without attempts
    decision_ms: float | None  # mean wall time, image to chosen grasp; None without attempts

    @property
    def attempt_success_rate(self) -> float | None:
        """Attempt-centric success rate, 0 to 1 (paper V-C); None without attempts."""
        return self.successes / self.attempts if self.attempts else None

    @property
    def object_success_rate(self) -> float | None:
        """Object-centric success rate, 0 to 1 (paper V-C); None without objects."""
        return self.cleared / self.objects if self.objects else None

    def as_dict(self) -> dict[str, float | int | None]:
        """Plain numbers for JSON."""
        return {
            "attempts": self.attempts,
            "successes": self.successes,
            "objects": self.objects,
            "cleared": self.cleared,
            "picks_per_hour": self.picks_per_hour,
            "decision_ms": self.decision_ms,
            "attempt_success_rate": self.attempt_success_rate,
            "object_success_rate": self.object_success_rate,
        }


@dataclass(frozen=True)
class RunReport:
    """The statistics of one run."""

    run: Mapping[str, Any]  # how it was set up and how it ended, plain values for JSON
    total: CategoryStatistics
    categories: Mapping[str, CategoryStatistics]

    def as_dict(self) -> dict[str, Any]:
        """`run`, `total` and one entry a category."""
        rows = {name: statistics.as_dict() for name, statistics in self.categories.items()}
        return {"run": dict(self.run), "total": self.total.as_dict(), **rows}

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all.

        Raises:
            OSError: the folder is missing or not writable.
        """
        write_atomically(path, (json.dumps(self.as_dict(), indent=2, allow_nan=False) + "\n").encode())


def build_report(
    outcomes: Sequence[AttemptOutcome],
    duration_s: float,
    history: Sequence[CellSnapshot] = (),
    run: Mapping[str, Any] | None = None,
) -> RunReport:
    """Statistics of the judged attempts of a run of `duration_s` ROS-clock seconds.

    Picks per hour of the total are over the whole run, those of a category over the time spent on it.
    `run` is what else the report should tell (seed, detector, ...).
    """
    counted = [outcome for outcome in outcomes if not outcome.interrupted]
    entered = bin_entries(history)
    category_of = {
        state.name: state.category
        for state in (history[0].objects if history else ())
        if state.place is not Place.IN_BIN
    }
    cycles_s = dict(zip(map(id, outcomes), _cycles(outcomes), strict=True))

    def statistics_of(category: str) -> CategoryStatistics:
        names = {name for name, its_category in category_of.items() if its_category == category}
        own = [outcome for outcome in counted if outcome.category == category]
        return _statistics(
            own,
            sum(cycles_s[id(outcome)] for outcome in own),
            len(names) if history else None,
            len(names & entered.keys()) if history else _successes(own),
        )

    found = set(category_of.values()) | {outcome.category for outcome in counted}
    return RunReport(
        run={
            **(run or {}),
            "duration_s": duration_s,
            "interrupted": len(outcomes) - len(counted),
            "failures": dict(Counter(outcome.failure for outcome in outcomes if not outcome.success)),
        },
        total=_statistics(
            counted,
            duration_s,
            len(category_of) if history else None,
            len(entered) if history else _successes(counted),
        ),
        categories={category: statistics_of(category) for category in sorted(found, key=_paper_order)},
    )


def _statistics(
    outcomes: Sequence[AttemptOutcome], time_s: float, objects: int | None, cleared: int
) -> CategoryStatistics:
    successes = _successes(outcomes)
    decisions_s = [outcome.record.decision_s for outcome in outcomes]
    return CategoryStatistics(
        attempts=len(outcomes),
        successes=successes,
        objects=objects,
        cleared=cleared,
        picks_per_hour=3600.0 * successes / time_s if outcomes and time_s > 0.0 else None,
        decision_ms=1000.0 * sum(decisions_s) / len(decisions_s) if decisions_s else None,
    )


def _successes(outcomes: Sequence[AttemptOutcome]) -> int:
    return sum(outcome.success for outcome in outcomes)


def _cycles(outcomes: Sequence[AttemptOutcome]) -> list[float]:
    """ROS-clock seconds that each attempt took, looking for it included."""
    cycles_s: list[float] = []
    end_s: float | None = None
    for record in (outcome.record for outcome in outcomes):
        begin_s = record.started_s - record.stages_s.get("perceive", 0.0) if end_s is None else end_s
        end_s = record.ended_s
        cycles_s.append(end_s - begin_s)
    return cycles_s


def _paper_order(category: str) -> tuple[int, str]:
    """Table I's order, unknown categories behind it."""
    known = category in _PAPER_CATEGORIES
    return (_PAPER_CATEGORIES.index(category) if known else len(_PAPER_CATEGORIES), category)
