# SPDX-License-Identifier: Apache-2.0
"""Whether the intrinsics that a camera gives (camera_info) fit its images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.calibration.board import Board, BoardCorners
from anygrasp_perception.calibration.views import CalibrationError, board_pose
from anygrasp_perception.camera import CameraIntrinsics

__all__ = ["IntrinsicsCheck", "Verdict", "check_intrinsics"]

_LEAST_VIEWS = 4
_TOLERATED_M = 0.0015  # misplacement that picking does not notice
_SIGMAS = 3.0
_PINHOLE = (
    cv2.CALIB_USE_INTRINSIC_GUESS
    | cv2.CALIB_ZERO_TANGENT_DIST
    | cv2.CALIB_FIX_K1
    | cv2.CALIB_FIX_K2
    | cv2.CALIB_FIX_K3
)
_RADIAL = cv2.CALIB_USE_INTRINSIC_GUESS | cv2.CALIB_ZERO_TANGENT_DIST | cv2.CALIB_FIX_K3


class Verdict(str, Enum):
    """What the views say."""

    MATCH = "MATCH"
    DIFFER = "DIFFER"
    DISTORTED = "DISTORTED"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True)
class IntrinsicsCheck:
    """Given and fitted intrinsics, and what their difference does."""

    verdict: Verdict
    views: int
    given: CameraIntrinsics
    fitted: CameraIntrinsics
    sigma_px: tuple[float, float, float, float]  # standard errors of fx, fy, cx, cy
    given_rms_px: float  # reprojection error of the board, each view's pose free
    fitted_rms_px: float
    distance_m: float  # median distance of the board
    misplaced_m: float  # at that distance, the most that a point anywhere in the image is misplaced
    misplaced_sigma_m: float
    distortion_px: float  # how far a fitted lens distortion moves a corner of the image

    def describe(self) -> str:
        """Verdict, table, and what to do."""
        lines = [
            f"{self.verdict.value}: {self._meaning()}",
            "        given  fitted    +-   difference",
        ]
        for name, sigma in zip(("fx", "fy", "cx", "cy"), self.sigma_px, strict=True):
            given, fitted = getattr(self.given, name), getattr(self.fitted, name)
            lines.append(f"  {name} {given:8.2f} {fitted:7.2f} {sigma:5.2f}   {given - fitted:+7.2f} px")
        lines.append(
            f"reprojection {self.given_rms_px:.3f} px with the given, {self.fitted_rms_px:.3f} px with "
            "the fitted "
            f"ones, {self.views} views at {self.distance_m:.2f} m"
        )
        return "\n".join(lines)

    def _meaning(self) -> str:
        misplaced = (
            f"at {self.distance_m:.2f} m a point is misplaced by up to {self.misplaced_m * 1e3:.1f} mm "
            f"(+- {self.misplaced_sigma_m * 1e3:.1f})"
        )
        if self.verdict is Verdict.MATCH:
            return f"the intrinsics fit the images; {misplaced}"
        if self.verdict is Verdict.UNDECIDED:
            return (
                f"these views cannot tell: {misplaced}. Take more, with the board tilted by 30 deg to "
                "all sides "
                "and in all corners of the image"
            )
        if self.verdict is Verdict.DISTORTED:
            return (
                f"the images are distorted by up to {self.distortion_px:.1f} px: they are not rectified, but "
                "everything here takes them for a pinhole camera's. Use a rectified topic (our camera "
                "node rectifies)"
            )
        ratio = (self.given.fx / self.fitted.fx + self.given.fy / self.fitted.fy) / 2
        if abs(ratio - 1) > 0.05:
            return (
                f"the given focal lengths are {ratio:.2f} times the true ones, as of another resolution "
                "or camera; "
                f"{misplaced}. Take camera_info from the stream that the images come from"
            )
        return (
            f"the intrinsics do not fit the images: {misplaced}. Calibrate the camera, or use the fitted ones"
        )


def check_intrinsics(
    board: Board, intrinsics: CameraIntrinsics, seen: Sequence[BoardCorners]
) -> IntrinsicsCheck:
    """Fit a pinhole camera to views of a board and compare it with the given one.

    Raises:
        CalibrationError: fewer than four views, or the fit fails.
    """
    if len(seen) < _LEAST_VIEWS:
        raise CalibrationError(
            f"{len(seen)} views with the board, but {_LEAST_VIEWS} are needed and 10 are good"
        )
    poses = [board_pose(board, corners, intrinsics) for corners in seen]
    given_rms_px = float(np.sqrt(np.mean([rms**2 for _, rms in poses])))
    fitted, sigma, fitted_rms_px, _ = _fit(board, intrinsics, seen, _PINHOLE)
    _, _, radial_rms_px, distortion = _fit(board, fitted, seen, _RADIAL)
    distortion_px = _corner_shift_px(fitted, distortion)
    center = np.append(board.center_m, 1.0)
    distance_m = float(np.median([(T @ center)[2] for T, _ in poses])) * fitted.fx / intrinsics.fx
    misplaced_m = distance_m * _ray_difference(intrinsics, fitted)
    shifted = CameraIntrinsics(
        fitted.fx + sigma[0],
        fitted.fy + sigma[1],
        max(fitted.cx + sigma[2], 0.0),
        max(fitted.cy + sigma[3], 0.0),
        fitted.width,
        fitted.height,
    )
    sigma_m = distance_m * _ray_difference(fitted, shifted)
    if radial_rms_px < 0.7 * fitted_rms_px and distortion_px > 1.0:
        verdict = Verdict.DISTORTED
    elif misplaced_m > max(_TOLERATED_M, _SIGMAS * sigma_m):
        verdict = Verdict.DIFFER
    elif sigma_m > _TOLERATED_M:
        verdict = Verdict.UNDECIDED
    else:
        verdict = Verdict.MATCH
    return IntrinsicsCheck(
        verdict=verdict,
        views=len(seen),
        given=intrinsics,
        fitted=fitted,
        sigma_px=sigma,
        given_rms_px=given_rms_px,
        fitted_rms_px=fitted_rms_px,
        distance_m=distance_m,
        misplaced_m=misplaced_m,
        misplaced_sigma_m=sigma_m,
        distortion_px=distortion_px,
    )


def _fit(
    board: Board, start: CameraIntrinsics, seen: Sequence[BoardCorners], flags: int
) -> tuple[CameraIntrinsics, tuple[float, float, float, float], float, Float64Array]:
    points = [board.points_m[corners.ids].astype(np.float32) for corners in seen]
    pixels = [corners.pixels.astype(np.float32) for corners in seen]
    try:
        rms_px, K, distortion, _, _, sigma, _, _ = cv2.calibrateCameraExtended(
            points, pixels, (start.width, start.height), start.matrix, np.zeros(5), flags=flags
        )
        fitted = CameraIntrinsics.from_matrix(K, start.width, start.height)
    except (cv2.error, ValueError) as error:
        raise CalibrationError(f"no camera fits these views: {error}") from error
    fx, fy, cx, cy = np.ravel(sigma)[:4].tolist()
    return fitted, (fx, fy, cx, cy), float(rms_px), np.ravel(distortion)


def _outline(camera: CameraIntrinsics) -> Float64Array:
    """(4, 2) corner pixels of the image."""
    right, bottom = camera.width - 1.0, camera.height - 1.0
    return np.array([[0.0, 0.0], [right, 0.0], [0.0, bottom], [right, bottom]])


def _ray_difference(a: CameraIntrinsics, b: CameraIntrinsics) -> float:
    """The most that a ray of the image differs, at unit distance."""
    pixels = _outline(a)
    rays = [(pixels - (c.cx, c.cy)) / (c.fx, c.fy) for c in (a, b)]
    return float(np.linalg.norm(rays[0] - rays[1], axis=1).max())


def _corner_shift_px(camera: CameraIntrinsics, distortion: Float64Array) -> float:
    """How far radial distortion moves a point half-way to the corners, where boards have been seen."""
    rays = (_outline(camera) - (camera.cx, camera.cy)) / (camera.fx, camera.fy) * 0.5
    r2 = np.sum(rays**2, axis=1, keepdims=True)
    shift = rays * (distortion[0] * r2 + distortion[1] * r2**2) * (camera.fx, camera.fy)
    return float(np.linalg.norm(shift, axis=1).max())
