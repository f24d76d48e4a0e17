# SPDX-License-Identifier: Apache-2.0
"""Which Debian or Ubuntu packages are missing, and how to get them."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from anygrasp_bringup.workspace_setup.progress import SetupError, run_step, say

__all__ = ["SYSTEM_PACKAGES", "install_system_packages"]


@dataclass(frozen=True)
class SystemPackage:
    """A package of the distribution, by what it gives."""

    name: str
    purpose: str
    essential: bool
    is_there: Callable[[], bool]


def _has_python_headers() -> bool:
    return (Path(sysconfig.get_config_var("INCLUDEPY")) / "Python.h").is_file()


def _has_module(name: str) -> Callable[[], bool]:
    return lambda: importlib.util.find_spec(name) is not None


def _has_library(name: str) -> Callable[[], bool]:
    def check() -> bool:
        try:
            ctypes.CDLL(name)
        except OSError:
            return False
        return True

    return check


_VERSION = sysconfig.get_python_version()

# By what they give, not by dpkg: a compiler or a Python from elsewhere serves as well.
SYSTEM_PACKAGES = (
    SystemPackage(f"python{_VERSION}-venv", "makes .venv", True, _has_module("ensurepip")),
    SystemPackage(f"python{_VERSION}-dev", "builds the ROS messages", True, _has_python_headers),
    SystemPackage("g++", "builds the ROS messages", True, lambda: shutil.which("g++") is not None),
    SystemPackage("libosmesa6", "renders the simulated camera", False, _has_library("libOSMesa.so.8")),
    SystemPackage("libegl1", "renders on a GPU, loads Open3D", False, _has_library("libEGL.so.1")),
    SystemPackage("libgl1", "shows the viewer, loads Open3D", False, _has_library("libGL.so.1")),
    SystemPackage(
        "libusb-1.0-0", "reaches a RealSense camera, loads Open3D", False, _has_library("libusb-1.0.so.0")
    ),
)


def install_system_packages(log: Path) -> None:
    """Install what is missing as root; else say the command, and stop where it is essential.

    Raises SetupError.
    """
    missing = [package for package in SYSTEM_PACKAGES if not package.is_there()]
    if not missing:
        return
    for package in missing:
        say(f"missing system package {package.name}: {package.purpose}")
    names = [package.name for package in missing]
    command = f"apt-get update && apt-get install -y --no-install-recommends {' '.join(names)}"
    stop = any(package.essential for package in missing)
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        advice = f"run: sudo sh -c '{command}'"
        if shutil.which("apt-get") is None:
            advice = f"install what your distribution calls {', '.join(names)}"
        if stop:
            raise SetupError(advice)
        say(f"to have them, {advice}")
        return
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run_step(f"installing {' '.join(names)}", ["sh", "-c", command], log, environment=quiet)
