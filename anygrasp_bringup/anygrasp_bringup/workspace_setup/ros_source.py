# SPDX-License-Identifier: Apache-2.0
"""Where ROS 2 comes from: a distribution sourced in the shell, else the wheels on PyPI."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from anygrasp_bringup.workspace_setup.progress import SetupError

__all__ = ["RosSource", "find_ros"]

_TOO_OLD = ("foxy", "galactic", "humble", "iron")
_OLDEST_PYTHON, _NEWEST_PYTHON = (3, 10), (3, 12)  # ur_rtde has no wheels for others
_OLDEST_GLIBC = (2, 35)  # open3d is built for manylinux_2_35


@dataclass(frozen=True)
class RosSource:
    """A sourced distribution, or the wheels."""

    distribution: str | None  # None: the wheels
    has_tf2_msgs: bool

    @property
    def description(self) -> str:
        """Text for the user, also part of the fingerprints."""
        if self.distribution is None:
            return "ROS 2 Kilted from PyPI"
        return f"the sourced ROS 2 {self.distribution}"


def find_ros() -> RosSource:
    """Return where ROS 2 comes from; raises SetupError where neither source fits this machine."""
    python_paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    distribution = os.environ.get("ROS_DISTRO")
    if distribution and any(path and (Path(path) / "rclpy").is_dir() for path in python_paths):
        if distribution in _TOO_OLD:
            raise SetupError(
                f"ROS 2 {distribution} is sourced, but Jazzy or later is needed. To use ROS 2 from PyPI "
                "instead, start from a shell that does not source it"
            )
        return RosSource(
            distribution, any(prefix and (Path(prefix) / "share/tf2_msgs").is_dir() for prefix in prefixes)
        )
    _check_wheels_fit()
    return RosSource(None, has_tf2_msgs=False)


def _check_wheels_fit() -> None:
    machine, version = platform.machine(), sys.version_info[:2]
    if machine != "x86_64":
        raise SetupError(
            f"this machine is {machine}, but ROS 2 on PyPI is for x86_64 only. Install ROS 2 Jazzy or later, "
            "`source /opt/ros/<distribution>/setup.bash`, and start again"
        )
    if not _OLDEST_PYTHON <= version <= _NEWEST_PYTHON:
        raise SetupError(
            f"this is Python {version[0]}.{version[1]}, but 3.10, 3.11 or 3.12 is needed: "
            "PYTHON=/path/to/python3.12 ./run ..."
        )
    libc = os.confstr("CS_GNU_LIBC_VERSION") or "no glibc"
    if libc.startswith("glibc ") and tuple(map(int, libc.split()[1].split("."))) >= _OLDEST_GLIBC:
        return
    raise SetupError(
        f"this system has {libc}, but glibc 2.35 or later is needed (Debian 12, Ubuntu 22.04 or later)"
    )
