# SPDX-License-Identifier: Apache-2.0
"""Joint refinement of both unknown transforms over the reprojection of every corner of every view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from anygrasp_perception.arrays import BoolArray, Float64Array, IntpArray
from anygrasp_perception.calibration.board import Board
from anygrasp_perception.calibration.views import BoardView, Setup
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.se3 import inverse

__all__ = ["Fit", "MeasurementNoise", "Reprojection"]

_MOST_STEPS = 20  # views that belong together need a handful
_BEHIND_PX = 1e4  # of a corner that is predicted behind the camera


@dataclass(frozen=True)
class MeasurementNoise:
    """How far to trust corners and robot; raises ValueError when not positive.

    An error of the robot's pose moves all corners of a view alike, by pixels, while each corner is found to a
    tenth of one: without a model of it a fit would explain the robot's errors by a wrong camera pose.
    """

    corner_px: float = 0.1  # standard deviations
    position_m: float = 0.0002
    angle_rad: float = 0.001

    def __post_init__(self) -> None:
        if min(self.corner_px, self.position_m, self.angle_rad) <= 0:
            raise ValueError("corner_px, position_m and angle_rad must be positive")


@dataclass(frozen=True, eq=False)
class Fit:
    """The most likely transforms, and the standard error of the first."""

    T_mount_camera: Float64Array
    T_carrier_board: Float64Array
    board_scale: float
    uncertainty_m: float
    uncertainty_deg: float


class Reprojection:
    """The corners of all views, and where a pair of transforms predicts them."""

    def __init__(
        self,
        board: Board,
        intrinsics: CameraIntrinsics,
        setup: Setup,
        views: Sequence[BoardView],
        noise: MeasurementNoise = MeasurementNoise(),  # frozen
    ) -> None:
        self._intrinsics, self._setup, self._noise = intrinsics, setup, noise
        counts = [len(view.corners) for view in views]
        self.view_of: IntpArray = np.repeat(np.arange(len(views)), counts)
        self.pixels: Float64Array = np.concatenate([view.corners.pixels for view in views])
        self._points_m = np.concatenate([board.points_m[view.corners.ids] for view in views])
        chain = np.array([setup.T_mount_carrier(view.T_base_tool) for view in views])
        self._T_base_tool = [view.T_base_tool for view in views]
        self._rows = [np.flatnonzero(self.view_of == i) for i in range(len(views))]
        self._R, self._t = chain[self.view_of, :3, :3], chain[self.view_of, :3, 3]

    def residuals(
        self, T_mount_camera: Float64Array, T_carrier_board: Float64Array, board_scale: float = 1.0
    ) -> Float64Array:
        """(N, 2) predicted minus found, pixels; `board_scale` stretches the board."""
        return self._residuals(T_mount_camera, T_carrier_board, self._R, self._t, board_scale)

    def rms_px(
        self, T_mount_camera: Float64Array, T_carrier_board: Float64Array, board_scale: float = 1.0
    ) -> float:
        """Root mean square distance of a corner from its prediction."""
        residuals = self.residuals(T_mount_camera, T_carrier_board, board_scale)
        return float(np.sqrt(np.mean(np.sum(residuals**2, axis=1))))

    def refine(self, T_mount_camera: Float64Array, T_carrier_board: Float64Array) -> Fit:
        """Return both transforms where corners and robot are most likely, from a start near them."""
        return self._fit(T_mount_camera, T_carrier_board, np.r_[np.ones(12, bool), False])

    def refine_with_scale(self, T_mount_camera: Float64Array, T_carrier_board: Float64Array) -> Fit:
        """As `refine`, with the size of the board free too: the robot's motions tell it."""
        return self._fit(T_mount_camera, T_carrier_board, np.ones(13, bool))

    def fit_board(self, T_mount_camera: Float64Array, T_carrier_board: Float64Array) -> Float64Array:
        """Return T_carrier_board where it is most likely with the camera left where it is."""
        only_board = np.r_[np.zeros(6, bool), np.ones(6, bool), False]
        return self._fit(T_mount_camera, T_carrier_board, only_board).T_carrier_board

    def _residuals(
        self, X: Float64Array, Z: Float64Array, R: Float64Array, t: Float64Array, scale: float
    ) -> Float64Array:
        in_carrier = scale * self._points_m @ Z[:3, :3].T + Z[:3, 3]
        in_mount = np.einsum("nij,nj->ni", R, in_carrier) + t
        T_camera_mount = inverse(X)
        in_camera = in_mount @ T_camera_mount[:3, :3].T + T_camera_mount[:3, 3]
        return np.nan_to_num(self._intrinsics.project(in_camera) - self.pixels, nan=_BEHIND_PX)

    def _fit(self, X: Float64Array, Z: Float64Array, free: BoolArray) -> Fit:
        """Fit the free ones of 13 values: small changes of X and Z, logarithm of the board's scale."""
        whiteners = self._whiteners(X, Z)

        def unpack(values: Float64Array) -> tuple[Float64Array, Float64Array, float]:
            full = np.zeros(13)
            full[free] = values
            return X @ _transform(full[:6]), Z @ _transform(full[6:12]), float(np.exp(full[12]))

        def cost(values: Float64Array) -> Float64Array:
            scaled = self.residuals(*unpack(values)) / self._noise.corner_px
            return np.concatenate(
                [_whitened(*W, scaled[rows].ravel()) for W, rows in zip(whiteners, self._rows, strict=True)]
            )

        fit = least_squares(cost, np.zeros(np.count_nonzero(free)), x_scale="jac", max_nfev=_MOST_STEPS)
        variances = np.zeros(13)
        variances[free] = _jackknife(fit.jac, fit.fun, np.repeat(self.view_of, 2))
        return Fit(
            *unpack(fit.x),
            uncertainty_m=float(np.sqrt(variances[3:6].sum())),
            uncertainty_deg=float(np.rad2deg(np.sqrt(variances[:3].sum()))),
        )

    def _whiteners(self, X: Float64Array, Z: Float64Array) -> list[tuple[Float64Array, Float64Array]]:
        """For each view what `_whitened` needs to make its residuals independent and of unit variance.

        Marginalises the robot's error of that view, to first order.
        """
        noise, ahead = self._noise, self.residuals(X, Z)
        sigmas = [noise.angle_rad] * 3 + [noise.position_m] * 3
        columns = []
        for step in np.diag(sigmas):
            chain = [self._setup.T_mount_carrier(T @ _transform(step)) for T in self._T_base_tool]
            moved = np.array(chain)[self.view_of]
            columns.append(self._residuals(X, Z, moved[:, :3, :3], moved[:, :3, 3], 1.0) - ahead)
        J = np.stack(columns, axis=-1) / noise.corner_px  # (N, 2, 6) sigmas of a corner for one of the robot
        found = []
        for rows in self._rows:
            directions, strengths, _ = np.linalg.svd(J[rows].reshape(-1, 6), full_matrices=False)
            found.append((directions, 1.0 - 1.0 / np.sqrt(1.0 + strengths**2)))
        return found


