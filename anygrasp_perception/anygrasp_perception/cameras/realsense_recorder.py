# SPDX-License-Identifier: Apache-2.0
"""Recordings of librealsense, from a RealSense or from images; a file is there whole or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

from anygrasp_perception.atomic_files import whole_or_not
from anygrasp_perception.cameras.image_folder import ImageFolderCamera, ImageFolderConfig
from anygrasp_perception.cameras.realsense import RealSenseCamera
from anygrasp_perception.cameras.realsense_config import DepthFilterConfig, RealSenseConfig
from anygrasp_perception.cameras.rgbd_camera import BadFrame, CameraError, EndOfRecording
from anygrasp_perception.cameras.software_realsense import SoftwareRealSense

__all__ = ["Recorded", "record_camera", "record_images"]

_TIMEOUT_S = 5.0  # a camera that sends nothing for so long is lost
SUFFIX = ".db3"


@dataclass(frozen=True)
class Recorded:
    """How much has been recorded so far."""

    frames: int  # pairs of depth and colour
    seconds: float
    bad_frames: int = 0  # recorded as well, but of no use


Report = Callable[[Recorded], None]


def record_camera(
    config: RealSenseConfig,
    out: Path,
    seconds: float,
    stop: Event,
    report: Report,
    context: Any = None,
) -> Recorded:
    """Record a RealSense for `seconds`, or until `stop`; filters are left to playback.

    A camera that is lost on the way ends the recording, with what there is.

    Raises:
        CameraError: no such camera, or it gave not one image.
        ValueError: `out` does not end in .db3, or its folder is missing.
    """
    raw = replace(config, filters=DepthFilterConfig())
    with _file(out) as path:
        began, recorded = time.monotonic(), Recorded(0, 0.0)
        with RealSenseCamera(raw, context, record_to=path) as camera:
            while not stop.is_set() and recorded.seconds < seconds:
                frames, bad = recorded.frames, recorded.bad_frames
                try:
                    camera.read(_TIMEOUT_S)
                    frames += 1
                except BadFrame:
                    bad += 1
                except CameraError:
                    if not frames:
                        raise
                    break
                recorded = Recorded(frames, time.monotonic() - began, bad)
                report(recorded)
        if not recorded.frames:
            raise CameraError("stopped before the first image; nothing is recorded")
    return recorded


def record_images(
    folder: Path, out: Path, seconds: float, stop: Event, report: Report, fps: int = 30
) -> Recorded:
    """Record a folder of images (see `ImageFolderCamera`) as a camera would show them, over and over.

    `seconds` may be infinite: then every image is recorded once. Raises as `record_camera` does.
    """
    once = seconds == float("inf")
    with _file(out) as path, ImageFolderCamera(ImageFolderConfig(str(folder), repeat=not once)) as images:
        first = images.read(_TIMEOUT_S)
        began, recorded, sample = time.monotonic(), Recorded(0, 0.0), first
        with SoftwareRealSense(first.intrinsics, fps=fps, record_to=path) as camera:
            while not stop.is_set() and recorded.seconds < seconds:
                if sample.intrinsics != first.intrinsics:
                    raise ValueError(
                        f"{folder}: its images are of several cameras, {first.intrinsics} and "
                        f"{sample.intrinsics}; a recording has one"
                    )
                number = recorded.frames + 1
                camera.send(number, time.time(), sample.color, sample.depth_mm)
                camera.flush(_TIMEOUT_S)
                # librealsense plays frames back at the pace they came in.
                stop.wait(max(0.0, began + number / fps - time.monotonic()))
                recorded = Recorded(number, time.monotonic() - began)
                report(recorded)
                try:
                    sample = images.read(_TIMEOUT_S)
                except EndOfRecording:
                    break
        if not recorded.frames:
            raise CameraError("stopped before the first image; nothing is recorded")
    return recorded


@contextmanager
def _file(out: Path) -> Iterator[Path]:
    if out.suffix != SUFFIX:
        raise ValueError(f"{out} must end in {SUFFIX}, the only format that librealsense still writes")
    if not out.absolute().parent.is_dir():
        raise ValueError(f"no folder {out.absolute().parent} to write {out.name} to; make it first")
    with whole_or_not(out) as path:
        yield path
