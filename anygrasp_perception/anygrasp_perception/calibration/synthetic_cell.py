# SPDX-License-Identifier: Apache-2.0
"""A camera, a robot and a board with known truth: what the calibration is proved on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from anygrasp_perception.arrays import Float64Array, Uint8Array
from anygrasp_perception.calibration.board import Board, BoardConfig, BoardCorners
from anygrasp_perception.calibration.dataset import view_of_image
from anygrasp_perception.calibration.rendering import ViewNoise, disturb_pose, render_view
from anygrasp_perception.calibration.views import BoardView, CalibrationError, Setup, board_pose
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.se3 import inverse, make_transform, transform_points

__all__ = ["VGA", "SyntheticCell", "random_cell"]

VGA = CameraIntrinsics(615.0, 614.0, 322.0, 238.0, 640, 480)  # as of a D435's colour stream
_TILT_DEG, _ROLL_DEG = 30.0, 60.0
_ASIDE_M, _DISTANCE_M = (0.1, 0.07), (0.45, 0.75)
_CORNER_PX = 0.06  # noise of a corner, as measured on rendered boards


@dataclass(frozen=True, eq=False)
class SyntheticCell:
    """The truth."""

    board: Board
    intrinsics: CameraIntrinsics
    setup: Setup
    T_mount_camera: Float64Array
    T_carrier_board: Float64Array

    def T_camera_board(self, T_base_tool: Float64Array) -> Float64Array:
        """What the camera sees with the robot at a pose."""
        T_mount_carrier = self.setup.T_mount_carrier(T_base_tool)
        return np.asarray(inverse(self.T_mount_camera) @ T_mount_carrier @ self.T_carrier_board)

    def random_pose(self, rng: np.random.Generator) -> Float64Array:
        """T_base_tool from which the board is seen tilted and turned at random."""
        angles = [*rng.uniform(-_TILT_DEG, _TILT_DEG, 2), rng.uniform(-_ROLL_DEG, _ROLL_DEG)]
        R = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
        aside = rng.uniform(-1.0, 1.0, 2) * _ASIDE_M
        middle = np.array([*aside, rng.uniform(*_DISTANCE_M)])
        T_camera_board = make_transform(R, middle - R @ self.board.center_m)
        return self.setup.T_mount_carrier(
            self.T_mount_camera @ T_camera_board @ inverse(self.T_carrier_board)
        )

    def image(self, T_base_tool: Float64Array, noise: ViewNoise, rng: np.random.Generator) -> Uint8Array:
        """The rendered image."""
        return render_view(self.board, self.T_camera_board(T_base_tool), self.intrinsics, noise, rng)

    def rendered_views(
        self,
        count: int,
        rng: np.random.Generator,
        noise: ViewNoise = ViewNoise(),  # noqa: B008
    ) -> list[BoardView]:
        """Views from rendered images at random poses, without those that show no board."""
        views = []
        for i in range(count):
            T_base_tool = self.random_pose(rng)
            image, reported = self.image(T_base_tool, noise, rng), disturb_pose(T_base_tool, noise, rng)
            try:
                views.append(view_of_image(f"{i:02d}", image, reported, self.intrinsics, self.board))
            except CalibrationError:
                continue
        return views

    def projected_view(
        self,
        name: str,
        T_base_tool: Float64Array,
        rng: np.random.Generator,
        noise: ViewNoise = ViewNoise(),  # noqa: B008
    ) -> BoardView:
        """A view without an image: corners projected, with the noise that corners of rendered images have.

        Raises:
            CalibrationError: too few corners are in the image.
        """
        points = transform_points(self.T_camera_board(T_base_tool), self.board.points_m)
        pixels = self.intrinsics.project(points) + rng.normal(0.0, _CORNER_PX, (len(points), 2))
        size = (self.intrinsics.width, self.intrinsics.height)
        inside = np.flatnonzero(np.all((pixels > 0) & (pixels < size), axis=1))
        if len(inside) < 8:
            raise CalibrationError(f"{len(inside)} corners in view")
        corners = BoardCorners(inside, pixels[inside])
        T_camera_board, _ = board_pose(self.board, corners, self.intrinsics)
        return BoardView(name, corners, disturb_pose(T_base_tool, noise, rng), T_camera_board)

    def projected_views(self, count: int, rng: np.random.Generator) -> list[BoardView]:
        """Views by `projected_view` at random poses."""
        return [self.projected_view(f"{i:02d}", self.random_pose(rng), rng) for i in range(count)]


def random_cell(setup: Setup, seed: int, board: BoardConfig = BoardConfig()) -> SyntheticCell:  # noqa: B008
    """A cell with the camera and the board mounted anyhow."""
    rng = np.random.default_rng(seed)

    def anyhow(reach_m: float) -> Float64Array:
        return make_transform(Rotation.random(rng=rng).as_matrix(), rng.uniform(-reach_m, reach_m, 3))

    far, near = anyhow(0.8), anyhow(0.1)  # beside the robot, on the tool
    camera, plate = (far, near) if setup is Setup.EYE_TO_HAND else (near, far)
    return SyntheticCell(Board(board), VGA, setup, camera, plate)
