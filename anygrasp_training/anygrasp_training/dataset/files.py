# SPDX-License-Identifier: Apache-2.0
"""Writes files so that a kill leaves either the whole thing or nothing, and reads them with clear errors."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from anygrasp_training.dataset.errors import DatasetError, DatasetWriteError

__all__ = [
    "PARTIAL_PREFIX",
    "array_names",
    "read_array",
    "read_arrays",
    "read_image",
    "read_json",
    "staged_folder",
    "write_array",
    "write_arrays",
    "write_bytes",
    "write_errors",
    "write_image",
    "write_json",
]

PARTIAL_PREFIX = ".partial-"
_PNG_FAST = (cv2.IMWRITE_PNG_COMPRESSION, 1)  # a third of the time for a tenth more bytes


@contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """Give a folder to fill that becomes `target` at the end; nothing is left when filling it fails.

    A kill leaves a `.partial-*` folder, which no reader looks at and the next attempt removes. An existing
    target is replaced.
    """
    staging = target.parent / f"{PARTIAL_PREFIX}{target.name}"
    with write_errors(staging):
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
    try:
        yield staging
        with write_errors(target):
            if target.exists():
                shutil.rmtree(target)
            os.replace(staging, target)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole, through a temporary name; raises DatasetWriteError."""
    staging = path.with_name(f"{PARTIAL_PREFIX}{path.name}")
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            staging.write_bytes(content)
            os.replace(staging, path)
        except BaseException:
            staging.unlink(missing_ok=True)
            raise


def write_image(path: Path, image: NDArray[Any]) -> None:
    """Write (H, W) uint8 or uint16, or (H, W, 3) RGB uint8, as PNG."""
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".png", image, _PNG_FAST)
    write_bytes(path, encoded.tobytes())


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write one array as .npy."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write_bytes(path, buffer.getvalue())


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays as a compressed .npz; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.save(content, array, allow_pickle=False)
            # ZipInfo's default date is fixed: numpy's own savez would write the time of day.
            entry = zipfile.ZipInfo(f"{name}.npy")
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content.getvalue())
    write_bytes(path, buffer.getvalue())


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object as indented JSON."""
    write_bytes(path, (json.dumps(content, indent=2) + "\n").encode())


def read_image(path: Path) -> NDArray[Any]:
    """Read a PNG as it is stored, colour as RGB; raises DatasetError."""
    _require(path)
    image: NDArray[Any] | None = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise DatasetError(f"{path}: not a readable image; delete its scene folder and generate it again")
    return cv2.cvtColor(image[..., :3], cv2.COLOR_BGR2RGB) if image.ndim == 3 else image


def read_array(path: Path) -> NDArray[Any]:
    """Read a .npy file; raises DatasetError."""
    _require(path)
    try:
        array: NDArray[Any] = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DatasetError(f"{path}: not a readable array ({error}); write or download it again") from error
    return array


def array_names(path: Path) -> set[str]:
    """Return the names of the arrays in a .npz file without reading them; raises DatasetError."""
    _require(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            return set(archive.files)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{path}: not a readable archive ({error}); write or download it again") from error


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read a .npz file; raises DatasetError."""
    _require(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{path}: not a readable archive ({error}); write or download it again") from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; raises DatasetError."""
    _require(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DatasetError(f"{path}: not JSON ({error}); delete it and generate it again") from error
    if not isinstance(content, dict):
        raise DatasetError(f"{path}: must hold a JSON object, got {type(content).__name__}")
    return content


def _require(path: Path) -> None:
    if not path.is_file():
        raise DatasetError(
            f"{path} is missing: the scene is incomplete or the folder is no GraspNet-style dataset; "
            "point at the folder that holds scenes/, models/ and grasp_label/"
        )


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's errors while writing `path` into a DatasetWriteError with the fix."""
    try:
        yield
    except OSError as error:
        fix = "check the folder's permissions"
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            fix = "free some space, then run the same command again: it goes on where it stopped"
        raise DatasetWriteError(f"cannot write {path}: {error.strerror or error}; {fix}") from error
