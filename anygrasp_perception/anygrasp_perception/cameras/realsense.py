# SPDX-License-Identifier: Apache-2.0
"""Intel RealSense depth cameras and their recordings, through librealsense."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.cameras.rgbd_camera import CameraError, CameraSample, EndOfRecording

__all__ = ["RealSenseCamera", "RealSenseConfig"]


@dataclass(frozen=True)
class RealSenseConfig:
    """Which device or recording, and at what size; raises ValueError on values that contradict each other."""

    serial: str = ""  # serial number of the camera; empty takes the only one connected
    recording: str = ""  # a .bag or .db3 file of librealsense, played instead of a device
    repeat: bool = True  # start a recording again at its end
    width: int = 640  # pixels
    height: int = 480
    fps: int = 30  # images a second that the device sends

    def __post_init__(self) -> None:
        if min(self.width, self.height, self.fps) <= 0:
            raise ValueError(f"{self.width}x{self.height} at {self.fps} fps: all three must be positive")
        if self.serial and self.recording:
            raise ValueError(f"serial {self.serial!r} and recording {self.recording!r}: give one of them")


class RealSenseCamera:
    """A RealSense device or recording as an `RgbdCamera`; depth is aligned to colour."""

    def __init__(self, config: RealSenseConfig) -> None:
        self._config = config
        self._rs: Any = _import_realsense()
        self._pipeline: Any = None
        self._align: Any = None
        self._depth_unit_mm = 1.0

    def __enter__(self) -> RealSenseCamera:
        """Start streaming.

        Raises:
            CameraError: no such device, no such file, or it does not offer these streams.
        """
        rs, config = self._rs, self._config
        streams = rs.config()
        if config.recording:
            if not Path(config.recording).is_file():
                raise CameraError(f"recording {config.recording!r} does not exist; give a .bag or .db3 file")
            rs.config.enable_device_from_file(streams, config.recording, config.repeat)
        else:
            self._check_device()
            if config.serial:
                streams.enable_device(config.serial)
            size = (config.width, config.height)
            streams.enable_stream(rs.stream.depth, *size, rs.format.z16, config.fps)
            streams.enable_stream(rs.stream.color, *size, rs.format.rgb8, config.fps)
        pipeline = rs.pipeline()
        try:
            profile = pipeline.start(streams)
        except RuntimeError as error:
            raise CameraError(f"librealsense cannot start {self._source()}: {error}") from error
        self._pipeline = pipeline
        self._depth_unit_mm = profile.get_device().first_depth_sensor().get_depth_scale() * 1000.0
        self._align = rs.align(rs.stream.color)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._pipeline is not None:
            self._pipeline.stop()
            self._pipeline = None

    def read(self, timeout_s: float) -> CameraSample:
        """Next sample; see `RgbdCamera.read`."""
        if self._pipeline is None:
            raise CameraError("the camera is not started; use it as a context manager")
        try:
            frames = self._align.process(self._pipeline.wait_for_frames(max(1, int(timeout_s * 1000))))
        except RuntimeError as error:
            if self._config.recording and not self._config.repeat:
                raise EndOfRecording(f"{self._config.recording} has ended") from error
            raise CameraError(f"no image from {self._source()} within {timeout_s:.1f} s: {error}") from error
        depth, color = frames.get_depth_frame(), frames.get_color_frame()
        if not depth or not color:
            raise CameraError(
                f"{self._source()} gave no {'colour' if depth else 'depth'} image; enable both streams"
            )
        raw = np.asanyarray(depth.get_data())
        scaled = np.rint(raw * self._depth_unit_mm).clip(0, 65535) if self._depth_unit_mm != 1.0 else raw
        pinhole = color.profile.as_video_stream_profile().intrinsics
        return CameraSample(
            color=np.asanyarray(color.get_data()).copy(),
            depth_mm=scaled.astype(np.uint16),
            intrinsics=CameraIntrinsics(
                fx=pinhole.fx,
                fy=pinhole.fy,
                cx=pinhole.ppx,
                cy=pinhole.ppy,
                width=pinhole.width,
                height=pinhole.height,
            ),
        )

    def _source(self) -> str:
        return self._config.recording or f"RealSense {self._config.serial or '(any serial number)'}"

    def _check_device(self) -> None:
        rs = self._rs
        serials = [device.get_info(rs.camera_info.serial_number) for device in rs.context().query_devices()]
        if not serials:
            raise CameraError(
                "no RealSense camera is connected; plug one into a USB 3 port, or give `recording` a file. "
                "An L515 needs pyrealsense2 2.54.2: later releases dropped it"
            )
        if self._config.serial and self._config.serial not in serials:
            raise CameraError(f"no RealSense {self._config.serial}; connected: {', '.join(serials)}")


def _import_realsense() -> Any:
    try:
        import pyrealsense2
    except ImportError as error:
        raise CameraError(f"pyrealsense2 cannot be imported ({error}); `pip install pyrealsense2`") from error
    return pyrealsense2
