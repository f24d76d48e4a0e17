# SPDX-License-Identifier: Apache-2.0
"""A calibration on disk: images, the robot's pose for each, the camera's intrinsics and the board.

    intrinsics.json   {"fx": 615.1, "fy": 615.0, "cx": 321.5, "cy": 238.8, "width": 640, "height": 480}
    poses.json        {"01.png": {"xyz_m": [0.4, -0.1, 0.5], "quat_xyzw": [0, 1, 0, 0]}, ...}
    board.json        optional; the fields of `BoardConfig`
    01.png ...        colour images, undistorted

A pose is the tool's (tool0, the flange) in the robot's base. Instead of `quat_xyzw` it may have `rotvec_rad`,
axis times angle, as a UR shows it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from anygrasp_perception.arrays import Float64Array, Uint8Array
from anygrasp_perception.atomic_files import write_atomically
from anygrasp_perception.calibration.board import Board, BoardConfig, BoardKind
from anygrasp_perception.calibration.diagnosis import explain_missing_board
from anygrasp_perception.calibration.views import BoardView, CalibrationError, board_pose
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.se3 import make_transform, pose_to_transform, rotation_to_quat_xyzw

__all__ = ["CalibrationData", "find_views", "load_board", "load_data", "save_data", "view_of_image"]

_INTRINSICS, _POSES, _BOARD = "intrinsics.json", "poses.json", "board.json"
_EXPLAINED = 1  # images without the board for which the reason is sought
_NO_BOARD_PX = 8.0  # beyond this it is another board; wrong intrinsics give less
_IMAGES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True, eq=False)
class CalibrationData:
    """Images by name, with T_base_tool where poses were asked for."""

    intrinsics: CameraIntrinsics
    images: dict[str, Uint8Array]  # (H, W, 3) RGB
    poses: dict[str, Float64Array]


def load_board(folder: Path) -> BoardConfig | None:
    """Return the board noted beside the images, or None.

    Raises:
        CalibrationError: the file is no board.
    """
    path = folder / _BOARD
    if not path.is_file():
        return None
    try:
        values = _object(path)
        return BoardConfig(**{**values, "kind": BoardKind(values.get("kind", BoardKind.CHARUCO))})
    except (TypeError, ValueError) as error:
        raise CalibrationError(f"{path}: {error}") from error


def load_data(folder: Path, *, with_poses: bool = True) -> CalibrationData:
    """Read a folder; `with_poses=False` needs none, and takes all images where there are none.

    Raises:
        CalibrationError: a file is missing or not what it should be, or the images are of another size.
    """
    for name in (_INTRINSICS, *([_POSES] if with_poses else [])):
        if not (folder / name).is_file():
            raise CalibrationError(f"{folder} has no {name}; see docs/calibration.md for what it holds")
    try:
        intrinsics = CameraIntrinsics.from_json(folder / _INTRINSICS)
    except ValueError as error:
        raise CalibrationError(str(error)) from error
    if with_poses:
        poses = {name: _pose(name, entry) for name, entry in _object(folder / _POSES).items()}
        names = list(poses)
    else:
        poses, names = {}, _image_names(folder)
    if not names:
        raise CalibrationError(f"{folder} holds no images")
    return CalibrationData(intrinsics, {name: _image(folder / name, intrinsics) for name in names}, poses)


def save_data(
    folder: Path,
    board: BoardConfig,
    intrinsics: CameraIntrinsics,
    images: dict[str, Uint8Array],
    poses: dict[str, Float64Array],
) -> None:
    """Write a folder as `load_data` reads it; images that are there already stay as they are.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in images.items():
        if not (folder / name).exists():
            written, content = cv2.imencode(Path(name).suffix, np.ascontiguousarray(image[..., ::-1]))
            if not written:
                raise OSError(f"cannot write {folder / name}")
            write_atomically(folder / name, content.tobytes())
    entries = {
        name: {"xyz_m": T[:3, 3].tolist(), "quat_xyzw": rotation_to_quat_xyzw(T[:3, :3]).tolist()}
        for name, T in poses.items()
    }
    files: dict[str, Any] = {_POSES: entries, _INTRINSICS: asdict(intrinsics), _BOARD: asdict(board)}
    for name, values in files.items():
        write_atomically(folder / name, (json.dumps(values, indent=1) + "\n").encode())


