# SPDX-License-Identifier: Apache-2.0
"""Grasp and collision labels on disk: our compact arrays, and GraspNet's dense ones.

GraspNet stores `points` (P, 3), `offsets` (P, 300, 12, 4, 3) of angle, depth and width, `collision` and
`scores` (P, 300, 12, 4), the friction coefficient, at most 0 where there is no grasp: gigabytes. Ours has the
same file name with two uint8 codes a cell, five depths instead of four, and the centre of mass.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray

from anygrasp_perception.arrays import BoolArray
from anygrasp_perception.grasp import ANGLE_COUNT, DEPTHS_M, LABEL_MAX_WIDTH_M, VIEW_COUNT
from anygrasp_training.dataset.errors import DatasetError
from anygrasp_training.dataset.files import array_names, read_arrays, write_arrays, write_errors
from anygrasp_training.labels import LabelConfig, load_labels, save_labels
from anygrasp_training.labels.labelling import label_points
from anygrasp_training.labels.mesh_rays import MeshRays
from anygrasp_training.labels.object_labels import (
    CELL_SHAPE,
    COLLIDING,
    FRICTION_STEP,
    NO_GRASP,
    OPENING_STEP_M,
    ObjectGraspLabels,
    cell_rotations,
)

__all__ = ["read_collisions", "read_grasp_labels", "write_collisions", "write_grasp_labels"]

_OFFICIAL_KEYS = {"points", "offsets", "collision", "scores"}
_OFFICIAL_CELLS = (VIEW_COUNT, ANGLE_COUNT, len(DEPTHS_M) - 1)  # without 0.005 m


def write_grasp_labels(path: Path, labels: ObjectGraspLabels) -> None:
    """Write the labels of one object in our form; raises DatasetWriteError."""
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        save_labels(path, labels)


def read_grasp_labels(path: Path, mesh: trimesh.Trimesh | None = None) -> ObjectGraspLabels:
    """Read the labels of one object, in our form or in GraspNet's.

    What GraspNet lacks, the depth of 0.005 m and the centre of mass behind the stable score, is computed
    from `mesh`; without one these cells are no grasps and stable scores are NaN. Raises DatasetError.
    """
    names = array_names(path)
    if names >= _OFFICIAL_KEYS:
        return _from_official(path, read_arrays(path), mesh)
    try:
        return load_labels(path)
    except ValueError as error:
        raise DatasetError(
            f"{error}; GraspNet's own files hold {', '.join(sorted(_OFFICIAL_KEYS))}"
        ) from error


def write_collisions(path: Path, collisions: Sequence[BoolArray]) -> None:
    """Write for each object of a scene, in order, the cells (P, 300, 12, 5) without room, as arr_0, ..."""
    write_arrays(path, {f"arr_{index}": array for index, array in enumerate(collisions)})


def read_collisions(path: Path) -> list[BoolArray]:
    """Read for each object of a scene the cells (P, 300, 12, 5) whose gripper has no room.

    GraspNet's four depths become five: 0.005 m takes over what holds at 0.01 m, where the fingers reach
    farther. Raises DatasetError.
    """
    arrays = read_arrays(path)
    collisions: list[BoolArray] = []
    for index in range(len(arrays)):
        array = arrays.get(f"arr_{index}")
        if array is None or array.ndim != 4 or array.shape[1:] not in (CELL_SHAPE, _OFFICIAL_CELLS):
            raise DatasetError(
                f"{path}: arr_{index} must be (P, 300, 12, 5) or (P, 300, 12, 4), got "
                f"{None if array is None else array.shape}; generate or download it again"
            )
        if array.shape[1:] == _OFFICIAL_CELLS:
            array = np.concatenate([array[..., :1], array], axis=-1)
        collisions.append(array.astype(np.bool_))
    return collisions


def _from_official(
    path: Path, arrays: dict[str, NDArray[Any]], mesh: trimesh.Trimesh | None
) -> ObjectGraspLabels:
    points = np.asarray(arrays["points"], dtype=np.float32)
    cells = (len(points), *_OFFICIAL_CELLS)
    for name, shape in (("offsets", (*cells, 3)), ("collision", cells), ("scores", cells)):
        if arrays[name].shape != shape:
            raise DatasetError(f"{path}: {name} must have shape {shape}, got {arrays[name].shape}")
    widths, needed = arrays["offsets"][..., 2], np.rint(arrays["scores"] / FRICTION_STEP)
    holds = (needed > 0) & (needed < COLLIDING) & (widths > 0) & (widths <= LABEL_MAX_WIDTH_M)
    friction = np.full((len(points), *CELL_SHAPE), NO_GRASP, dtype=np.uint8)
    openings = np.zeros_like(friction)
    codes = np.where(arrays["collision"].astype(np.bool_), COLLIDING, needed)
    friction[..., 1:] = np.where(holds, codes, NO_GRASP)
    free = friction[..., 1:] < COLLIDING
    openings[..., 1:] = np.where(free, np.ceil(widths / OPENING_STEP_M - 1e-3), 0)
    center_of_mass = np.full(3, np.nan)
    if mesh is not None:
        config = LabelConfig()
        # All five depths are computed at once; the four that people labelled are kept as they are.
        ours = label_points(MeshRays(mesh), points, cell_rotations(), config)
        friction[..., 0], openings[..., 0] = ours[0][..., 0], ours[1][..., 0]
        solid = mesh if mesh.is_volume else mesh.convex_hull  # scans have holes
        center_of_mass = np.asarray(solid.center_mass, dtype=np.float64)
    return ObjectGraspLabels(points, friction, openings, center_of_mass)
