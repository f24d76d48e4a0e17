# SPDX-License-Identifier: Apache-2.0
"""From views to a hand-eye calibration: closed solutions, the most consistent one refined, judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.calibration.board import Board
from anygrasp_perception.calibration.diagnosis import explain_inconsistency
from anygrasp_perception.calibration.diversity import DiversityLimits, check_diversity
from anygrasp_perception.calibration.hand_eye import relative_motions, solve_hand_eye
from anygrasp_perception.calibration.refinement import Fit, Reprojection
from anygrasp_perception.calibration.views import BoardView, CalibrationError, Setup
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.se3 import inverse, make_transform, rotation_angle

__all__ = [
    "CalibrationLimits",
    "Consistency",
    "HandEyeCalibration",
    "calibrate",
    "closed_solution",
    "consistency",
    "mean_board",
]


@dataclass(frozen=True)
class CalibrationLimits:
    """What a calibration must reach to be written; raises ValueError when not positive."""

    rms_px: float = 2.0  # reprojection error
    position_m: float = 0.005  # consistency of the board's place over the views
    angle_deg: float = 0.7
    scale: float = 0.008  # share by which the board may seem larger or smaller than given
    outlier_px: float = 1.0  # a view worse than this, and than four times the median, is left out
    outliers: float = 0.2  # at most this share of the views

    def __post_init__(self) -> None:
        if min(vars(self).values()) <= 0:
            raise ValueError("every limit of a calibration must be positive")


@dataclass(frozen=True)
class Consistency:
    """How far the board seems to move in the frame it is fixed to: root mean square over the views."""

    position_m: float
    angle_deg: float


@dataclass(frozen=True, eq=False)
class HandEyeCalibration:
    """Where the camera is, and how well the views agree on it."""

    setup: Setup
    T_mount_camera: Float64Array  # mount: base or tool; camera: colour optical frame
    T_carrier_board: Float64Array
    views: tuple[BoardView, ...]  # those used
    left_out: tuple[str, ...]  # names of views that contradict the others
    residuals_px: Float64Array  # (N, 2) predicted minus found, all corners of `views` in their order
    method: str  # the closed solution it started from
    method_rms_px: dict[str, float]  # reprojection error of each closed solution
    rms_px: float
    consistency: Consistency
    board_scale: float  # size of the board that the robot's motions ask for, 1 as given
    uncertainty_m: float  # standard error of the camera's position
    uncertainty_deg: float


def calibrate(
    board: Board,
    intrinsics: CameraIntrinsics,
    setup: Setup,
    views: Sequence[BoardView],
    limits: CalibrationLimits = CalibrationLimits(),  # frozen
    diversity: DiversityLimits = DiversityLimits(),  # noqa: B008
) -> HandEyeCalibration:
    """Solve for the camera's pose.

    Raises:
        CalibrationError: too few or too similar views, or views that contradict each other, and why.
    """
    check_diversity([view.T_base_tool for view in views], diversity)
    X, Z, method, errors = closed_solution(board, intrinsics, setup, views)
    fit = Reprojection(board, intrinsics, setup, views).refine(X, Z)
    kept = _without_outliers(board, intrinsics, setup, views, fit, limits)
    if len(kept) < diversity.least_views:
        kept = list(views)
    reprojection = Reprojection(board, intrinsics, setup, kept)
    fit = reprojection.refine(fit.T_mount_camera, fit.T_carrier_board)
    X, Z = fit.T_mount_camera, fit.T_carrier_board
    rms_px, agreement = reprojection.rms_px(X, Z), consistency(setup, kept, X, Z)
    free = reprojection.refine_with_scale(X, Z)
    scale = free.board_scale
    explains = reprojection.rms_px(free.T_mount_camera, free.T_carrier_board, scale) <= limits.rms_px
    if explains and abs(scale - 1.0) > limits.scale:
        raise CalibrationError(
            f"by the robot's motions the board is {abs(scale - 1.0):.1%} "
            f"{'larger' if scale > 1 else 'smaller'} "
            f"than given: measure a square, it should have {board.config.square_m * scale * 1e3:.2f} mm, "
            "and give "
            "it with --square. If it does not, the focal length is wrong: run `calibrate intrinsics`"
        )
    if (
        rms_px > limits.rms_px
        or agreement.position_m > limits.position_m
        or agreement.angle_deg > limits.angle_deg
    ):
        raise CalibrationError(
            f"the views contradict each other: {rms_px:.1f} px reprojection error (limit "
            f"{limits.rms_px:g}), the "
            f"board seems to move by {agreement.position_m * 1e3:.1f} mm (limit "
            f"{limits.position_m * 1e3:g}) and "
            f"{agreement.angle_deg:.1f} deg (limit {limits.angle_deg:g}). "
            + explain_inconsistency(board, intrinsics, setup, views, limits.rms_px)
        )
    return HandEyeCalibration(
        setup=setup,
        T_mount_camera=X,
        T_carrier_board=Z,
        views=tuple(kept),
        left_out=tuple(view.name for view in views if view not in kept),
        residuals_px=reprojection.residuals(X, Z),
        method=method,
        method_rms_px=errors,
        rms_px=rms_px,
        consistency=agreement,
        board_scale=scale,
        uncertainty_m=fit.uncertainty_m,
        uncertainty_deg=fit.uncertainty_deg,
    )


def consistency(
    setup: Setup, views: Sequence[BoardView], T_mount_camera: Float64Array, T_carrier_board: Float64Array
) -> Consistency:
    """How far each view alone puts the board from where all put it."""
    seen = _boards(setup, views, T_mount_camera)
    offsets = np.linalg.norm(seen[:, :3, 3] - T_carrier_board[:3, 3], axis=1)
    angles = rotation_angle(seen[:, :3, :3], T_carrier_board[:3, :3])
    return Consistency(float(np.sqrt(np.mean(offsets**2))), float(np.rad2deg(np.sqrt(np.mean(angles**2)))))


def mean_board(setup: Setup, views: Sequence[BoardView], T_mount_camera: Float64Array) -> Float64Array:
    """T_carrier_board as the mean over the views."""
    seen = _boards(setup, views, T_mount_camera)
    return make_transform(
        Rotation.from_matrix(seen[:, :3, :3]).mean().as_matrix(), np.median(seen[:, :3, 3], 0)
    )


def _boards(setup: Setup, views: Sequence[BoardView], T_mount_camera: Float64Array) -> Float64Array:
    """(V, 4, 4) T_carrier_board by each view."""
    return np.array(
        [
            inverse(setup.T_mount_carrier(view.T_base_tool)) @ T_mount_camera @ view.T_camera_board
            for view in views
        ]
    )


def closed_solution(
    board: Board, intrinsics: CameraIntrinsics, setup: Setup, views: Sequence[BoardView]
) -> tuple[Float64Array, Float64Array, str, dict[str, float]]:
    """The closed solution whose prediction fits the corners best."""
    motions = relative_motions(
        [setup.T_mount_carrier(view.T_base_tool) for view in views], [view.T_camera_board for view in views]
    )
    reprojection = Reprojection(board, intrinsics, setup, views)
    found = {name: (X, mean_board(setup, views, X)) for name, X in solve_hand_eye(motions).items()}
    if not found:
        raise CalibrationError("no method finds a solution; are the poses and images of the same moments?")
    errors = {name: reprojection.rms_px(X, Z) for name, (X, Z) in found.items()}
    best = min(errors, key=lambda name: errors[name])
    return (*found[best], best, errors)


def _without_outliers(
    board: Board,
    intrinsics: CameraIntrinsics,
    setup: Setup,
    views: Sequence[BoardView],
    fit: Fit,
    limits: CalibrationLimits,
) -> list[BoardView]:
    """The views but the few that contradict the others, such as one taken while the arm still moved."""
    X, Z = fit.T_mount_camera, fit.T_carrier_board
    errors = np.array([Reprojection(board, intrinsics, setup, [view]).rms_px(X, Z) for view in views])
    bad = errors > max(limits.outlier_px, 4.0 * float(np.median(errors)))
    if np.count_nonzero(bad) > limits.outliers * len(views):
        return list(views)
    return [view for view, is_bad in zip(views, bad, strict=True) if not is_bad]
