# SPDX-License-Identifier: Apache-2.0
"""Whether this user may use the cameras and serial ports that are plugged in."""

from __future__ import annotations

import grp
import os
from collections.abc import Iterator
from pathlib import Path

from anygrasp_bringup.doctor.finding import Finding, ok, problem, warning
from anygrasp_bringup.doctor.settings import DoctorSettings

__all__ = ["check", "check_realsense", "check_serial"]

_INTEL = "8086"
_RULES = ("etc/udev/rules.d", "lib/udev/rules.d", "usr/lib/udev/rules.d", "run/udev/rules.d")
_UDEV = (
    "download config/99-realsense-libusb.rules of librealsense's repository, `sudo cp` it to "
    "/etc/udev/rules.d/, `sudo udevadm control --reload-rules && sudo udevadm trigger`, plug the camera in "
    "again"
)
_DIALOUT = "`sudo usermod -aG {group} $USER`, then log out and in"


def check(settings: DoctorSettings) -> list[Finding]:
    """See module."""
    device = settings.gripper.device if settings.gripper.transport == "modbus_serial" else ""
    return [*check_realsense(Path("/")), *check_serial(Path("/"), device)]


def check_realsense(root: Path) -> list[Finding]:
    """Udev rules, and whether every RealSense on USB may be opened; `root` of the file system."""
    closed = [
        f"{name} at {', '.join(map(str, nodes))}"
        for name, paths in _realsense_on_usb(root)
        if (nodes := [path for path in paths if not os.access(path, os.R_OK | os.W_OK)])
    ]
    if closed:
        return [problem(f"no permission to open {'; '.join(closed)}", _UDEV)]
    rules = [path.name for folder in _RULES for path in sorted((root / folder).glob("*realsense*.rules"))]
    if rules:
        return [ok(f"udev rules for the RealSense: {', '.join(rules)}")]
    if os.geteuid() == 0:
        return [ok("no udev rules for the RealSense, and none needed by root")]
    return [warning("no udev rules for the RealSense: only root will be able to open one", _UDEV)]


def check_serial(root: Path, device: str) -> list[Finding]:
    """Whether the serial port `device` may be opened, or where empty any USB adapter that is there."""
    if device:
        path = root / device.lstrip("/")
        if not path.exists():
            ports = ", ".join(f"/{port.relative_to(root)}" for port in _ports(root)) or "none"
            return [
                problem(
                    f"no serial port {device}; there are: {ports}",
                    "plug the adapter in (`dmesg` says where it went), or correct `gripper.device`",
                )
            ]
        paths = [path]
    else:
        paths = _ports(root)
    closed = [path for path in paths if not os.access(path, os.R_OK | os.W_OK)]
    if closed:
        make = problem if device else warning
        return [
            make(
                f"no permission to open {path} (group {_group(path)})",
                _DIALOUT.format(group=_group(path)),
            )
            for path in closed
        ]
    return [ok(f"serial port {path} may be opened") for path in paths]


def _realsense_on_usb(root: Path) -> Iterator[tuple[str, list[Path]]]:
    """Name and device files of each."""
    for folder in sorted((root / "sys/bus/usb/devices").glob("*")):
        if _text(folder / "idVendor") != _INTEL or "realsense" not in _text(folder / "product").lower():
            continue
        bus, number = _text(folder / "busnum"), _text(folder / "devnum")
        node = root / f"dev/bus/usb/{int(bus):03d}/{int(number):03d}"
        videos = [root / "dev" / path.name for path in sorted(folder.glob("*/video4linux/video*"))]
        yield _text(folder / "product"), [path for path in (node, *videos) if path.exists()]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _ports(root: Path) -> list[Path]:
    return sorted(path for pattern in ("ttyUSB*", "ttyACM*") for path in (root / "dev").glob(pattern))


def _group(path: Path) -> str:
    try:
        return grp.getgrgid(path.stat().st_gid).gr_name
    except (KeyError, OSError):
        return "dialout"
