# SPDX-License-Identifier: Apache-2.0
"""A picture of every pick: what the camera saw around the chosen grasp, and how it went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from anygrasp_perception.arrays import Uint8Array
from anygrasp_perception.atomic_files import write_atomically
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.drawing import draw_grasps
from robot_drivers.report.attribution import AttemptOutcome

__all__ = ["PickPicture", "render_contact_sheet", "save_contact_sheet"]

_TILE_WIDTH, _TILE_HEIGHT, _CAPTION_HEIGHT, _GAP = 400, 300, 56, 12
_VIEW_WIDTH_M = 0.32  # what a tile shows, at the distance of the grasp
_BACKGROUND, _CARD = (247, 247, 245), (255, 255, 255)
_TEXT, _FAINT, _GOOD, _BAD = (40, 42, 46), (120, 124, 130), (22, 140, 70), (200, 46, 40)  # RGB
_FONT = cv2.FONT_HERSHEY_DUPLEX


@dataclass(frozen=True, eq=False)
class PickPicture:
    """One attempt and the image that it was decided on."""

    outcome: AttemptOutcome  # its grasp is in the image's optical frame
    image: Uint8Array  # (H, W, 3) RGB
    intrinsics: CameraIntrinsics


def save_contact_sheet(path: Path, pictures: Sequence[PickPicture], title: str, columns: int = 4) -> None:
    """Write the sheet as PNG, whole or not at all.

    Raises:
        ValueError: no pictures, or `columns` below 1.
        OSError: the folder is missing or not writable.
    """
    sheet = render_contact_sheet(pictures, title, columns)
    _, png = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    write_atomically(path, png.tobytes())


def render_contact_sheet(pictures: Sequence[PickPicture], title: str, columns: int = 4) -> Uint8Array:
    """One tile a pick, in the order given, below a title; (H, W, 3) RGB.

    Raises:
        ValueError: no pictures, or `columns` below 1.
    """
    if not pictures:
        raise ValueError("no picks to draw: leave out the contact sheet of a run without attempts")
    if columns < 1:
        raise ValueError(f"columns is {columns}; use at least 1")
    tiles = [_tile(picture) for picture in pictures]
    columns = min(columns, len(tiles))
    blank = np.full_like(tiles[0], 0) + np.array(_BACKGROUND, np.uint8)
    tiles += [blank] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    body = cv2.copyMakeBorder(np.vstack(rows), 64, _GAP, _GAP, 0, cv2.BORDER_CONSTANT, value=_BACKGROUND)
    return _write(body, title, (2 * _GAP, 42), 0.8, _TEXT)


def _tile(picture: PickPicture) -> Uint8Array:
    """The view above its caption, with a gap to the right and below."""
    tile = np.empty((_TILE_HEIGHT + _CAPTION_HEIGHT, _TILE_WIDTH, 3), np.uint8)
    tile[:_TILE_HEIGHT] = _view(picture)
    tile[_TILE_HEIGHT:] = _CARD
    outcome, record = picture.outcome, picture.outcome.record
    color = _GOOD if outcome.success else _BAD
    tile[_TILE_HEIGHT : _TILE_HEIGHT + 4] = color
    verdict = "ok" if outcome.success else outcome.failure.replace("_", " ").lower()
    tile = _write(tile, f"{record.attempt}", (12, _TILE_HEIGHT + 40), 0.85, _TEXT)
    tile = _write(tile, verdict, (64, _TILE_HEIGHT + 27), 0.5, color)
    detail = f"{outcome.category}   score {record.grasp.scores[0]:.2f}"
    tile = _write(tile, detail, (64, _TILE_HEIGHT + 47), 0.45, _FAINT)
    return np.asarray(cv2.copyMakeBorder(tile, 0, _GAP, 0, _GAP, cv2.BORDER_CONSTANT, value=_BACKGROUND))


def _view(picture: PickPicture) -> Uint8Array:
    """The image around the grasp, enlarged, with the grasp drawn in; (tile height, tile width, 3)."""
    grasp, camera = picture.outcome.record.grasp, picture.intrinsics
    tip = grasp.fingertips[0]
    zoom = _TILE_WIDTH / (camera.fx * _VIEW_WIDTH_M / tip[2])
    zoom = max(zoom, _TILE_WIDTH / camera.width, _TILE_HEIGHT / camera.height)  # a tile has no blank margin
    width, height = round(camera.width * zoom), round(camera.height * zoom)
    scale_x, scale_y = width / camera.width, height / camera.height
    enlarged = CameraIntrinsics(
        camera.fx * scale_x,
        camera.fy * scale_y,
        (camera.cx + 0.5) * scale_x - 0.5,  # pixel centres are at whole numbers
        (camera.cy + 0.5) * scale_y - 0.5,
        width,
        height,
    )
    image = cv2.resize(picture.image, (width, height), interpolation=cv2.INTER_CUBIC)
    drawn = draw_grasps(image, grasp, enlarged)
    centre = enlarged.project(tip)
    left = int(np.clip(centre[0] - _TILE_WIDTH / 2, 0, width - _TILE_WIDTH))
    top = int(np.clip(centre[1] - _TILE_HEIGHT / 2, 0, height - _TILE_HEIGHT))
    return drawn[top : top + _TILE_HEIGHT, left : left + _TILE_WIDTH]


def _write(
    image: Uint8Array, text: str, origin: tuple[int, int], size: float, color: tuple[int, int, int]
) -> Uint8Array:
    return np.asarray(cv2.putText(image, text, origin, _FONT, size, color, 1, cv2.LINE_AA), np.uint8)
