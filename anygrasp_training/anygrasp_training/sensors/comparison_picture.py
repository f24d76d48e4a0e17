# SPDX-License-Identifier: Apache-2.0
"""Contact sheet of depth images: colour-mapped depth above, deviation from the table plane below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from anygrasp_perception.arrays import Float32Array, Float64Array, Uint8Array

__all__ = ["Panel", "write_sheet"]

_LEVELS = 32  # of a colour map: fewer make a smaller file
_TILE_WIDTH = 260
_CAPTION_PX = 18


@dataclass(frozen=True, eq=False)
class Panel:
    """One depth image on the sheet."""

    caption: str
    depth_m: Float32Array  # (H, W), 0 invalid
    height_m: Float64Array  # (H, W) above the plane, NaN invalid
    span_m: tuple[float, float]  # depth from first to last colour
    deviation_m: float  # from the plane, at either end of the colours


def write_sheet(path: Path, rows: Sequence[Sequence[Panel]]) -> None:
    """Write rows of panels as one PNG; holes are black, deviations blue behind and red before the plane.

    Raises OSError when the file cannot be written.
    """
    bands = [np.hstack([_tile(panel) for panel in row]) for row in rows]
    width = max(band.shape[1] for band in bands)
    padded = [
        cv2.copyMakeBorder(b, 0, 6, 0, width - b.shape[1], cv2.BORDER_CONSTANT, value=(255,) * 3)
        for b in bands
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), np.vstack(padded), [cv2.IMWRITE_PNG_COMPRESSION, 9]):
        raise OSError(f"cannot write {path}")


def _tile(panel: Panel) -> Uint8Array:
    invalid = panel.depth_m <= 0
    near, far = panel.span_m
    depth = _colored((panel.depth_m - near) / (far - near), cv2.COLORMAP_TURBO, invalid)
    share = 0.5 + 0.5 * np.nan_to_num(panel.height_m) / panel.deviation_m
    deviation = _colored(share, cv2.COLORMAP_TWILIGHT_SHIFTED, invalid)
    caption = np.full((_CAPTION_PX, _TILE_WIDTH, 3), 255, np.uint8)
    cv2.putText(caption, panel.caption, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    stacked = np.vstack([caption, depth, deviation])
    return np.asarray(
        cv2.copyMakeBorder(stacked, 0, 0, 0, 4, cv2.BORDER_CONSTANT, value=(255,) * 3), dtype=np.uint8
    )


def _colored(share: Float64Array | Float32Array, colormap: int, invalid: np.ndarray) -> Uint8Array:
    size = (_TILE_WIDTH, round(share.shape[0] * _TILE_WIDTH / share.shape[1]))
    # Nearest pixels, so that neither noise nor holes are averaged away.
    small = cv2.resize(np.clip(share, 0, 1), size, interpolation=cv2.INTER_NEAREST)
    levels = np.round(np.round(small * _LEVELS) * 255 / _LEVELS).astype(np.uint8)
    colored = cv2.applyColorMap(levels, colormap)
    colored[cv2.resize(invalid.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0] = 0
    return np.asarray(colored, dtype=np.uint8)
