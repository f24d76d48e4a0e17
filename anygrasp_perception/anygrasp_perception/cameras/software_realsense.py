# SPDX-License-Identifier: Apache-2.0
"""A RealSense made of software: librealsense's own device, sent the images that it is to see."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.cameras.realsense import import_realsense
from anygrasp_perception.cameras.rgbd_camera import CameraError

__all__ = ["SoftwareRealSense"]

_QUEUE_FRAMES = 64
_IDENTITY = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]


class SoftwareRealSense:
    """Depth and colour sensor of one librealsense software device; a context manager.

    Frames sent come back from `frames`, as from a camera, and go into the recording where one is asked for.
    """

    def __init__(
        self,
        color: CameraIntrinsics,
        depth: CameraIntrinsics | None = None,
        *,
        color_distortion: Sequence[float] = (0.0,) * 5,  # Brown-Conrady
        baseline_m: float = 0.0,  # colour camera to the left of the depth camera
        depth_unit_m: float = 0.001,
        fps: int = 30,
        record_to: Path | None = None,
    ) -> None:
        """Without `depth` the depth camera is the colour camera.

        Raises:
            CameraError: `record_to` cannot be written.
        """
        self._rs = rs = import_realsense()
        self._unit_m = depth_unit_m
        self.device = rs.software_device()
        self.device.register_info(rs.camera_info.name, "Software RealSense")
        self.device.register_info(rs.camera_info.serial_number, "000000000001")
        self.device.register_info(rs.camera_info.product_line, "D400")
        self.sensors = [self.device.add_sensor("Stereo Module"), self.device.add_sensor("RGB Camera")]
        self.sensors[0].add_read_only_option(rs.option.depth_units, depth_unit_m)
        self.sensors[0].add_read_only_option(rs.option.stereo_baseline, 50.0)
        streams = (
            _video_stream(rs, rs.stream.depth, rs.format.z16, 2, depth or color, (0.0,) * 5, fps),
            _video_stream(rs, rs.stream.color, rs.format.rgb8, 3, color, color_distortion, fps),
        )
        self._profiles = [s.add_video_stream(v) for s, v in zip(self.sensors, streams, strict=True)]
        extrinsics = rs.extrinsics()
        extrinsics.rotation, extrinsics.translation = _IDENTITY, [baseline_m, 0.0, 0.0]
        self._profiles[0].register_extrinsics_to(self._profiles[1], extrinsics)
        self.device.create_matcher(rs.matchers.default)
        self._syncer = rs.syncer(_QUEUE_FRAMES)
        try:
            self._recorder = None if record_to is None else rs.recorder(str(record_to), self.device)
        except RuntimeError as error:
            raise CameraError(f"cannot record to {record_to}: {error}") from error
        self._opened: list[Any] = []
        self._under_way = 0

    def __enter__(self) -> SoftwareRealSense:
        """Start both sensors."""
        source = self.device if self._recorder is None else self._recorder
        self._opened = list(source.query_sensors())
        for sensor, profile in zip(self._opened, self._profiles, strict=True):
            sensor.open(profile)
            sensor.start(self._syncer)
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop; a recording is whole on disk after this."""
        for sensor in self._opened:
            sensor.stop()
            sensor.close()
        self._opened, self._recorder = [], None  # librealsense closes its file when nobody holds the recorder

    def send(
        self,
        number: int,
        time_s: float,
        color: npt.NDArray[np.uint8] | None,
        depth: npt.NDArray[np.uint16] | None,
    ) -> None:
        """Let the camera see colour (H, W, 3) and depth (H, W), in its unit; None: that frame is lost.

        `number` counts up from 1; `time_s` is Unix time.
        """
        for sensor, profile, image in zip(self.sensors, self._profiles, (depth, color), strict=True):
            if image is not None:
                sensor.on_video_frame(self._frame(profile, np.ascontiguousarray(image), number, time_s))
                self._under_way += 1

    def flush(self, timeout_s: float) -> None:
        """Take out all frames sent, which are in the recording then; raises CameraError after `timeout_s`."""
        while self._under_way:
            self.frames(timeout_s)

    def frames(self, timeout_s: float) -> Any:
        """Return the next frame set; raises CameraError after `timeout_s`.

        The first frames come one by one: librealsense pairs them once it has seen both streams.
        """
        arrived, frames = self._syncer.try_wait_for_frames(max(1, int(timeout_s * 1000)))
        if not arrived:
            raise CameraError(f"no frame set within {timeout_s:.1f} s")
        frames = frames.as_frameset()
        self._under_way -= frames.size()
        return frames

    def _frame(self, profile: Any, image: npt.NDArray[Any], number: int, time_s: float) -> Any:
        frame = self._rs.software_video_frame()
        frame.pixels, frame.stride, frame.bpp = image, image.strides[0], image.strides[1]
        frame.timestamp, frame.frame_number = time_s * 1000.0, number
        frame.domain = self._rs.timestamp_domain.system_time
        frame.profile = profile.as_video_stream_profile()
        if hasattr(frame, "depth_units"):  # 2.54.2, the last one for the L515, takes the sensor's
            frame.depth_units = self._unit_m
        return frame


def _video_stream(
    rs: Any,
    kind: Any,
    pixel_format: Any,
    bytes_per_pixel: int,
    camera: CameraIntrinsics,
    distortion: Sequence[float],
    fps: int,
) -> Any:
    pinhole = rs.intrinsics()
    pinhole.width, pinhole.height = camera.width, camera.height
    pinhole.fx, pinhole.fy, pinhole.ppx, pinhole.ppy = camera.fx, camera.fy, camera.cx, camera.cy
    pinhole.model, pinhole.coeffs = rs.distortion.brown_conrady, [float(c) for c in distortion]
    stream = rs.video_stream()
    stream.type, stream.index, stream.uid, stream.fmt = kind, 0, int(kind), pixel_format
    stream.width, stream.height, stream.fps, stream.bpp = camera.width, camera.height, fps, bytes_per_pixel
    stream.intrinsics = pinhole
    return stream
