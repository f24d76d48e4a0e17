# SPDX-License-Identifier: Apache-2.0
"""The statistics of a run as text, laid out as Table I of the paper."""

from __future__ import annotations

from robot_drivers.report.statistics import CategoryStatistics, RunReport

__all__ = ["format_table"]

_HEADINGS = ("Object", "Attempt-centric", "Object-centric", "Picks/h", "Decision")


def format_table(report: RunReport) -> str:
    """One row a category and the total: both success rates, picks per hour and decision time."""
    rows = [_row(name.capitalize(), row) for name, row in report.categories.items() if name != "all"]
    rows.append(_row("All", report.total))
    widths = [max(len(row[i]) for row in [_HEADINGS, *rows]) for i in range(len(_HEADINGS))]
    rule = "-" * (sum(widths) + 3 * (len(widths) - 1))
    lines = [_line(_HEADINGS, widths), rule, *(_line(row, widths) for row in rows[:-1])]
    if len(rows) > 1:
        lines.append(rule)
    return "\n".join([*lines, _line(rows[-1], widths)])


def _row(name: str, row: CategoryStatistics) -> tuple[str, ...]:
    return (
        name,
        _rate(row.successes, row.attempts),
        _rate(row.cleared, row.objects),
        "-" if row.picks_per_hour is None else f"{row.picks_per_hour:.0f}",
        "-" if row.decision_ms is None else f"{row.decision_ms:.0f} ms",
    )


def _rate(part: int, whole: int | None) -> str:
    if whole is None:
        return f"{part} of ?"
    return f"{part:3d} /{whole:3d}  {100.0 * part / whole:5.1f} %" if whole else "-"


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    first, *rest = (
        cell.ljust(width) if i == 0 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "   ".join([first, *rest]).rstrip()
