# SPDX-License-Identifier: Apache-2.0
"""Runs trials of fish catching in lock-step, prints the tables and writes the report."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from anygrasp_perception.arrays import Uint8Array
from robot_drivers.dynamic_grasping.catch_config import catching_with
from robot_drivers.dynamic_grasping.catch_executor import without_prediction
from robot_drivers.fish_trials.contact_sheet import save_catch_sheet
from robot_drivers.fish_trials.lock_step import Trial, TrialConfig, run_trial
from robot_drivers.report.catch_attribution import CatchOutcome, judge_catches
from robot_drivers.report.catch_statistics import (
    CatchReport,
    TrialSummary,
    build_catch_report,
    format_catch_table,
)

__all__ = ["TrialSeries", "run_series"]


@dataclass(frozen=True)
class TrialSeries:
    """Some trials on seeds one after the other. Raises ValueError on counts below 1."""

    trials: int = 5  # paper VI-B
    seed: int = 0  # of the first
    policy: str = "association"
    prediction: bool = True
    detector: str = "network"
    fish: int = 8  # in the tank at first (paper VI-B)
    max_attempts: int = 16  # in one trial

    def __post_init__(self) -> None:
        if min(self.trials, self.max_attempts) < 1 or self.seed < 0:
            raise ValueError(
                f"trials {self.trials} and max_attempts {self.max_attempts} must be at least 1, "
                f"seed {self.seed} at least 0"
            )

    def config(self, index: int) -> TrialConfig:
        """Of trial `index`, from 0."""
        base = TrialConfig(policy=self.policy, detector=self.detector, catching=catching_with(self.policy))
        cell = replace(base.cell, fish=replace(base.cell.fish, count=self.fish))
        catching = base.catching if self.prediction else without_prediction(base.catching)
        limits = replace(base.limits, max_attempts=self.max_attempts)
        return replace(base, cell=cell, catching=catching, limits=limits).seeded(self.seed + index)


def run_series(series: TrialSeries, report_path: Path | None = None) -> CatchReport:
    """Run the trials, print how they go, and write report and contact sheet after each.

    The sheet is `report_path` with the ending .png.

    Raises:
        RenderingUnavailable: no OpenGL on this machine.
        OSError: the report's folder is missing or not writable.
    """
    logging.getLogger("OpenGL").setLevel(logging.WARNING)
    summaries: list[TrialSummary] = []
    pictures: list[tuple[CatchOutcome, Uint8Array]] = []
    run = {
        "policy": series.policy,
        "prediction": series.prediction,
        "detector": series.detector,
        "decision_s": series.config(0).decision_s,
        "simulated": True,
    }
    for index in range(series.trials):
        began_s = time.perf_counter()
        trial = run_trial(series.config(index))
        outcomes = judge_catches(trial.result.records, trial.history)
        summaries.append(_summary(series, trial, outcomes))
        pictures += list(zip(outcomes, trial.pictures, strict=False))
        _print_trial(index, trial, outcomes, time.perf_counter() - began_s)
        report = build_catch_report(summaries, run)
        if report_path is not None:
            report.save(report_path)
            if pictures:
                title = f"fish catching, {series.policy}, prediction {'on' if series.prediction else 'off'}"
                save_catch_sheet(report_path.with_suffix(".png"), pictures, title)
    print(f"\n{format_catch_table(report)}")
    return report


def _summary(series: TrialSeries, trial: Trial, outcomes: Sequence[CatchOutcome]) -> TrialSummary:
    return TrialSummary(
        seed=trial.seed,
        outcomes=outcomes,
        fish=series.fish,
        duration_s=trial.result.duration_s,
        counts=trial.result.counts,
        error=trial.result.error_msg,
    )


def _print_trial(index: int, trial: Trial, outcomes: Sequence[CatchOutcome], wall_s: float) -> None:
    for outcome in outcomes:
        verdict = "caught" if outcome.cause is None else outcome.cause.value.replace("_", " ")
        print(
            f"trial {index + 1} (seed {trial.seed}), attempt {outcome.record.attempt}: {outcome.fish}, "
            f"{verdict}, {outcome.record.tracking_s:.1f} s"
        )
    caught = sum(outcome.success for outcome in outcomes)
    ended = f"; {trial.result.error_msg}" if trial.result.error_msg else ""
    print(
        f"trial {index + 1}: {caught} caught in {len(outcomes)} attempts, {trial.result.duration_s:.0f} s "
        f"simulated, {wall_s:.0f} s here ({trial.real_time_factor:.2f} x real time, perception "
        f"{1000 * trial.perception_s:.0f} ms){ended}",
        flush=True,
    )
