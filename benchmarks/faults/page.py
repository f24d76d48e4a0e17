# SPDX-License-Identifier: Apache-2.0
"""The table of the campaign."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["page"]

_LONGEST_LINE = 170  # of a log line in the table


def page(rows: Sequence[dict[str, Any]], missing: Sequence[str], head: str, notes: Sequence[str]) -> str:
    """Markdown of the verdicts, as dictionaries of Verdict; `missing` are faults that were not tried."""
    bad = [row for row in rows if row["bad"]]
    groups = list(dict.fromkeys(row["group"] for row in rows))
    lines = [
        "# Fault campaign",
        "",
        head,
        "",
        f"{len(rows)} faults in {len(groups)} groups, {len(rows) - len(bad)} with the verdict good"
        + (f", **{len(bad)} bad**" if bad else "")
        + (f"; {len(missing)} more are written but not tried yet, see the end" if missing else "")
        + ".",
        "",
        *(line for note in notes for line in (note, "")),
        "| fault | stage | arm after, by the emulator | log | outcome | verdict |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        verdict = "good" if not row["bad"] else "**bad**: " + "; ".join(row["bad"])
        cells = (
            f"{row['group']}: {row['name']}",
            *(row["stage"], row["arm"], _short(row["log"]), row["outcome"], verdict),
        )
        lines.append("| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |")
    if missing:
        lines += ["", "Not tried yet:", "", *(f"- {name}" for name in missing)]
    return "\n".join(lines) + "\n"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_LINE else text[: _LONGEST_LINE - 4] + " ..."
