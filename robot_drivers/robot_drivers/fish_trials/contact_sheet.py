# SPDX-License-Identifier: Apache-2.0
"""A picture of every attempt: what the wrist camera saw when the grasp was decided, and how it went."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from anygrasp_perception.arrays import Uint8Array
from anygrasp_perception.atomic_files import write_atomically
from robot_drivers.report.catch_attribution import CatchOutcome

__all__ = ["save_catch_sheet"]

_WIDTH, _HEIGHT, _CAPTION, _GAP = 320, 240, 44, 10
_GOOD, _BAD, _TEXT, _PAPER = (22, 140, 70), (200, 46, 40), (40, 42, 46), (247, 247, 245)  # RGB
_FONT = cv2.FONT_HERSHEY_DUPLEX


def save_catch_sheet(
    path: Path, pictures: Sequence[tuple[CatchOutcome, Uint8Array]], title: str, columns: int = 5
) -> None:
    """Write the sheet as PNG, whole or not at all; images (H, W, 3) RGB.

    Raises:
        ValueError: no pictures.
        OSError: the folder is missing or not writable.
    """
    if not pictures:
        raise ValueError("no attempts to draw: leave out the contact sheet")
    tiles = [_tile(outcome, image) for outcome, image in pictures]
    columns = min(columns, len(tiles))
    blank = np.full_like(tiles[0], _PAPER[0])
    tiles += [blank] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    sheet = cv2.copyMakeBorder(np.vstack(rows), 50, 0, _GAP, 0, cv2.BORDER_CONSTANT, value=_PAPER)
    cv2.putText(sheet, title, (_GAP, 33), _FONT, 0.7, _TEXT, 1, cv2.LINE_AA)
    _, png = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    write_atomically(path, png.tobytes())


def _tile(outcome: CatchOutcome, image: Uint8Array) -> Uint8Array:
    tile = np.full((_HEIGHT + _CAPTION + _GAP, _WIDTH + _GAP, 3), _PAPER, dtype=np.uint8)
    tile[:_HEIGHT, :_WIDTH] = cv2.resize(image, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
    color = _GOOD if outcome.success else _BAD
    tile[_HEIGHT : _HEIGHT + 4, :_WIDTH] = color
    verdict = "caught" if outcome.cause is None else outcome.cause.value.replace("_", " ")
    text = f"{outcome.record.attempt}  {outcome.kind}: {verdict}"
    cv2.putText(tile, text, (6, _HEIGHT + 28), _FONT, 0.5, color, 1, cv2.LINE_AA)
    return tile
