# SPDX-License-Identifier: Apache-2.0
"""Which RealSense cameras are connected, without starting any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from anygrasp_perception.cameras.realsense import import_realsense
from anygrasp_perception.cameras.rgbd_camera import CameraError

__all__ = ["RealSenseDevice", "describe_realsense", "list_realsense"]

_UNKNOWN = "unknown"


@dataclass(frozen=True)
class RealSenseDevice:
    """What a camera says of itself; "unknown" where it does not."""

    name: str
    serial: str
    firmware: str
    recommended_firmware: str
    usb: str  # like "3.2" or "2.1"

    @property
    def newer_firmware(self) -> str:
        """The firmware that librealsense recommends, where it is newer than the camera's; else empty."""
        try:
            mine, other = (
                tuple(map(int, text.split("."))) for text in (self.firmware, self.recommended_firmware)
            )
        except ValueError:
            return ""
        return self.recommended_firmware if other > mine else ""


def list_realsense(context: Any = None) -> list[RealSenseDevice]:
    """Return the cameras in a rs.context, by default all on this machine.

    Raises:
        CameraError: pyrealsense2 cannot be imported, or librealsense cannot list them.
    """
    rs = import_realsense()
    try:
        context = rs.context() if context is None else context
        return [describe_realsense(device) for device in context.query_devices()]
    except RuntimeError as error:
        raise CameraError(f"librealsense cannot list the cameras: {error}") from error


def describe_realsense(device: Any) -> RealSenseDevice:
    """Return what a rs.device says of itself."""
    rs = import_realsense()

    def info(name: str) -> str:
        key = getattr(rs.camera_info, name)
        return " ".join(str(device.get_info(key)).split()) if device.supports(key) else _UNKNOWN

    return RealSenseDevice(
        name=info("name"),
        serial=info("serial_number"),
        firmware=info("firmware_version"),
        recommended_firmware=info("recommended_firmware_version"),
        usb=info("usb_type_descriptor"),
    )
