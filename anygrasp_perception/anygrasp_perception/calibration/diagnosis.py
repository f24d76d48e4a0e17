# SPDX-License-Identifier: Apache-2.0
"""Why a board is not found, and why views contradict each other: the usual mistakes, tried one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from anygrasp_perception.arrays import Float64Array, Uint8Array
from anygrasp_perception.calibration.board import DICTIONARIES, Board
from anygrasp_perception.calibration.hand_eye import relative_motions, solve_hand_eye
from anygrasp_perception.calibration.refinement import Reprojection
from anygrasp_perception.calibration.views import BoardView, Setup
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.se3 import inverse, make_transform

__all__ = ["explain_inconsistency", "explain_missing_board"]

_MARKERS_SEEN = 4  # of a dictionary, before it is believed: stray ones turn up in texture


def explain_missing_board(board: Board, image: Uint8Array) -> str:
    """Say why the board is not found in an (H, W, 3) image."""
    if board.find(np.ascontiguousarray(image[:, ::-1])) is not None:
        return "the image is mirrored: switch the camera's flip off"
    own = board.find_markers(image)
    if len(own) >= _MARKERS_SEEN:
        largest = int(own.max())
        if largest >= board.config.marker_count:
            return (
                f"marker {largest} is in the image, but {board.config.describe()} ends at "
                f"{board.config.marker_count - 1}: give the board's true --columns and --rows"
            )
        return (
            f"{len(own)} of its markers are seen, but their arrangement is not that of "
            f"{board.config.describe()}: "
            "check --kind, --columns and --rows"
        )
    for family, dictionaries in _families().items():
        if board.config.dictionary in dictionaries.values():
            continue
        found = board.find_markers(image, dictionaries[max(dictionaries)])
        if len(found) >= _MARKERS_SEEN:
            smallest = min(count for count in dictionaries if count > int(found.max()))
            return (
                f"{len(found)} markers of {family} are seen: give --dictionary {dictionaries[smallest]}, "
                "or a larger "
                "one of them"
            )
    if len(own):
        return (
            f"only {len(own)} of its {board.config.marker_count} markers are seen: is it covered or cut off?"
        )
    return "no marker is seen: is the board in view, lit evenly, sharp, and printed the right way round?"


def _families() -> dict[str, dict[int, str]]:
    """Dictionaries by kind and number of markers: a smaller one is the beginning of a larger."""
    families: dict[str, dict[int, str]] = {}
    for name in DICTIONARIES:
        family, _, count = name.rpartition("_")
        families.setdefault(family, {})[int(count) if count.isdigit() else 1024] = name
    return families


def explain_inconsistency(
    board: Board, intrinsics: CameraIntrinsics, setup: Setup, views: Sequence[BoardView], limit_px: float
) -> str:
    """Say which mistake would explain views that contradict each other."""
    mistakes: list[tuple[str, Setup, Callable[[Sequence[BoardView]], list[BoardView]]]] = [
        (
            f"They agree as {setup.other.value}: give --setup {setup.other.value}, or T_base_tool where "
            "the poses "
            "are T_tool_base",
            setup.other,
            list,
        ),
        ("They agree when the quaternions are read as w x y z: give them as x y z w", setup, _as_wxyz),
        (
            "They agree when each pose goes with the next image: poses and images are shifted by one",
            setup,
            lambda given: _shifted(given, -1),
        ),
        (
            "They agree when each pose goes with the image before: poses and images are shifted by one",
            setup,
            lambda given: _shifted(given, 1),
        ),
    ]
    for text, other_setup, change in mistakes:
        changed = change(views)
        if _closed_rms_px(board, intrinsics, other_setup, changed) < 2.0 * limit_px:
            return text
    return (
        "Usual reasons: the board or the camera moved, the arm was not yet at rest, poses of the flange "
        "and of a "
        "TCP are mixed, or the intrinsics are wrong (run `calibrate intrinsics`)"
    )


def _closed_rms_px(
    board: Board, intrinsics: CameraIntrinsics, setup: Setup, views: Sequence[BoardView]
) -> float:
    """Reprojection error of the best closed solution."""
    chain = [setup.T_mount_carrier(view.T_base_tool) for view in views]
    reprojection = Reprojection(board, intrinsics, setup, views)
    errors = [np.inf]
    for X in solve_hand_eye(relative_motions(chain, [view.T_camera_board for view in views])).values():
        boards = np.array(
            [inverse(A) @ X @ view.T_camera_board for A, view in zip(chain, views, strict=True)]
        )
        mean = Rotation.from_matrix(boards[:, :3, :3]).mean().as_matrix()
        errors.append(reprojection.rms_px(X, make_transform(mean, np.median(boards[:, :3, 3], axis=0))))
    return float(min(errors))


def _as_wxyz(views: Sequence[BoardView]) -> list[BoardView]:
    """The views whose quaternion x y z w was w x y z in truth."""
    return [replace(view, T_base_tool=_reordered(view.T_base_tool)) for view in views]


def _reordered(T_base_tool: Float64Array) -> Float64Array:
    first, *rest = Rotation.from_matrix(T_base_tool[:3, :3]).as_quat()
    return make_transform(Rotation.from_quat([*rest, first]).as_matrix(), T_base_tool[:3, 3])


def _shifted(views: Sequence[BoardView], by: int) -> list[BoardView]:
    poses = [view.T_base_tool for view in views]
    moved = poses[by:] + poses[:by]
    return [replace(view, T_base_tool=pose) for view, pose in zip(views, moved, strict=True)]
