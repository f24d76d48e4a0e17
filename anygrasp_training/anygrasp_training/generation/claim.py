# SPDX-License-Identifier: Apache-2.0
"""A dataset folder belongs to one config: what is in it already must have been made with the same one."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anygrasp_training.dataset.errors import DatasetError
from anygrasp_training.dataset.files import read_json, write_json
from anygrasp_training.dataset.layout import DatasetLayout
from anygrasp_training.generation.spent import Spent

__all__ = ["claim_folder", "read_runs", "record_run"]

_HISTORY = ("commits", "runs")  # how it was made, not what it is


def claim_folder(layout: DatasetLayout, config: Mapping[str, Any]) -> None:
    """Record `config` in the folder's dataset.json, or check that it is the one recorded.

    The commits of the source that wrote into the folder are recorded too, but not checked.
    Raises DatasetError when the folder holds something else.
    """
    wanted: dict[str, Any] = {"format": "anygrasp-dataset", "version": 1, **config}
    if not layout.config.is_file():
        if layout.scenes.is_dir():
            raise DatasetError(
                f"{layout.root} holds scenes but no {layout.config.name}: it was not made by this tool; "
                "give another --out"
            )
        write_json(layout.config, {**wanted, "commits": [_commit()]})
        return
    found = read_json(layout.config)
    names = [*wanted, *(name for name in found if name not in wanted and name not in _HISTORY)]
    differ = [name for name in names if found.get(name) != wanted.get(name)]
    if differ:
        raise DatasetError(
            f"{layout.config} was made with another {', '.join(differ)} "
            f"({', '.join(str(found.get(name)) for name in differ)}); use the same options or another --out"
        )
    commits = found.get("commits", [])
    if _commit() not in commits:
        write_json(layout.config, {**found, "commits": [*commits, _commit()]})


def record_run(layout: DatasetLayout, spent: Sequence[Spent], jobs: int) -> None:
    """Add what a run made, and what that took, to the claimed folder's dataset.json; nothing made, nothing
    added."""
    made = [each.record() for each in spent if each.count]
    if made:
        found = read_json(layout.config)
        run = {"jobs": jobs, "made": made}
        write_json(layout.config, {**found, "runs": [*found.get("runs", []), run]})


def read_runs(layout: DatasetLayout) -> list[tuple[int, Spent]]:
    """Return number of jobs and cost of what the finished runs made, the latest last."""
    runs = read_json(layout.config).get("runs", [])
    return [(run["jobs"], Spent(**each)) for run in runs for each in run["made"]]


def _commit() -> str:
    """The commit of the source tree this runs from, or unknown."""
    try:
        found = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()
