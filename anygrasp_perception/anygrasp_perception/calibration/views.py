# SPDX-License-Identifier: Apache-2.0
"""Views of a board with the robot's pose, and what both camera set-ups have in common."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.calibration.board import Board, BoardCorners
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.se3 import inverse, make_transform

__all__ = ["BoardView", "CalibrationError", "Setup", "board_pose"]


class CalibrationError(ValueError):
    """Views that give no calibration to rely on; the message says why and what to do."""


class Setup(str, Enum):
    """Where the camera is.

    In both, with mount the frame that the camera is fixed to and carrier the one that the board is:
    `T_camera_board = inverse(T_mount_camera) @ T_mount_carrier @ T_carrier_board`; `T_mount_carrier` is what
    the robot reports, `T_mount_camera` what is looked for.
    """

    EYE_TO_HAND = "eye-to-hand"  # camera beside the robot (mount: base), board on the tool
    EYE_IN_HAND = "eye-in-hand"  # camera on the tool (mount: tool0), board beside the robot

    def T_mount_carrier(self, T_base_tool: Float64Array) -> Float64Array:
        """The robot's part of the chain."""
        return T_base_tool if self is Setup.EYE_TO_HAND else inverse(T_base_tool)

    @property
    def other(self) -> Setup:
        """The set-up that this one is mistaken for."""
        return Setup.EYE_IN_HAND if self is Setup.EYE_TO_HAND else Setup.EYE_TO_HAND


@dataclass(frozen=True, eq=False)
class BoardView:
    """The board seen from one pose of the robot."""

    name: str
    corners: BoardCorners
    T_base_tool: Float64Array
    T_camera_board: Float64Array  # from these corners alone


def board_pose(
    board: Board, corners: BoardCorners, intrinsics: CameraIntrinsics
) -> tuple[Float64Array, float]:
    """Return T_camera_board and its root mean square reprojection error in pixels.

    Raises:
        CalibrationError: no pose puts the board in front of the camera.
    """
    points, matrix = board.points_m[corners.ids], intrinsics.matrix
    found, rotations, translations, errors = cv2.solvePnPGeneric(
        points, corners.pixels, matrix, None, flags=cv2.SOLVEPNP_IPPE
    )
    poses = [
        (float(np.ravel(error)[0]), rotation, translation)
        for rotation, translation, error in zip(rotations, translations, errors, strict=True)
        if np.isfinite(translation).all() and translation[2] > 0
    ]
    if not found or not poses:
        raise CalibrationError("the points found do not fit a board in front of the camera")
    _, rotation, translation = min(poses, key=lambda pose: pose[0])
    rotation, translation = cv2.solvePnPRefineLM(points, corners.pixels, matrix, None, rotation, translation)
    T_camera_board = make_transform(cv2.Rodrigues(rotation)[0], np.ravel(translation))
    residuals = intrinsics.project(points @ T_camera_board[:3, :3].T + T_camera_board[:3, 3]) - corners.pixels
    return T_camera_board, float(np.sqrt(np.mean(np.sum(residuals**2, axis=1))))
