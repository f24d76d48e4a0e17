# SPDX-License-Identifier: Apache-2.0
"""Taking views one by one, each saved at once, with advice on the next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from anygrasp_perception.arrays import Float64Array, Uint8Array
from anygrasp_perception.calibration.board import Board
from anygrasp_perception.calibration.dataset import save_data, view_of_image
from anygrasp_perception.calibration.diversity import DiversityLimits, pose_diversity
from anygrasp_perception.calibration.guide import NextPose, suggest_pose
from anygrasp_perception.calibration.views import BoardView, CalibrationError, Setup
from anygrasp_perception.camera import CameraIntrinsics

__all__ = ["CaptureSession"]


class CaptureSession:
    """The views taken so far, in a folder that `./run calibrate solve` reads."""

    def __init__(self, folder: Path, board: Board, setup: Setup, limits: DiversityLimits) -> None:
        """Raises CalibrationError when the folder holds views already: two sessions may be two mounts."""
        if (folder / "poses.json").exists():
            raise CalibrationError(f"{folder} holds views already; name a new folder")
        self._folder, self._board, self._setup, self._limits = folder, board, setup, limits
        self._views: list[BoardView] = []
        self._images: dict[str, Uint8Array] = {}
        self._intrinsics: CameraIntrinsics | None = None

    def take(self, image: Uint8Array, intrinsics: CameraIntrinsics, T_base_tool: Float64Array) -> str:
        """Add a view and save it; return what is there and what is still asked for.

        Raises:
            CalibrationError: the board is not found, or the camera has changed its intrinsics.
            OSError: it cannot be saved.
        """
        if self._intrinsics not in (None, intrinsics):
            raise CalibrationError(
                f"the intrinsics changed from {self._intrinsics} to {intrinsics}; start anew"
            )
        name = f"{len(self._views) + 1:02d}.png"
        view = view_of_image(name, image, T_base_tool, intrinsics, self._board)
        views, images = [*self._views, view], {**self._images, name: image}
        poses = {view.name: view.T_base_tool for view in views}
        save_data(self._folder, self._board.config, intrinsics, images, poses)
        self._views, self._images, self._intrinsics = views, images, intrinsics
        diversity = pose_diversity(list(poses.values()))
        return f"{name}: {len(view.corners)} corners; {diversity.describe(self._limits)}"

    def next_pose(
        self, allowed: Callable[[Float64Array], bool] = lambda T_base_tool: True
    ) -> NextPose | None:
        """Where to take the next view from; None when there are enough. Raises as `suggest_pose` does."""
        if self._intrinsics is None:
            raise CalibrationError("move the arm so that the camera sees the whole board, for the first view")
        return suggest_pose(self._board, self._intrinsics, self._setup, self._views, self._limits, allowed)
