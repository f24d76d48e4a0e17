# SPDX-License-Identifier: Apache-2.0
"""A sheet of the views with the corners found and how far each is from where the calibration predicts it."""

from __future__ import annotations

import cv2
import numpy as np

from anygrasp_perception.arrays import Float64Array, Uint8Array
from anygrasp_perception.calibration.solution import HandEyeCalibration

__all__ = ["draw_residuals"]

_COLUMNS = 4
_WIDTH = 400  # of one view in the sheet
_ENLARGED = 30.0  # residuals are drawn so many times as long
_FOUND, _RESIDUAL, _TEXT = (0, 220, 60), (255, 60, 40), (255, 255, 255)


def draw_residuals(calibration: HandEyeCalibration, images: dict[str, Uint8Array]) -> Uint8Array:
    """Return the sheet, RGB: green dots are corners, red lines lead to their prediction, 30 times as long."""
    tiles, start = [], 0
    for view in calibration.views:
        residuals = calibration.residuals_px[start : start + len(view.corners)]
        start += len(view.corners)
        image = images[view.name]
        scale = _WIDTH / image.shape[1]
        tile = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for pixel, residual in zip(view.corners.pixels, residuals, strict=True):
            at, to = pixel * scale, (pixel + residual * _ENLARGED) * scale
            cv2.line(tile, _point(at), _point(to), _RESIDUAL, 1, cv2.LINE_AA)
            cv2.circle(tile, _point(at), 2, _FOUND, -1, cv2.LINE_AA)
        rms_px = float(np.sqrt(np.mean(np.sum(residuals**2, axis=1))))
        text = f"{view.name}  {rms_px:.2f} px, lines x{_ENLARGED:.0f}"
        cv2.rectangle(tile, (0, 0), (_WIDTH, 22), (0, 0, 0), -1)
        cv2.putText(tile, text, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _TEXT, 1, cv2.LINE_AA)
        tiles.append(tile)
    columns = min(_COLUMNS, len(tiles))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    return np.ascontiguousarray(np.vstack(rows), dtype=np.uint8)


def _point(pixel: Float64Array) -> tuple[int, int]:
    x, y = np.rint(pixel).astype(int).tolist()
    return x, y
