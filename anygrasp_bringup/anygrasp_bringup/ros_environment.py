# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 environment of every process of this stack, set in this one place."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from anygrasp_bringup.ament_index import config_directory

__all__ = ["apply_ros_environment", "ros_environment", "shared_memory_problem"]

_PROFILE_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")  # new name, old name


def ros_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables to add to `environ`; whatever the user has set stays as it is.

    - ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST: the default multicasts to the whole network.
    - the Fast DDS profile with a shared-memory segment that fits images and clouds. It speaks on the
      loopback interface only, so it is left out where the user asks for a wider discovery range.
    - AMENT_PREFIX_PATH: the wheels of ROS 2 on PyPI leave it unset.
    """
    added = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST", "AMENT_PREFIX_PATH": sys.prefix}
    if environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST").upper() == "LOCALHOST":
        # Never both: newer ROS 2 reads both, and fails on the second reading of one file.
        new_name, old_name = _PROFILE_VARIABLES
        name = old_name if environ.get("ROS_DISTRO") == "jazzy" else new_name
        if not any(name in environ for name in _PROFILE_VARIABLES):
            added[name] = str(config_directory() / "fastdds_shm.xml")
    return {name: value for name, value in added.items() if name not in environ}


def apply_ros_environment() -> None:
    """Set the variables for this process and its children; call it before the first rclpy.init()."""
    os.environ.update(ros_environment(os.environ))


def shared_memory_problem(participants: int = 8, directory: Path = Path("/dev/shm")) -> str | None:
    """Return why large messages may be lost, or None when `directory` has room for every segment.

    Fast DDS falls back to lossy UDP without a word when a segment (one a process) does not fit.
    """
    profile = next((os.environ[name] for name in _PROFILE_VARIABLES if name in os.environ), None)
    if profile is None or "fastrtps" not in os.environ.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp"):
        return None
    sizes = re.findall(r"<segment_size>\s*(\d+)\s*</segment_size>", Path(profile).read_text())
    segment = max(map(int, sizes), default=0)
    needed = participants * segment
    try:
        free = shutil.disk_usage(directory).free
    except OSError as error:
        return f"{directory} cannot be used ({error}): images and clouds will be lost; mount a tmpfs there"
    if free >= needed:
        return None
    return (
        f"{directory} has {free >> 20} MiB free, but {participants} processes with {segment >> 20} MiB each "
        f"need {needed >> 20} MiB of shared memory: images and clouds may be lost. "
        f"Fix: `mount -o remount,size=1G {directory}` as root, or `docker run --shm-size=1g`"
    )
