# SPDX-License-Identifier: Apache-2.0
"""Prints the lines of many processes, each behind its own coloured name."""

from __future__ import annotations

import os
import sys
from typing import TextIO

__all__ = ["Console"]

_COLOURS = (36, 33, 35, 32, 34, 96, 93, 95, 92, 94)  # of processes, in order of appearance
_RED = 31


class Console:
    """Writes whole lines; colours only on a terminal without NO_COLOR."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self.coloured = self._stream.isatty() and "NO_COLOR" not in os.environ
        self._colour_of: dict[str, int] = {}

    def info(self, name: str, text: str) -> None:
        """Print a line of the runner itself about `name`."""
        self._write(f"[INFO] [{name}]: {text}")

    def error(self, name: str, text: str) -> None:
        """Print a line of the runner itself that should not be missed."""
        self._write(self._paint(f"[ERROR] [{name}]: {text}", _RED))

    def output(self, name: str, text: str) -> None:
        """Print a line that process `name` wrote."""
        colour = self._colour_of.setdefault(name, _COLOURS[len(self._colour_of) % len(_COLOURS)])
        self._write(f"{self._paint(f'[{name}]', colour)} {text}")

    def _paint(self, text: str, colour: int) -> str:
        return f"\033[{colour}m{text}\033[0m" if self.coloured else text

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()
