# SPDX-License-Identifier: Apache-2.0
"""Grasps on disk: our `.npz` with everything, and the 17-column array of the GraspNet tools."""

import dataclasses
import json
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.grasp_group import GraspGroup

__all__ = [
    "from_graspnet_array",
    "load_graspnet_npy",
    "load_metadata",
    "load_npz",
    "save_graspnet_npy",
    "save_npz",
    "to_graspnet_array",
]

_METADATA_KEY = "metadata_json"
_ADDED_LATER = ("seed_ids",)  # older files lack it
_GRASPNET_COLUMNS = 17


def save_npz(path: str | PathLike[str], group: GraspGroup, **metadata: Any) -> None:
    """Write all arrays of `group` and JSON-able `metadata` (frame, stamp, detector, ...) to `path`."""
    arrays: dict[str, Any] = {field.name: getattr(group, field.name) for field in dataclasses.fields(group)}
    arrays[_METADATA_KEY] = np.array(json.dumps(metadata))
    with open(path, "wb") as file:  # a name would get ".npz" appended
        np.savez_compressed(file, **arrays)


def load_npz(path: str | PathLike[str]) -> GraspGroup:
    """Read a group written by `save_npz`. Raises ValueError when the file is no such group."""
    names = [field.name for field in dataclasses.fields(GraspGroup)]
    with np.load(path, allow_pickle=False) as content:
        missing = [name for name in names if name not in content and name not in _ADDED_LATER]
        if missing:
            raise ValueError(f"{path}: no grasp file of ours, it lacks {', '.join(missing)}")
        return GraspGroup.from_arrays(**{name: content[name] for name in names if name in content})


def load_metadata(path: str | PathLike[str]) -> dict[str, Any]:
    """Read the metadata that `save_npz` wrote; empty when there is none."""
    with np.load(path, allow_pickle=False) as content:
        return dict(json.loads(str(content[_METADATA_KEY]))) if _METADATA_KEY in content else {}


def to_graspnet_array(group: GraspGroup) -> Float64Array:
    """Return (N, 17): score, width, height, depth, rotation row by row (9), translation (3), object id.

    Stable scores, view and angle indices have no column and are lost.
    """
    return np.column_stack(
        [
            group.scores,
            group.widths,
            group.heights,
            group.depths,
            group.rotation_matrices.reshape(-1, 9),
            group.translations,
            group.object_ids,
        ]
    )


def from_graspnet_array(array: ArrayLike) -> GraspGroup:
    """Read the (N, 17) layout of `to_graspnet_array`.

    Raises ValueError on another shape and on values that are no grasps, as `GraspGroup.from_arrays`.
    """
    columns = np.asarray(array, dtype=np.float64)
    if columns.ndim != 2 or columns.shape[1] != _GRASPNET_COLUMNS:
        raise ValueError(f"a GraspNet array has shape (N, {_GRASPNET_COLUMNS}), got {columns.shape}")
    return GraspGroup.from_arrays(
        scores=columns[:, 0],
        widths=columns[:, 1],
        heights=columns[:, 2],
        depths=columns[:, 3],
        rotation_matrices=columns[:, 4:13].reshape(-1, 3, 3),
        translations=columns[:, 13:16],
        object_ids=columns[:, 16].astype(np.int32),
    )


def save_graspnet_npy(path: str | PathLike[str], group: GraspGroup) -> None:
    """Write the 17-column array as `.npy`, as `GraspGroup.save_npy` of the graspnetAPI does."""
    with open(path, "wb") as file:
        np.save(file, to_graspnet_array(group), allow_pickle=False)


def load_graspnet_npy(path: str | PathLike[str]) -> GraspGroup:
    """Read a `.npy` file of the graspnetAPI. Raises ValueError as `from_graspnet_array` does."""
    return from_graspnet_array(np.load(path, allow_pickle=False))
