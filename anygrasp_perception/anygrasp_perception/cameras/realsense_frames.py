# SPDX-License-Identifier: Apache-2.0
"""Frames of librealsense made into samples: depth filters, alignment to colour, rectification."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from anygrasp_perception.arrays import Float32Array
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.cameras.realsense_config import DepthFilterConfig, HoleFilling
from anygrasp_perception.cameras.rgbd_camera import BadFrame, CameraSample

__all__ = ["FrameProcessor"]

_HOLE_FILLING = {HoleFilling.LEFT: 0, HoleFilling.FARTHEST: 1, HoleFilling.NEAREST: 2}
_GRID_STEP_PX = 8  # lens distortion is smooth: between so far nodes its map is linear to 0.01 px
_UNLIMITED_M = 16.0  # where the threshold filter's range ends


class FrameProcessor:
    """One stream's processing; it keeps what the temporal filter remembers, so make one for each start."""

    def __init__(
        self, rs: Any, filters: DepthFilterConfig, *, stereo: bool, depth_unit_m: float = 0.001
    ) -> None:
        """`stereo`: depth comes from disparity, in which the noise of all distances is alike.

        `depth_unit_m`: the sensor's, for frames that do not carry their own.
        """
        self._rs, self._unit_m = rs, depth_unit_m
        self._blocks = _filter_blocks(rs, filters, stereo)
        self._align = rs.align(rs.stream.color)
        self._maps: tuple[Float32Array, Float32Array] | None = None
        self._maps_for: Any = None

    def process(self, frames: Any) -> CameraSample:
        """Return the sample of a frame set with depth and colour.

        Raises:
            BadFrame: a stream is missing, no pixel has depth, or the calibration is not usable.
        """
        if not frames.get_depth_frame() or not frames.get_color_frame():
            raise BadFrame("incomplete", "a frame set without depth or without colour")
        try:
            for block in self._blocks:
                frames = block.process(frames).as_frameset()
            if not _is_aligned(frames):
                frames = self._align.process(frames)
            depth, color = frames.get_depth_frame(), frames.get_color_frame()
            raw, rgb = np.asanyarray(depth.get_data()), np.asanyarray(color.get_data())
            pinhole = color.profile.as_video_stream_profile().intrinsics
            unit_mm = (depth.get_units() or self._unit_m) * 1000.0
        except RuntimeError as error:
            raise BadFrame("unprocessable", f"librealsense cannot process a frame: {error}") from error
        if not raw.any():
            raise BadFrame("no_depth", "no pixel has depth; is the lens covered, or everything out of range?")
        intrinsics = _intrinsics(pinhole)
        if rgb.shape[:2] != (intrinsics.height, intrinsics.width) or rgb.shape[:2] != raw.shape:
            raise BadFrame("size", f"colour {rgb.shape} and aligned depth {raw.shape} are not of one size")
        exact = abs(unit_mm - 1.0) < 1e-6
        depth_mm = raw if exact else np.rint(raw * unit_mm).clip(0, 65535)
        rgb, depth_mm = self._rectified(pinhole, rgb, depth_mm.astype(np.uint16))
        return CameraSample(rgb.copy(), depth_mm, intrinsics, self._capture_time_s(depth))

    def _rectified(self, pinhole: Any, rgb: Any, depth_mm: Any) -> tuple[Any, Any]:
        """Undo lens distortion where the camera has any: everything behind here is a pinhole camera."""
        if not any(pinhole.coeffs) or pinhole.model == self._rs.distortion.none:
            return rgb, depth_mm
        key = (pinhole.fx, pinhole.fy, pinhole.ppx, pinhole.ppy, *pinhole.coeffs)
        if self._maps is None or self._maps_for != key:
            self._maps, self._maps_for = _undistortion_maps(self._rs, pinhole), key
        return (
            cv2.remap(rgb, *self._maps, cv2.INTER_LINEAR),
            cv2.remap(depth_mm, *self._maps, cv2.INTER_NEAREST),  # a mean of two depths is on neither surface
        )

    def _capture_time_s(self, frame: Any) -> float | None:
        domains = self._rs.timestamp_domain
        if frame.frame_timestamp_domain in (domains.global_time, domains.system_time):
            return float(frame.get_timestamp()) / 1000.0
        return None


def _filter_blocks(rs: Any, config: DepthFilterConfig, stereo: bool) -> list[Any]:
    blocks = []
    if config.min_distance_m or config.max_distance_m:
        blocks.append(rs.threshold_filter(config.min_distance_m, config.max_distance_m or _UNLIMITED_M))
    smoothing = []
    if config.spatial:
        # Magnitude 2 is librealsense's default number of passes; hole filling here stays off.
        smoothing.append(rs.spatial_filter(config.spatial_alpha, config.spatial_delta, 2, 0))
    if config.temporal:
        smoothing.append(
            rs.temporal_filter(config.temporal_alpha, config.temporal_delta, config.temporal_persistency)
        )
    if smoothing and stereo:
        smoothing = [rs.disparity_transform(True), *smoothing, rs.disparity_transform(False)]
    blocks += smoothing
    if config.hole_filling is not HoleFilling.OFF:
        blocks.append(rs.hole_filling_filter(_HOLE_FILLING[config.hole_filling]))
    return blocks


def _is_aligned(frames: Any) -> bool:
    """Whether depth has the colour camera's eye already: aligning again would tear columns out of it."""
    depth = frames.get_depth_frame().profile.as_video_stream_profile()
    color = frames.get_color_frame().profile.as_video_stream_profile()
    a, b, offset = depth.intrinsics, color.intrinsics, depth.get_extrinsics_to(color)
    same = all(getattr(a, name) == getattr(b, name) for name in ("width", "height", "fx", "fy", "ppx", "ppy"))
    at_rest = not any(offset.translation) and np.allclose(np.reshape(offset.rotation, (3, 3)), np.eye(3))
    return same and list(a.coeffs) == list(b.coeffs) and at_rest


def _intrinsics(pinhole: Any) -> CameraIntrinsics:
    try:
        return CameraIntrinsics(
            pinhole.fx, pinhole.fy, pinhole.ppx, pinhole.ppy, pinhole.width, pinhole.height
        )
    except ValueError as error:
        raise BadFrame("bad_intrinsics", f"the camera's own calibration is not usable: {error}") from error


def _undistortion_maps(rs: Any, pinhole: Any) -> tuple[Float32Array, Float32Array]:
    """For each pixel of the rectified image where it is in the camera's, by the camera's own lens model."""
    columns = np.arange(0, pinhole.width + _GRID_STEP_PX, _GRID_STEP_PX)
    rows = np.arange(0, pinhole.height + _GRID_STEP_PX, _GRID_STEP_PX)
    nodes = np.empty((len(rows), len(columns), 2), np.float32)
    for i, v in enumerate(rows):
        for j, u in enumerate(columns):
            ray = [(u - pinhole.ppx) / pinhole.fx, (v - pinhole.ppy) / pinhole.fy, 1.0]
            nodes[i, j] = rs.rs2_project_point_to_pixel(pinhole, ray)
    at_x, at_y = np.meshgrid(np.arange(pinhole.width), np.arange(pinhole.height))
    scaled = (at_x / _GRID_STEP_PX).astype(np.float32), (at_y / _GRID_STEP_PX).astype(np.float32)
    maps = cv2.remap(nodes, *scaled, cv2.INTER_LINEAR)
    return np.ascontiguousarray(maps[..., 0]), np.ascontiguousarray(maps[..., 1])
