# SPDX-License-Identifier: Apache-2.0
"""Which RealSense cameras there are, by which USB, and whether the configured one gives depth."""

from __future__ import annotations

from typing import Any

import numpy as np

from anygrasp_bringup.doctor.finding import Finding, ok, problem, warning
from anygrasp_bringup.doctor.settings import DoctorSettings
from anygrasp_perception.cameras.image_folder import ImageFolderCamera, ImageFolderConfig
from anygrasp_perception.cameras.realsense import RealSenseCamera
from anygrasp_perception.cameras.realsense_devices import RealSenseDevice, list_realsense
from anygrasp_perception.cameras.rgbd_camera import BadFrame, CameraError, CameraSample, RgbdCamera

__all__ = ["check", "check_camera", "check_device"]

_READ_S = 10.0
_ATTEMPTS = 30  # the first frames are often incomplete
_LEAST_DEPTH = 0.3  # share of pixels
_USB = "use a USB 3 port and the short cable that came with the camera; no hub"


def check(settings: DoctorSettings) -> list[Finding]:
    """See module."""
    return check_camera(settings)


def check_camera(settings: DoctorSettings, context: Any = None) -> list[Finding]:
    """The same with the rs.context to look for devices in."""
    played = settings.image_folder or settings.camera.recording
    if played:
        return _image(settings, context, "the recording" if settings.camera.recording else played)
    try:
        devices = list_realsense(context)
    except CameraError as error:
        return [problem(str(error), "./run setup; plug the camera in again")]
    if not devices:
        return [
            problem(
                "no RealSense is connected",
                "plug it into a USB 3 port; see the finding of permissions; an L515 needs `pip install "
                "pyrealsense2==2.54.2.5684`, later releases do not see it",
            )
        ]
    findings = [finding for device in devices for finding in check_device(device)]
    serials = [device.serial for device in devices]
    if settings.camera.serial and settings.camera.serial not in serials:
        fix = f"correct `realsense.serial`, or plug it in; connected: {', '.join(serials)}"
        return [*findings, problem(f"no RealSense {settings.camera.serial}", fix)]
    if not settings.camera.serial and len(devices) > 1:
        fix = f"set the camera's `realsense.serial` to one of {', '.join(serials)}"
        return [*findings, problem(f"{len(devices)} cameras are connected, and none is chosen", fix)]
    return [*findings, *_image(settings, context, "the camera")]


def check_device(device: RealSenseDevice) -> list[Finding]:
    """What a camera says of itself, without starting it."""
    text = f"{device.name} {device.serial}, firmware {device.firmware}, USB {device.usb}"
    findings = []
    if device.usb.startswith("2"):
        findings.append(
            warning(f"{text}: too slow for depth and colour together at 30 images a second", _USB)
        )
    if device.newer_firmware:
        findings.append(
            warning(
                f"{text}: firmware {device.newer_firmware} is recommended",
                "update it with rs-fw-update or realsense-viewer",
            )
        )
    return findings or [ok(text)]


def _image(settings: DoctorSettings, context: Any, what: str) -> list[Finding]:
    camera: RgbdCamera
    if settings.image_folder:
        camera = ImageFolderCamera(ImageFolderConfig(settings.image_folder))
    else:
        camera = RealSenseCamera(settings.camera, context)
    try:
        with camera:
            sample = _read(camera)
    except CameraError as error:
        busy = any(word in str(error).lower() for word in ("busy", "errno=16"))
        if busy:
            return [
                warning(f"another program has the camera: {error}", "end the camera node, then ask again")
            ]
        return [problem(f"no image: {error}", "plug the camera in again; see the finding of permissions")]
    share = float(np.mean(sample.depth_mm > 0))
    K = sample.intrinsics
    text = f"{what} gives images of {K.width}x{K.height}, fx {K.fx:.1f}, {share:.0%} of the pixels with depth"
    if share < _LEAST_DEPTH:
        return [
            warning(
                text,
                "is something nearer than 0.3 m, is the projector on (`realsense.preset: bin_picking`), is "
                "the scene shiny or black?",
            )
        ]
    return [ok(text)]


def _read(camera: RgbdCamera) -> CameraSample:
    for attempt in range(_ATTEMPTS):
        try:
            return camera.read(_READ_S)
        except BadFrame:
            if attempt + 1 == _ATTEMPTS:
                raise
    raise AssertionError
