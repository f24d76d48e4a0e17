# SPDX-License-Identifier: Apache-2.0
"""Success per kind of fish, causes of failure and times of a series of trials (paper, Fig. 10 and 12)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anygrasp_perception.atomic_files import write_atomically
from robot_drivers.report.catch_attribution import CatchCause, CatchOutcome

__all__ = [
    "PAPER_CAUSES",
    "CatchReport",
    "KindStatistics",
    "TrialSummary",
    "build_catch_report",
    "format_catch_table",
]

PAPER_CAUSES = (
    CatchCause.SLIP,
    CatchCause.AHEAD,
    CatchCause.BAD_GRASP,
    CatchCause.BEHIND,
    CatchCause.SWITCH,
)


@dataclass(frozen=True)
class KindStatistics:
    """Attempts at one kind of fish, or at all."""

    attempts: int
    catches: int

    @property
    def success_rate(self) -> float | None:
        """Attempt-centric success rate, 0 to 1 (paper V-C); None without attempts."""
        return self.catches / self.attempts if self.attempts else None


@dataclass(frozen=True, eq=False)
class TrialSummary:
    """One trial: what is needed of it for the report."""

    seed: int
    outcomes: Sequence[CatchOutcome]
    fish: int  # in the tank at the start
    duration_s: float  # simulated
    counts: Mapping[str, int]  # frames, and recoveries by reason
    error: str = ""  # why it ended early


@dataclass(frozen=True, eq=False)
class CatchReport:
    """The statistics of a series of trials."""

    run: Mapping[str, Any]  # how it was set up, plain values for JSON
    trials: Sequence[TrialSummary]

    @property
    def outcomes(self) -> list[CatchOutcome]:
        """Of all trials, but for attempts that a stop or a lost device ended."""
        every = [outcome for trial in self.trials for outcome in trial.outcomes]
        return [outcome for outcome in every if outcome.cause is not CatchCause.INTERRUPTED]

    @property
    def total(self) -> KindStatistics:
        """All attempts."""
        return _statistics(self.outcomes)

    @property
    def kinds(self) -> dict[str, KindStatistics]:
        """By kind of fish, in alphabetical order."""
        names = sorted({outcome.kind for outcome in self.outcomes})
        return {name: _statistics([o for o in self.outcomes if o.kind == name]) for name in names}

    @property
    def causes(self) -> dict[str, int]:
        """Failures by cause: the paper's five, in its order, then others that occurred."""
        counts = Counter(outcome.cause for outcome in self.outcomes if outcome.cause is not None)
        order = [*PAPER_CAUSES, *(cause for cause in counts if cause not in PAPER_CAUSES)]
        return {cause.value: counts[cause] for cause in order}

    @property
    def tracking_s(self) -> float | None:
        """Mean time from selection to grasping, seconds, of the successful attempts; None without any."""
        times = [outcome.record.tracking_s for outcome in self.outcomes if outcome.success]
        return float(np.mean(times)) if times else None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        fish = sum(trial.fish for trial in self.trials)
        return {
            "run": dict(self.run),
            "total": _plain(self.total),
            "fish": fish,
            "caught_share": self.total.catches / fish if fish else None,
            "kinds": {name: _plain(kind) for name, kind in self.kinds.items()},
            "failures": self.causes,
            "tracking_s": self.tracking_s,
            "trials": [
                {
                    "seed": trial.seed,
                    "fish": trial.fish,
                    **_plain(_statistics(trial.outcomes)),
                    "duration_s": trial.duration_s,
                    "counts": dict(trial.counts),
                    "error": trial.error,
                    "attempts_list": [
                        {
                            "fish": outcome.fish,
                            "success": outcome.success,
                            "cause": outcome.cause.value if outcome.cause else None,
                            "tracking_s": outcome.record.tracking_s,
                            "offset_m": outcome.offset_m,
                        }
                        for outcome in trial.outcomes
                    ],
                }
                for trial in self.trials
            ],
        }

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all.

        Raises:
            OSError: the folder is missing or not writable.
        """
        write_atomically(path, (json.dumps(self.as_dict(), indent=2, allow_nan=False) + "\n").encode())


def build_catch_report(trials: Sequence[TrialSummary], run: Mapping[str, Any]) -> CatchReport:
    """The report of some trials; `run` is what else it should tell (policy, detector, ...)."""
    return CatchReport(dict(run), list(trials))


def format_catch_table(report: CatchReport) -> str:
    """Success per kind of fish, then failures by cause, as text."""
    rows = [(name.capitalize(), kind) for name, kind in report.kinds.items()]
    rows.append(("All", report.total))
    lines = [f"{'Fish':<12} {'Caught':>18}", "-" * 31]
    lines += [f"{name:<12} {_rate(kind.catches, kind.attempts):>18}" for name, kind in rows]
    failures = sum(report.causes.values())
    lines += ["", f"{'Failure':<12} {'Attempts':>18}", "-" * 31]
    for cause, count in report.causes.items():
        lines.append(f"{cause.replace('_', ' ').capitalize():<12} {_rate(count, failures):>18}")
    lines.append("")
    if report.tracking_s is not None:
        lines.append(f"Selection to grasp, successful attempts: {report.tracking_s:.2f} s on average")
    fish = sum(trial.fish for trial in report.trials)
    lines.append(f"{len(report.trials)} trials, {report.total.catches} of {fish} fish caught")
    return "\n".join(lines)


def _statistics(outcomes: Sequence[CatchOutcome]) -> KindStatistics:
    counted = [outcome for outcome in outcomes if outcome.cause is not CatchCause.INTERRUPTED]
    return KindStatistics(len(counted), sum(outcome.success for outcome in counted))


def _plain(kind: KindStatistics) -> dict[str, float | int | None]:
    return {"attempts": kind.attempts, "catches": kind.catches, "success_rate": kind.success_rate}


def _rate(part: int, whole: int) -> str:
    return f"{part:3d} /{whole:3d}  {100.0 * part / whole:5.1f} %" if whole else "-"
