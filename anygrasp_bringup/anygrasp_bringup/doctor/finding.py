# SPDX-License-Identifier: Apache-2.0
"""What a check has found, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

__all__ = ["Finding", "Level", "Outcome", "ok", "problem", "skipped", "warning"]


class Level(str, Enum):
    """How bad it is, in rising order."""

    OK = "ok"
    SKIPPED = "skipped"  # nobody has asked for it, so it was not looked at
    WARNING = "warning"  # works, or is not asked for; look at it some time
    PROBLEM = "problem"  # does not work


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    text: str
    fix: str = ""  # what to do; empty where there is nothing to do


@dataclass(frozen=True)
class Outcome:
    """All that one check has found."""

    name: str
    asked: bool
    findings: tuple[Finding, ...]
    seconds: float = 0.0

    @property
    def level(self) -> Level:
        """The worst of its findings."""
        levels = list(Level)
        return max((finding.level for finding in self.findings), key=levels.index, default=Level.OK)

    def as_far_as_asked(self) -> Outcome:
        """The same, with problems as warnings where nobody has asked for the thing."""
        if self.asked:
            return self
        findings: Sequence[Finding] = [
            replace(finding, level=Level.WARNING) if finding.level is Level.PROBLEM else finding
            for finding in self.findings
        ]
        return replace(self, findings=tuple(findings))


def ok(text: str) -> Finding:
    """It works."""
    return Finding(Level.OK, text)


def skipped(text: str, fix: str) -> Finding:
    """It was not looked at; `fix` says how to have that done."""
    return Finding(Level.SKIPPED, text, fix)


def warning(text: str, fix: str) -> Finding:
    """It works, but."""
    return Finding(Level.WARNING, text, fix)


def problem(text: str, fix: str) -> Finding:
    """It does not work."""
    return Finding(Level.PROBLEM, text, fix)
