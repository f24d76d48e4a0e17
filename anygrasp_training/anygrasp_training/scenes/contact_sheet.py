# SPDX-License-Identifier: Apache-2.0
"""A picture with all families of objects side by side, to see what the data is made of."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from anygrasp_perception.arrays import Uint8Array
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.se3 import make_transform
from anygrasp_training.dataset.files import write_image
from anygrasp_training.objects import FAMILIES, ProceduralObject, make_object
from anygrasp_training.scenes.appearance import plain_finish
from anygrasp_training.scenes.cameras import look_at
from anygrasp_training.scenes.rendering import SceneRenderer
from anygrasp_training.scenes.scene import Furniture, PlacedObject, Scene, SceneKind
from anygrasp_training.scenes.table import flat_table

__all__ = ["write_contact_sheet"]

_TILE_PX = 180
_SUPERSAMPLING = 2
_COLUMNS = 9


def write_contact_sheet(path: Path, seed: int = 0, instances: int = 3) -> int:
    """Draw `instances` objects of each family into a PNG and return how many they are.

    Objects stand on a table, each seen from where it fills its tile; its name and longest side are below.
    Raises ValueError on less than one instance, DatasetWriteError when the file cannot be written.
    """
    if instances < 1:
        raise ValueError(f"instances must be 1 or more, got {instances}")
    tiles = [
        _tile(make_object(family, seed + instance)) for family in FAMILIES for instance in range(instances)
    ]
    blank = np.full_like(tiles[0], 255)
    tiles += [blank] * (-len(tiles) % _COLUMNS)
    rows = [np.hstack(tiles[first : first + _COLUMNS]) for first in range(0, len(tiles), _COLUMNS)]
    write_image(path, np.vstack(rows))
    return len(FAMILIES) * instances


def _tile(body: ProceduralObject) -> Uint8Array:
    size = _TILE_PX * _SUPERSAMPLING
    lower, upper = body.mesh.bounds
    T_scene_object = make_transform(np.eye(3), (*(-(lower + upper)[:2] / 2), -lower[2]))
    table = Furniture("table", flat_table(1.0).mesh(), plain_finish((0.8, 0.8, 0.78)))
    scene = Scene(
        SceneKind.SINGLE, (PlacedObject(0, body, T_scene_object),), (table,), np.array([0, 0, -9.81]), 0
    )
    middle = np.array([0, 0, body.size_m[2] / 2])
    eye = middle + 2.4 * float(np.linalg.norm(body.size_m)) * np.array([0.45, -0.7, 0.55])
    intrinsics = CameraIntrinsics(2.2 * size, 2.2 * size, size / 2, size / 2, size, size)
    image = SceneRenderer(scene, textured=False).render(look_at(eye, middle), intrinsics).color
    tile = cv2.resize(image, (_TILE_PX, _TILE_PX), interpolation=cv2.INTER_AREA)
    text = f"{body.family} {100 * body.size_m.max():.1f} cm"
    cv2.putText(tile, text, (4, _TILE_PX - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (20, 20, 20), 1, cv2.LINE_AA)
    return np.asarray(tile, dtype=np.uint8)
