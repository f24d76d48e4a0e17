# SPDX-License-Identifier: Apache-2.0
"""Intel RealSense depth cameras and their recordings, through librealsense."""

from __future__ import annotations

import importlib.metadata
import time
from pathlib import Path
from typing import Any

from anygrasp_perception.cameras.realsense_config import RealSenseConfig
from anygrasp_perception.cameras.realsense_frames import FrameProcessor
from anygrasp_perception.cameras.realsense_presets import apply_preset
from anygrasp_perception.cameras.rgbd_camera import CameraError, CameraSample, EndOfRecording

__all__ = ["RealSenseCamera", "import_realsense"]

_POLL_S = 0.1  # how soon the end of a recording is noticed


class RealSenseCamera:
    """A RealSense device or recording as an `RgbdCamera`; depth is aligned to colour, both are rectified."""

    def __init__(self, config: RealSenseConfig, context: Any = None, record_to: Path | None = None) -> None:
        """`context`: the rs.context to look for devices in; `record_to`: a .db3 file of all it sends."""
        self._config = config
        self._rs = import_realsense()
        self._context = context if context is not None else self._rs.context()
        self._record_to = record_to
        self._pipeline: Any = None
        self._playback: Any = None
        self._processor: FrameProcessor | None = None
        self._description = "not started"

    def __enter__(self) -> RealSenseCamera:
        """Start streaming.

        Raises:
            CameraError: no such device, no such file, or it does not offer these streams.
        """
        rs, config = self._rs, self._config
        pipeline, streams = rs.pipeline(self._context), self._streams()
        try:
            device = pipeline.start(streams).get_device()
            if config.recording:
                self._playback = device.as_playback()
            notes = [] if device.is_playback() else apply_preset(rs, device, config.preset)
            sensor = device.first_depth_sensor()
            stereo, unit_m = sensor.supports(rs.option.stereo_baseline), sensor.get_depth_scale()
            self._description = ", ".join([_describe(rs, device, config), *notes])
        except RuntimeError as error:
            raise CameraError(
                f"librealsense cannot start {self._source()}: {error}{self._offer()}"
            ) from error
        self._pipeline = pipeline
        self._processor = FrameProcessor(rs, config.filters, stereo=stereo, depth_unit_m=unit_m)
        return self

    def __exit__(self, *exc: object) -> None:
        pipeline, self._pipeline, self._playback = self._pipeline, None, None
        if pipeline is not None:
            try:
                pipeline.stop()
            except RuntimeError as error:  # of an unplugged camera; nothing is left to stop
                self._description = f"stopped: {error}"

    def describe(self) -> str:
        """Name, serial number, firmware, USB, and what the preset has set."""
        return self._description

    def read(self, timeout_s: float) -> CameraSample:
        """Next sample; see `RgbdCamera.read`."""
        if self._pipeline is None or self._processor is None:
            raise CameraError("the camera is not started; use it as a context manager")
        deadline = time.monotonic() + timeout_s
        try:
            while True:
                left_s = max(0.001, min(_POLL_S, deadline - time.monotonic()))
                arrived, frames = self._pipeline.try_wait_for_frames(max(1, int(left_s * 1000)))
                if arrived:
                    break
                if self._ended():
                    raise EndOfRecording(f"{self._config.recording} has been played to its end")
                if time.monotonic() >= deadline:
                    raise CameraError(
                        f"no image from {self._source()} within {timeout_s:.1f} s; is it still plugged in?"
                    )
        except CameraError:
            raise
        except RuntimeError as error:
            raise CameraError(f"{self._source()} was lost: {error}") from error
        return self._processor.process(frames)

    def _ended(self) -> bool:
        if self._playback is None or self._config.repeat:  # which stops too, between two rounds
            return False
        return bool(self._playback.current_status() == self._rs.playback_status.stopped)

    def _source(self) -> str:
        return self._config.recording or f"RealSense {self._config.serial or '(any serial number)'}"

    def _streams(self) -> Any:
        rs, config = self._rs, self._config
        streams = rs.config()
        if config.recording:
            path = Path(config.recording)
            if not path.is_file():
                raise CameraError(f"recording {config.recording!r} does not exist; give a .bag or .db3 file")
            rs.config.enable_device_from_file(streams, config.recording, config.repeat)
            return streams
        self._check_device()
        if config.serial:
            streams.enable_device(config.serial)
        size = (config.width, config.height)
        streams.enable_stream(rs.stream.depth, *size, rs.format.z16, config.fps)
        streams.enable_stream(rs.stream.color, *size, rs.format.rgb8, config.fps)
        if self._record_to is not None:
            streams.enable_record_to_file(str(self._record_to))
        return streams

    def _devices(self) -> dict[str, Any]:
        rs = self._rs
        try:
            return {d.get_info(rs.camera_info.serial_number): d for d in self._context.query_devices()}
        except RuntimeError as error:  # a device that goes away while it is asked
            raise CameraError(f"librealsense cannot list the cameras: {error}") from error

    def _check_device(self) -> None:
        serials = list(self._devices())
        l515 = (
            "An L515 needs pyrealsense2 2.54.2 (`pip install pyrealsense2==2.54.2.5684`): later releases do "
            f"not see it, and this is {_version()}"
        )
        if not serials:
            raise CameraError(
                "no RealSense camera is connected; plug one into a USB 3 port, or give `recording` a file. "
                + l515
            )
        if self._config.serial and self._config.serial not in serials:
            raise CameraError(f"no RealSense {self._config.serial}; connected: {', '.join(serials)}. {l515}")
        if not self._config.serial and len(serials) > 1:
            raise CameraError(
                f"{len(serials)} cameras are connected; choose by `serial`: {', '.join(serials)}"
            )

    def _offer(self) -> str:
        """The sizes that the device does offer, as a sentence for an error; nothing for a recording."""
        if self._config.recording:
            return "; is it a whole recording of depth and colour by librealsense?"
        rs = self._rs
        sizes: dict[str, dict[str, None]] = {}
        try:
            for serial, device in self._devices().items():
                if self._config.serial in ("", serial):
                    for sensor in device.query_sensors():
                        for profile in sensor.get_stream_profiles():
                            if profile.stream_type() in (rs.stream.depth, rs.stream.color):
                                video = profile.as_video_stream_profile()
                                size = f"{video.width()}x{video.height()} at {video.fps()}"
                                sizes.setdefault(profile.stream_name(), {})[size] = None
        except RuntimeError:
            return ""
        offers = [f"{name} {', '.join(found)}" for name, found in sizes.items()]
        return f"; it offers {'; '.join(offers)}" if offers else ""


def import_realsense() -> Any:
    """Return the module pyrealsense2; raises CameraError where it cannot be imported."""
    try:
        import pyrealsense2
    except ImportError as error:
        raise CameraError(f"pyrealsense2 cannot be imported ({error}); `pip install pyrealsense2`") from error
    return pyrealsense2


def _version() -> str:
    try:
        return importlib.metadata.version("pyrealsense2")
    except importlib.metadata.PackageNotFoundError:  # built from source
        return "a build of your own"


def _describe(rs: Any, device: Any, config: RealSenseConfig) -> str:
    def info(name: str) -> str:
        key = getattr(rs.camera_info, name)
        return str(device.get_info(key)) if device.supports(key) else "unknown"

    if config.recording:
        return f"{config.recording}, of {info('name')} {info('serial_number')}"
    usb = info("usb_type_descriptor")
    slow = " (a slow port or cable: use USB 3)" if usb.startswith("2") else ""
    return f"{info('name')} {info('serial_number')}, firmware {info('firmware_version')}, USB {usb}{slow}"
