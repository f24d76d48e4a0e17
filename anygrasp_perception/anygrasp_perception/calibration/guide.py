# SPDX-License-Identifier: Apache-2.0
"""Which pose of the robot to take the next view from, until the poses are diverse enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.spatial.transform import Rotation

from anygrasp_perception.arrays import BoolArray, Float64Array
from anygrasp_perception.calibration.board import Board
from anygrasp_perception.calibration.diversity import DiversityLimits, pose_diversity
from anygrasp_perception.calibration.solution import closed_solution
from anygrasp_perception.calibration.views import BoardView, CalibrationError, Setup
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.se3 import inverse, make_transform, rotation_angle, transform_points

__all__ = ["NextPose", "same_pose", "suggest_pose"]

_BLIND_VIEWS = 4  # until so many, the tool is only turned a little: nobody knows yet where the camera is
_BLIND_TURN_RAD = np.deg2rad(12.0)
_BLIND_AXES = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (-1.0, -1.0, 0.0))
_TILTS_DEG = (0.0, 18.0, 30.0)
_DIRECTIONS = 6  # of the tilt, around the line of sight
_ROLLS_DEG = (-40.0, 0.0, 40.0)
_DISTANCES = (0.8, 1.0, 1.2)  # of the first view's
_OFFSETS = (
    (0.0, 0.0),
    (-0.15, -0.15),
    (-0.15, 0.15),
    (0.15, -0.15),
    (0.15, 0.15),
)  # of the board's middle from
# the image's, as a share of its size
_SAME_M, _SAME_RAD = 0.005, np.deg2rad(2.0)  # poses nearer to each other than both are one
_EDGE = 0.04  # share of the image that the board keeps clear of
_REACH_M, _REACH_RAD = 0.35, np.deg2rad(75.0)  # from the first pose: the arm got there, so it may get here
_M_PER_RAD = 0.3  # how much travel counts as much as a turn


@dataclass(frozen=True, eq=False)
class NextPose:
    """Where to move the tool, and that in words."""

    T_base_tool: Float64Array
    text: str


def suggest_pose(
    board: Board,
    intrinsics: CameraIntrinsics,
    setup: Setup,
    views: Sequence[BoardView],
    limits: DiversityLimits,
    allowed: Callable[[Float64Array], bool] = lambda T_base_tool: True,
) -> NextPose | None:
    """Return the next pose, of those `allowed`, or None when there are views enough.

    The first few only turn the tool, since the board has to stay in view of a camera whose place is unknown;
    from then on a preliminary calibration predicts what the camera will see. Nothing is moved here, and
    nothing is known of obstacles: whoever moves the arm looks out for them.

    Raises:
        CalibrationError: there is no first view yet, or no pose is allowed.
    """
    if not views:
        raise CalibrationError(
            "move the arm so that the camera sees the whole board, and take the first view"
        )
    poses = [view.T_base_tool for view in views]
    if pose_diversity(poses).enough(limits):
        return None
    if len(views) < _BLIND_VIEWS:
        useful = _blind_poses(poses)
    else:
        X, Z, _, _ = closed_solution(board, intrinsics, setup, views)
        seen = list(_candidates(board, intrinsics, setup, views[0], X, Z))
        candidates = np.array(seen).reshape(-1, 4, 4)
        candidates = candidates[_reachable(candidates, poses[0])]
        if not len(candidates):
            raise CalibrationError(
                "the board fills the image: no tilted view of it stays inside. Start farther away from it"
            )
        gains = _distances(candidates, np.array(poses)).min(axis=1)
        useful = list(candidates[np.argsort(-gains)])
    for target in useful:
        if allowed(target):
            return NextPose(target, _in_words(poses[-1], target))
    raise CalibrationError(
        f"none of {len(useful)} useful poses is allowed: start from a pose with more room around it, or "
        "widen the limits"
    )


def _blind_poses(taken: Sequence[Float64Array]) -> list[Float64Array]:
    """The tool turned where it stood first, this way or that; none that was taken already."""
    poses = []
    for i, sign in product(range(len(_BLIND_AXES)), (1.0, -1.0)):
        axis = sign * np.array(_BLIND_AXES[(len(taken) - 1 + i) % len(_BLIND_AXES)])
        turn = Rotation.from_rotvec(axis / np.linalg.norm(axis) * _BLIND_TURN_RAD).as_matrix()
        pose = taken[0] @ make_transform(turn, (0.0, 0.0, 0.0))
        if not any(same_pose(pose, other) for other in taken):
            poses.append(pose)
    return poses


def same_pose(a: Float64Array, b: Float64Array) -> bool:
    """Whether two poses (4, 4) are so near to each other that they show the same."""
    near = np.linalg.norm(a[:3, 3] - b[:3, 3]) < _SAME_M
    return bool(near and rotation_angle(a[:3, :3], b[:3, :3]) < _SAME_RAD)


def _candidates(
    board: Board,
    intrinsics: CameraIntrinsics,
    setup: Setup,
    first: BoardView,
    X: Float64Array,
    Z: Float64Array,
) -> Iterator[Float64Array]:
    """Poses T_base_tool from which the camera sees all of the board, tilted, turned, near, far, aside."""
    upright = first.T_camera_board[:3, :3]
    # The board as the first view shows it, but square to the line of sight.
    facing = Rotation.align_vectors([[0.0, 0.0, 1.0]], [upright[:, 2]])[0].as_matrix() @ upright
    distance_m = float(first.T_camera_board[:3] @ np.append(board.center_m, 1.0) @ [0.0, 0.0, 1.0])
    tilts = [
        Rotation.from_rotvec(np.deg2rad(tilt) * np.array([np.cos(a), np.sin(a), 0.0]))
        for tilt in _TILTS_DEG
        for a in np.arange(_DIRECTIONS if tilt else 1) * 2 * np.pi / _DIRECTIONS
    ]
    size = np.array([intrinsics.width, intrinsics.height])
    for tilt, roll, factor, (u, v) in product(tilts, _ROLLS_DEG, _DISTANCES, _OFFSETS):
        R = tilt.as_matrix() @ Rotation.from_euler("z", roll, degrees=True).as_matrix() @ facing
        z = factor * distance_m
        middle = z * np.array([u * size[0] / intrinsics.fx, v * size[1] / intrinsics.fy, 1.0])
        T_camera_board = np.eye(4)  # not by make_transform: there are hundreds, and R is a rotation
        T_camera_board[:3, :3], T_camera_board[:3, 3] = R, middle - R @ board.center_m
        if _in_view(board, intrinsics, T_camera_board):
            T_mount_carrier = X @ T_camera_board @ inverse(Z)
            yield setup.T_mount_carrier(T_mount_carrier)  # which is its own inverse in either set-up


def _in_view(board: Board, intrinsics: CameraIntrinsics, T_camera_board: Float64Array) -> bool:
    width, height = board.config.size_m
    outline = np.array([[0, 0, 0], [width, 0, 0], [width, height, 0], [0, height, 0]], float)
    pixels = intrinsics.project(transform_points(T_camera_board, outline))
    size = np.array([intrinsics.width, intrinsics.height])
    return bool(np.all((pixels > _EDGE * size) & (pixels < (1.0 - _EDGE) * size)))


def _reachable(poses: Float64Array, first: Float64Array) -> BoolArray:
    """Which of (C, 4, 4) poses are near enough to one that the arm has reached."""
    near = np.linalg.norm(poses[:, :3, 3] - first[:3, 3], axis=1) <= _REACH_M
    return np.asarray(near & (rotation_angle(poses[:, :3, :3], first[:3, :3]) <= _REACH_RAD))


def _distances(a: Float64Array, b: Float64Array) -> Float64Array:
    """(A, B) how much poses differ, in radians."""
    turns = rotation_angle(a[:, None, :3, :3], b[None, :, :3, :3])
    steps = np.linalg.norm(a[:, None, :3, 3] - b[None, :, :3, 3], axis=-1)
    return np.asarray(turns + steps / _M_PER_RAD)


def _in_words(now: Float64Array, target: Float64Array) -> str:
    step_mm = 1e3 * (target[:3, 3] - now[:3, 3])
    turn = Rotation.from_matrix(now[:3, :3].T @ target[:3, :3]).as_rotvec(degrees=True)
    x, y, z = 1e3 * target[:3, 3]
    rx, ry, rz = Rotation.from_matrix(target[:3, :3]).as_rotvec()
    return (
        f"move by {step_mm[0]:+.0f} {step_mm[1]:+.0f} {step_mm[2]:+.0f} mm along the base's x y z and "
        "turn by "
        f"{turn[0]:+.0f} {turn[1]:+.0f} {turn[2]:+.0f} deg about the tool's x y z, to x y z {x:.0f} {y:.0f} "
        f"{z:.0f} mm, rotation vector {rx:.3f} {ry:.3f} {rz:.3f} rad"
    )
