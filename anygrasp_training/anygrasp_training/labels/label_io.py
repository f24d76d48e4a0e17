# SPDX-License-Identifier: Apache-2.0
"""Grasp labels of one object on disk: compressed `.npz`, versioned, written whole or not at all."""

import os
import zipfile
import zlib
from dataclasses import fields
from pathlib import Path

import numpy as np

from anygrasp_perception.atomic_files import whole_or_not
from anygrasp_training.labels.object_labels import ObjectGraspLabels

__all__ = ["FORMAT_VERSION", "load_labels", "save_labels"]

FORMAT_VERSION = 1
_VERSION_KEY = "format_version"


def save_labels(path: str | os.PathLike[str], labels: ObjectGraspLabels) -> None:
    """Write labels to `path`; an interrupted write or a full disk leaves what was there before."""
    arrays = {field.name: getattr(labels, field.name) for field in fields(labels)}
    with whole_or_not(Path(path)) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **{_VERSION_KEY: np.int64(FORMAT_VERSION)}, **arrays)


def load_labels(path: str | os.PathLike[str]) -> ObjectGraspLabels:
    """Read labels written by `save_labels`.

    Raises ValueError, naming the file, when it is damaged, no label file, or of another format version.
    """
    names = [field.name for field in fields(ObjectGraspLabels)]
    try:
        with np.load(path, allow_pickle=False) as content:
            missing = [name for name in (_VERSION_KEY, *names) if name not in content]
            if missing:
                raise ValueError(f"{path}: no grasp labels, it lacks {', '.join(missing)}")
            version = int(content[_VERSION_KEY])
            if version != FORMAT_VERSION:
                raise ValueError(
                    f"{path}: label format {version}, not {FORMAT_VERSION}; make the labels anew"
                )
            return ObjectGraspLabels(**{name: content[name] for name in names})
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"{path}: damaged ({error}); delete it and make the labels anew") from error
