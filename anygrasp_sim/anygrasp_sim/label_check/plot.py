# SPDX-License-Identifier: Apache-2.0
"""Bar chart with counting errors, as a PNG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

__all__ = ["Column", "counting_error", "write_columns"]

_SIZE = (720, 420)  # width, height in pixels
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 50, 70
_BLUE, _BLACK, _GREY, _RED = (180, 119, 51), (30, 30, 30), (215, 215, 215), (60, 60, 200)  # BGR


@dataclass(frozen=True)
class Column:
    """One column: its value with lower and upper end of the error bar, in the unit of the axis."""

    name: str
    note: str
    value: float
    lower: float
    upper: float


def counting_error(hits: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of `hits` in `count` (Wilson)."""
    z = 1.96
    share = hits / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def write_columns(
    path: Path,
    title: str,
    x_label: str,
    columns: Sequence[Column],
    ticks: Sequence[float],
    limits: Sequence[tuple[float, str]] = (),
) -> None:
    """Write columns over an axis from 0 to the last of `ticks`, with dashed lines at `limits`.

    Raises OSError when the file cannot be written.
    """
    width, height = _SIZE
    top = ticks[-1]
    image = np.full((height, width, 3), 255, np.uint8)

    def y_of(value: float) -> int:
        return round(height - _BOTTOM - min(value, top) / top * (height - _BOTTOM - _TOP))

    def text(at: tuple[int, int], what: str, size: float = 0.45) -> None:
        cv2.putText(image, what, at, cv2.FONT_HERSHEY_SIMPLEX, size, _BLACK, 1, cv2.LINE_AA)

    text((_LEFT, 28), title, 0.5)
    text((_LEFT, height - 12), x_label)
    for tick in ticks:
        cv2.line(image, (_LEFT, y_of(tick)), (width - _RIGHT, y_of(tick)), _GREY, 1)
        text((18, y_of(tick) + 5), f"{tick:g}")
    pitch = (width - _LEFT - _RIGHT) / max(1, len(columns))
    for index, column in enumerate(columns):
        left = round(_LEFT + (index + 0.2) * pitch)
        right = round(_LEFT + (index + 0.8) * pitch)
        middle = (left + right) // 2
        cv2.rectangle(image, (left, y_of(column.value)), (right, y_of(0.0)), _BLUE, -1)
        cv2.line(image, (middle, y_of(column.lower)), (middle, y_of(column.upper)), _BLACK, 2)
        text((left, height - _BOTTOM + 18), column.name)
        text((left, height - _BOTTOM + 36), column.note, 0.4)
    for value, name in limits:
        for x in range(_LEFT, width - _RIGHT, 12):
            cv2.line(image, (x, y_of(value)), (x + 6, y_of(value)), _RED, 1)
        text((width - _RIGHT - 9 * len(name), y_of(value) - 5), name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), image, [cv2.IMWRITE_PNG_COMPRESSION, 9]):
        raise OSError(f"cannot write {path}")