def _whitened(directions: Float64Array, shares: Float64Array, residuals: Float64Array) -> Float64Array:
    """Take out of residuals (2N,) what the robot explains: the square root of the inverse of I + J J^T."""
    return np.asarray(residuals - directions @ (shares * (directions.T @ residuals)))


def _transform(values: Float64Array) -> Float64Array:
    """The small transform of a rotation vector and a translation."""
    T = np.eye(4)  # not by make_transform, whose checks would take half of the fit's time
    T[:3, :3] = Rotation.from_rotvec(values[:3]).as_matrix()
    T[:3, 3] = values[3:]
    return T


def _jackknife(J: Float64Array, residuals: Float64Array, view_of: IntpArray) -> Float64Array:
    """Variances of the fitted values, from how each changes, to first order, when one view is left out.

    A view's residuals are not independent where the noise is not as modelled, so that the inverse of J^T J
    would promise too much.
    """
    count = int(view_of.max()) + 1
    per_view = [view_of == i for i in range(count)]
    H = np.array([J[rows].T @ J[rows] for rows in per_view])
    g = np.array([J[rows].T @ residuals[rows] for rows in per_view])
    changes = np.array(
        [-np.linalg.lstsq(H.sum(0) - H[i], g.sum(0) - g[i], rcond=None)[0] for i in range(count)]
    )
    return np.asarray((count - 1) / count * np.sum((changes - changes.mean(0)) ** 2, axis=0))