def find_views(data: CalibrationData, board: Board) -> tuple[list[BoardView], dict[str, str]]:
    """Return the views with the board, and why the other images show none, by name.

    Raises:
        CalibrationError: the board is in no image.
    """
    views: list[BoardView] = []
    missing: dict[str, str] = {}
    for name, image in data.images.items():
        pose = data.poses.get(name, np.eye(4))
        try:
            # Looking for the reason takes far longer than for the board, and it will be the same one.
            explain = len(missing) < _EXPLAINED
            views.append(view_of_image(name, image, pose, data.intrinsics, board, explain=explain))
        except CalibrationError as error:
            missing[name] = str(error)
    if not views:
        name, reason = next(iter(missing.items()))
        raise CalibrationError(
            f"the board ({board.config.describe()}) is in none of {len(missing)} images. {name}: {reason}"
        )
    return views, missing


def view_of_image(
    name: str,
    image: Uint8Array,
    T_base_tool: Float64Array,
    intrinsics: CameraIntrinsics,
    board: Board,
    *,
    explain: bool = True,
) -> BoardView:
    """Return the view of an (H, W, 3) image.

    Raises:
        CalibrationError: the board is not found; with `explain` it says why.
    """
    corners = board.find(image)
    if corners is None:
        raise CalibrationError(explain_missing_board(board, image) if explain else "the board is not found")
    T_camera_board, rms_px = board_pose(board, corners, intrinsics)
    if rms_px > _NO_BOARD_PX:
        raise CalibrationError(
            f"the points found are {rms_px:.0f} px from where {board.config.describe()} has them: check "
            "--kind, "
            "--columns and --rows"
        )
    return BoardView(name, corners, T_base_tool, T_camera_board)


def _image_names(folder: Path) -> list[str]:
    """The views of a session, or all images of a folder that knows nothing of poses."""
    if (folder / _POSES).is_file():
        return list(_object(folder / _POSES))
    return sorted(path.name for path in folder.iterdir() if path.suffix.lower() in _IMAGES)


def _pose(name: str, entry: Any) -> Float64Array:
    try:
        xyz_m = _numbers(entry["xyz_m"], 3)
        if "rotvec_rad" in entry:
            rotvec_rad = _numbers(entry["rotvec_rad"], 3)
            if np.linalg.norm(rotvec_rad) > 2.0 * np.pi + 1e-3:
                raise ValueError(
                    f"rotvec_rad has length {np.linalg.norm(rotvec_rad):.1f}, more than a full turn: "
                    "degrees? "
                    "give radians"
                )
            T_base_tool = make_transform(Rotation.from_rotvec(rotvec_rad).as_matrix(), xyz_m)
        else:
            T_base_tool = pose_to_transform(xyz_m, _numbers(entry["quat_xyzw"], 4))
    except (KeyError, TypeError) as error:
        raise CalibrationError(
            f'{_POSES}, {name}: give {{"xyz_m": [x, y, z], "quat_xyzw": [x, y, z, w]}} ({error!r})'
        ) from error
    except ValueError as error:
        raise CalibrationError(f"{_POSES}, {name}: {error}") from error
    return T_base_tool


def _numbers(values: Sequence[Any], count: int) -> Float64Array:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (count,) or not np.isfinite(array).all():
        raise ValueError(f"{values!r} must be {count} finite numbers")
    return array


def _object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CalibrationError(f"{path} is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise CalibrationError(f"{path} must hold a JSON object")
    return content


def _image(path: Path, intrinsics: CameraIntrinsics) -> Uint8Array:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
    if image is None:
        raise CalibrationError(f"{path} is {'not an image' if path.is_file() else 'not there'}")
    height, width = image.shape[:2]
    if (width, height) != (intrinsics.width, intrinsics.height):
        raise CalibrationError(
            f"{path.name} is {width}x{height}, the intrinsics are for "
            f"{intrinsics.width}x{intrinsics.height}: "
            "take those of the same stream; they do not scale when a camera crops"
        )
    return np.ascontiguousarray(image[..., ::-1])
