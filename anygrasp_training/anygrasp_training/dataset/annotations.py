# SPDX-License-Identifier: Apache-2.0
"""Object poses of one view as GraspNet keeps them, in the camera frame: an XML and a MATLAB file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat, savemat

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.se3 import pose_to_transform, rotation_to_quat_xyzw
from anygrasp_training.dataset.errors import DatasetError
from anygrasp_training.dataset.files import write_bytes

__all__ = ["DEPTH_UNITS_PER_M", "read_annotation", "read_meta", "write_annotation", "write_meta"]

DEPTH_UNITS_PER_M = 1000  # factor_depth: millimetres in 16 bits


def write_annotation(
    path: Path, object_ids: Sequence[int], names: Sequence[str], T_camera_objects: NDArray[np.floating]
) -> None:
    """Write ids (numbers from 0), names and poses (N, 4, 4) as XML; quaternions are w x y z there."""
    scene = ElementTree.Element("scene")
    quats = rotation_to_quat_xyzw(T_camera_objects[:, :3, :3])
    for object_id, name, T, quat in zip(object_ids, names, T_camera_objects, quats, strict=True):
        entry = ElementTree.SubElement(scene, "obj")
        for tag, text in (
            ("obj_id", str(object_id)),
            ("obj_name", name),
            ("obj_path", f"models/{object_id:03d}/nontextured.ply"),
            ("pos_in_world", " ".join(f"{value:.6f}" for value in T[:3, 3])),
            ("ori_in_world", " ".join(f"{value:.8f}" for value in np.roll(quat, 1))),
        ):
            ElementTree.SubElement(entry, tag).text = text
    ElementTree.indent(scene)
    write_bytes(path, ElementTree.tostring(scene, encoding="utf-8", xml_declaration=True))


def read_annotation(path: Path) -> tuple[tuple[int, ...], Float64Array]:
    """Return ids and T_camera_objects (N, 4, 4); raises DatasetError."""
    try:
        entries = ElementTree.parse(path).getroot().findall("obj")
        ids = tuple(int(_text(entry, "obj_id")) for entry in entries)
        poses = [
            pose_to_transform(
                _floats(entry, "pos_in_world"), np.roll(_unit(_floats(entry, "ori_in_world")), -1)
            )
            for entry in entries
        ]
    except (OSError, ElementTree.ParseError, ValueError) as error:
        raise DatasetError(f"{path}: not a GraspNet annotation ({error}); restore the file") from error
    return ids, np.array(poses).reshape(-1, 4, 4)


def write_meta(
    path: Path,
    object_ids: Sequence[int],
    T_camera_objects: NDArray[np.floating],
    intrinsic_matrix: NDArray[np.floating],
) -> None:
    """Write cls_indexes (N, 1), numbers from 1 as in the label image, poses (3, 4, N) and the camera."""
    buffer = io.BytesIO()
    content = {
        "cls_indexes": np.asarray(object_ids, dtype=np.int32).reshape(-1, 1) + 1,
        "poses": np.moveaxis(np.asarray(T_camera_objects, dtype=np.float32)[:, :3], 0, -1),
        "intrinsic_matrix": np.asarray(intrinsic_matrix, dtype=np.float64),
        "factor_depth": np.array([[DEPTH_UNITS_PER_M]]),
    }
    savemat(buffer, content, do_compression=True)
    # The first 116 bytes are a text with the time of day: the same scene should give the same bytes.
    header = b"MATLAB 5.0 MAT-file".ljust(116)
    write_bytes(path, header + buffer.getvalue()[116:])


def read_meta(path: Path) -> tuple[tuple[int, ...], Float64Array, Float64Array, float]:
    """Return ids (numbers from 0), T_camera_objects (N, 4, 4), the camera matrix, and depth units a metre.

    Raises DatasetError.
    """
    if not path.is_file():
        raise DatasetError(f"{path} is missing: the scene is incomplete; generate or download it again")
    try:
        meta = loadmat(path)
        ids = tuple(int(i) - 1 for i in meta["cls_indexes"].ravel())
        poses = np.tile(np.eye(4), (len(ids), 1, 1))
        poses[:, :3] = np.moveaxis(meta["poses"].reshape(3, 4, len(ids)), -1, 0)
        return (
            ids,
            poses,
            np.asarray(meta["intrinsic_matrix"], dtype=np.float64),
            float(np.ravel(meta["factor_depth"])[0]),
        )
    except (OSError, KeyError, ValueError, TypeError, IndexError, NotImplementedError) as error:
        raise DatasetError(f"{path}: not a GraspNet meta file ({error}); restore the file") from error


def _text(entry: ElementTree.Element, tag: str) -> str:
    text = entry.findtext(tag)
    if text is None:
        raise ValueError(f"<obj> without <{tag}>")
    return text


def _floats(entry: ElementTree.Element, tag: str) -> Float64Array:
    return np.array([float(part) for part in _text(entry, tag).split()])


def _unit(quat: Float64Array) -> Float64Array:
    return quat / max(float(np.linalg.norm(quat)), 1e-12)  # four decimals there
