# SPDX-License-Identifier: Apache-2.0
"""Reports of bin-picking runs as Markdown: Table I of the paper, failures by cause, one line a seed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["bin_tables", "wilson_interval"]

Reports = Sequence[Mapping[str, Any]]

_Z95 = 1.959964  # two-sided 95 % of a normal distribution


def bin_tables(by_detector: Mapping[str, Reports]) -> str:
    """Tables over the reports (`RunReport.as_dict`) of each detector, on the same seeds."""
    lines = [
        "## Success",
        "",
        "| detector | object | attempt-centric | object-centric |",
        "|---|---|---|---|",
    ]
    for detector, reports in by_detector.items():
        for category, row in _sums(reports).items():
            attempts = _rate(row["successes"], row["attempts"])
            lines.append(
                f"| {detector} | {category} | {attempts} | {_rate(row['cleared'], row['objects'])} |"
            )
    lines += ["", "In brackets: the 95 % interval (Wilson).", "", "## Failed attempts by cause", ""]
    lines += _failures(by_detector)
    lines += ["", "## Pace", ""]
    lines += [
        "| detector | picks an hour, simulated | decision, wall | simulated s per wall s | per CPU s |",
        "|---|---|---|---|---|",
    ]
    lines += [_pace(detector, reports) for detector, reports in by_detector.items()]
    lines += [
        "",
        "## Runs",
        "",
        "| detector | seed | attempts | objects | ended with |",
        "|---|---|---|---|---|",
    ]
    for detector, reports in by_detector.items():
        for report in reports:
            total, run = report["total"], report["run"]
            end = run["error_code"] or run.get("why_no_grasp", "") or "the number of attempts asked for"
            lines.append(
                f"| {detector} | {run['seed']} | {total['successes']} / {total['attempts']} "
                f"| {total['cleared']} / {total['objects']} | {end} |"
            )
    return "\n".join(lines)


def wilson_interval(successes: float, attempts: float) -> tuple[float, float]:
    """95 % confidence interval of a success rate.

    Raises:
        ValueError: no attempts, or more successes than attempts.
    """
    if not 0 <= successes <= attempts or attempts < 1:
        raise ValueError(f"{successes} of {attempts} is no rate")
    rate, z2 = successes / attempts, _Z95**2
    middle = (rate + z2 / (2 * attempts)) / (1 + z2 / attempts)
    half = _Z95 / (1 + z2 / attempts)
    half *= math.sqrt(rate * (1 - rate) / attempts + z2 / (4 * attempts**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def _sums(reports: Reports) -> dict[str, Counter[str]]:
    """Counts a category over all runs, the total last."""
    sums: dict[str, Counter[str]] = {}
    for report in reports:
        for category, row in report.items():
            if category != "run":
                counts = sums.setdefault(category, Counter())
                counts.update(
                    {name: row[name] or 0 for name in ("attempts", "successes", "objects", "cleared")}
                )
    sums["total"] = sums.pop("total")
    return sums


def _failures(by_detector: Mapping[str, Reports]) -> list[str]:
    counts = {
        detector: sum((Counter(report["run"]["failures"]) for report in reports), Counter())
        for detector, reports in by_detector.items()
    }
    causes = sorted(set().union(*counts.values()))
    if not causes:
        return ["None."]
    lines = [f"| cause | {' | '.join(counts)} |", "|---" * (len(counts) + 1) + "|"]
    return lines + [f"| {cause} | {' | '.join(str(c[cause]) for c in counts.values())} |" for cause in causes]


def _pace(detector: str, reports: Reports) -> str:
    runs = [report["run"] for report in reports]
    hours = sum(run["duration_s"] for run in runs) / 3600.0
    simulated_s = sum(run["simulated_s"] for run in runs)
    successes = sum(report["total"]["successes"] for report in reports)
    decisions_ms = [attempt["decision_ms"] for run in runs for attempt in run["attempts"]]
    decision_ms = sum(decisions_ms) / max(len(decisions_ms), 1)
    wall, cpu = (simulated_s / sum(run[name] for run in runs) for name in ("wall_s", "cpu_s"))
    return f"| {detector} | {successes / hours:.0f} | {decision_ms:.0f} ms | {wall:.2f} | {cpu:.2f} |"


def _rate(part: int, whole: int) -> str:
    if not whole:
        return "-"
    low, high = (100.0 * limit for limit in wilson_interval(part, whole))
    return f"{100.0 * part / whole:.1f} % ({part}/{whole}) [{low:.0f}, {high:.0f}]"
