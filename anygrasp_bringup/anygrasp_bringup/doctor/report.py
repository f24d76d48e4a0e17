# SPDX-License-Identifier: Apache-2.0
"""What the doctor says, for people and for programs."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence

from anygrasp_bringup.doctor.finding import Level, Outcome

__all__ = ["as_json", "as_text", "exit_code", "summary"]

_WIDTH = 110
_COLOURS = {Level.OK: "32", Level.SKIPPED: "2", Level.WARNING: "33", Level.PROBLEM: "31"}


def as_text(outcome: Outcome, colour: bool = False) -> str:
    """One line a finding, with what to do below it."""
    lines = []
    for number, finding in enumerate(outcome.findings):
        level = f"{finding.level.value:<8}"
        if colour:
            level = f"\033[{_COLOURS[finding.level]}m{level}\033[0m"
        name = outcome.name if number == 0 else ""
        lines.append(_wrapped(f"{level} {name:<14} ", 24, finding.text))
        if finding.fix:
            lines.append(_wrapped(f"{'':<24}-> ", 27, finding.fix))
    return "\n".join(lines)


def as_json(outcomes: Sequence[Outcome]) -> str:
    """All of it, with the exit code."""
    checks = [
        {
            "name": outcome.name,
            "level": outcome.level.value,
            "asked": outcome.asked,
            "seconds": round(outcome.seconds, 2),
            "findings": [
                {"level": finding.level.value, "text": finding.text, "fix": finding.fix}
                for finding in outcome.findings
            ],
        }
        for outcome in outcomes
    ]
    return json.dumps({"exit_code": exit_code(outcomes), "checks": checks}, indent=2)


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """1 when something that was asked for does not work."""
    return int(any(outcome.level is Level.PROBLEM for outcome in outcomes))


def summary(outcomes: Sequence[Outcome]) -> str:
    """The last line."""
    levels = [finding.level for outcome in outcomes for finding in outcome.findings]
    counts = [
        f"{levels.count(level)} {word}{'' if levels.count(level) == 1 else 's'}"
        for level, word in ((Level.PROBLEM, "problem"), (Level.WARNING, "warning"))
    ]
    return f"{', '.join(counts)}; nothing was moved"


def _wrapped(head: str, indent: int, text: str) -> str:
    body = textwrap.fill(
        text, _WIDTH, initial_indent=" " * indent, subsequent_indent=" " * indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return head + body[indent:]
