# SPDX-License-Identifier: Apache-2.0
"""Board views with known truth: exact projection, blur, light and pixel noise; robot poses with their own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from anygrasp_perception.arrays import Float32Array, Float64Array, Uint8Array
from anygrasp_perception.calibration.board import Board, BoardConfig
from anygrasp_perception.calibration.board_print import draw_board
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.se3 import make_transform

__all__ = ["ViewNoise", "disturb_pose", "render_view"]

_PX_PER_MM = 8.0  # of the texture: finer than any view of it here
_MARGIN_MM = 10.0
_OVERSAMPLING = 3  # samples a pixel along each side
_BLACK, _WHITE, _BACKGROUND = 30.0, 215.0, 110.0


@dataclass(frozen=True)
class ViewNoise:
    """How a real view differs from an ideal one."""

    gray_levels: float = 3.0  # standard deviation of a pixel
    blur_px: float = 0.7  # standard deviation of lens and motion blur
    light: float = 0.25  # share by which the light falls off across the image
    position_m: float = 0.00015  # standard deviation of the robot's reported position along each axis
    angle_rad: float = np.deg2rad(0.05)  # and of its orientation about each axis


def render_view(
    board: Board,
    T_camera_board: Float64Array,
    intrinsics: CameraIntrinsics,
    noise: ViewNoise,
    rng: np.random.Generator,
) -> Uint8Array:
    """Return what the camera sees, (H, W, 3) RGB; a board seen from behind or cut off is drawn as such."""
    size = (intrinsics.width * _OVERSAMPLING, intrinsics.height * _OVERSAMPLING)
    texture = _texture(board.config)
    # Texture pixel to board plane to image pixel to sample; pixel centres are at whole numbers in each.
    per_px = 1e-3 / _PX_PER_MM
    start = 0.5 * per_px - _MARGIN_MM * 1e-3
    plane = np.array([[per_px, 0, start], [0, per_px, start], [0, 0, 1]])
    projection = intrinsics.matrix @ T_camera_board[:3][:, [0, 1, 3]]
    shift = (_OVERSAMPLING - 1) / 2
    sampling = np.array([[_OVERSAMPLING, 0, shift], [0, _OVERSAMPLING, shift], [0, 0, 1]])
    H = sampling @ projection @ plane
    paper = cv2.warpPerspective(texture, H, size, flags=cv2.INTER_AREA, borderValue=-1)
    values = np.where(paper < 0, _BACKGROUND, _BLACK + (_WHITE - _BLACK) * paper / 255.0)
    image = cv2.resize(
        values.astype(np.float32), (intrinsics.width, intrinsics.height), interpolation=cv2.INTER_AREA
    )
    image = cv2.GaussianBlur(image, (0, 0), max(noise.blur_px, 1e-3))
    falloff = np.linspace(1.0, 1.0 - noise.light, intrinsics.width) if rng.random() < 0.5 else 1.0
    image = image * falloff + rng.normal(0.0, noise.gray_levels, image.shape)
    gray = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=2)


def disturb_pose(T_base_tool: Float64Array, noise: ViewNoise, rng: np.random.Generator) -> Float64Array:
    """Return the pose a robot reports when it is at `T_base_tool`."""
    turn = Rotation.from_rotvec(rng.normal(0.0, noise.angle_rad, 3)).as_matrix()
    error = make_transform(turn, rng.normal(0.0, noise.position_m, 3))
    return np.asarray(T_base_tool @ error)


@lru_cache(maxsize=2)
def _texture(config: BoardConfig) -> Float32Array:
    return draw_board(config, _PX_PER_MM, _MARGIN_MM).astype(np.float32)
