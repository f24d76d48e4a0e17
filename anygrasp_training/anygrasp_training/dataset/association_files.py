# SPDX-License-Identifier: Apache-2.0
"""Association labels of a scene on disk, `association.npz`."""

from dataclasses import fields
from pathlib import Path

from anygrasp_training.association.scene_labels import SceneAssociation
from anygrasp_training.dataset.errors import DatasetError
from anygrasp_training.dataset.files import read_arrays, write_arrays

__all__ = ["read_association", "write_association"]


def write_association(path: Path, association: SceneAssociation) -> None:
    """Write the labels; raises DatasetWriteError."""
    names = (field.name for field in fields(association))
    write_arrays(path, {name: getattr(association, name) for name in names})


def read_association(path: Path) -> SceneAssociation:
    """Read what `write_association` wrote; raises DatasetError."""
    arrays = read_arrays(path)
    try:
        return SceneAssociation(**{field.name: arrays[field.name] for field in fields(SceneAssociation)})
    except KeyError as error:
        raise DatasetError(
            f"{path}: no association labels, {error} is missing; generate the scene again"
        ) from error
