# SPDX-License-Identifier: Apache-2.0
"""How good a calibration still is, from a few new views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.calibration.board import Board
from anygrasp_perception.calibration.diversity import DiversityLimits, check_diversity
from anygrasp_perception.calibration.refinement import Reprojection
from anygrasp_perception.calibration.solution import Consistency, consistency, mean_board
from anygrasp_perception.calibration.views import BoardView, Setup
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.se3 import inverse, rotation_angle

__all__ = ["CalibrationCheck", "check_calibration"]

_FEW = DiversityLimits(least_views=4, least_turn_deg=5.0)
_GOOD_M, _GOOD_DEG = 0.002, 0.3
_SIGMAS = 3.0


@dataclass(frozen=True)
class CalibrationCheck:
    """What new views say about a calibration."""

    views: int
    rms_px: float  # reprojection error with the camera where the calibration has it
    consistency: Consistency
    moved_m: float  # from where the calibration has the camera to where the views have it
    moved_deg: float
    uncertainty_m: float  # standard error of that
    uncertainty_deg: float

    @property
    def good(self) -> bool:
        """Whether the camera is where the calibration says, as far as these views can tell."""
        return self.moved_m <= max(_GOOD_M, _SIGMAS * self.uncertainty_m) and self.moved_deg <= max(
            _GOOD_DEG, _SIGMAS * self.uncertainty_deg
        )

    def describe(self) -> str:
        """The verdict, its figures and what to do."""
        figures = (
            f"{self.views} views: the camera is {self.moved_m * 1e3:.1f} mm (+- "
            f"{self.uncertainty_m * 1e3:.1f}) "
            f"and {self.moved_deg:.2f} deg (+- {self.uncertainty_deg:.2f}) from where the calibration "
            "has it; "
            f"with the calibration {self.rms_px:.2f} px, {self.consistency.position_m * 1e3:.1f} mm and "
            f"{self.consistency.angle_deg:.2f} deg of inconsistency"
        )
        if not self.good:
            return f"BAD: {figures}. The camera or its mount has moved: calibrate anew"
        if self.uncertainty_m > _GOOD_M or self.uncertainty_deg > _GOOD_DEG:
            return f"UNSURE: {figures}. Take more views, tilted more"
        return f"GOOD: {figures}"


def check_calibration(
    board: Board,
    intrinsics: CameraIntrinsics,
    setup: Setup,
    views: Sequence[BoardView],
    T_mount_camera: Float64Array,
) -> CalibrationCheck:
    """Compare a calibration with new views; where the board is fixed does not matter.

    Raises:
        CalibrationError: fewer than four views, or all turned about one axis.
    """
    check_diversity([view.T_base_tool for view in views], _FEW)
    reprojection = Reprojection(board, intrinsics, setup, views)
    T_carrier_board = reprojection.fit_board(T_mount_camera, mean_board(setup, views, T_mount_camera))
    fit = reprojection.refine(T_mount_camera, T_carrier_board)
    moved = inverse(T_mount_camera) @ fit.T_mount_camera
    return CalibrationCheck(
        views=len(views),
        rms_px=reprojection.rms_px(T_mount_camera, T_carrier_board),
        consistency=consistency(setup, views, T_mount_camera, T_carrier_board),
        moved_m=float(np.linalg.norm(moved[:3, 3])),
        moved_deg=float(np.rad2deg(rotation_angle(moved[:3, :3], np.eye(3)))),
        uncertainty_m=fit.uncertainty_m,
        uncertainty_deg=fit.uncertainty_deg,
    )
