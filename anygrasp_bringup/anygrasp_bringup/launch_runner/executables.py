# SPDX-License-Identifier: Apache-2.0
"""Where a package's executable is: `lib/<package>` as colcon installs it, or a console script of pip."""

from __future__ import annotations

import difflib
import importlib.metadata
import os
import sys

from anygrasp_bringup.ament_index import prefixes
from anygrasp_bringup.launch_runner.context import LaunchError

__all__ = ["executable_command"]


def executable_command(package: str, executable: str) -> list[str]:
    """Return the command that runs `executable` of `package`; raises LaunchError with those it has."""
    folders = [prefix / "lib" / package for prefix in prefixes()]
    for folder in folders:
        if os.access(folder / executable, os.X_OK):
            return [str(folder / executable)]
    scripts = _console_scripts(package)
    if executable in scripts:
        # By its entry point: two packages may have scripts of one name in the same bin folder.
        module, _, function = scripts[executable].partition(":")
        code = f"import sys; from {module} import {function}; sys.exit({function}())"
        return [sys.executable, "-c", code]
    known = sorted(
        {*scripts, *(path.name for folder in folders if folder.is_dir() for path in folder.iterdir())}
    )
    close = difflib.get_close_matches(executable, known, 1)
    hint = f"did you mean '{close[0]}'?" if close else f"it has: {', '.join(known) or 'none'}"
    raise LaunchError(f"package '{package}' has no executable '{executable}'; {hint}")


def _console_scripts(package: str) -> dict[str, str]:
    try:
        distribution = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return {}
    return {
        entry.name: entry.value for entry in distribution.entry_points if entry.group == "console_scripts"
    }
