# SPDX-License-Identifier: Apache-2.0
"""Whether two ROS 2 processes of this machine find each other and exchange images."""

from __future__ import annotations

import os

from anygrasp_bringup.doctor.finding import Finding, ok, problem, warning
from anygrasp_bringup.doctor.settings import DoctorSettings

__all__ = ["check", "judge"]

_IMAGES = 20
_WAIT_S = 45.0
_SLOW_S = 15.0


def check(settings: DoctorSettings) -> list[Finding]:
    """See module."""
    try:
        from anygrasp_bringup.nodes.dds_probe import exchange_images
    except ImportError as error:
        return [problem(f"no ROS 2 here: {error}", "./run setup")]
    try:
        exchange = exchange_images(_IMAGES, _WAIT_S)
    except Exception as error:  # rclpy has no common class for what a broken RMW raises
        return [problem(f"ROS 2 does not start: {error}", "see the findings of network and libraries")]
    return judge(exchange.received, exchange.lost, exchange.found_s)


def judge(received: int, lost: int, found_s: float | None) -> list[Finding]:
    """What an exchange of images means."""
    domain = os.environ.get("ROS_DOMAIN_ID", "0")
    if found_s is None:
        return [
            problem(
                f"two ROS 2 processes on domain {domain} did not hear each other within {_WAIT_S:.0f} s",
                "see the findings of network and shared_memory; let the firewall pass UDP 7400 to 33000 on "
                "lo; unset FASTDDS_DEFAULT_PROFILES_FILE, FASTRTPS_DEFAULT_PROFILES_FILE and CYCLONEDDS_URI",
            )
        ]
    if received < _IMAGES or lost > _IMAGES // 10:
        return [
            warning(
                f"{received} of {received + lost} images of 0.9 MB came through on domain {domain}",
                "see the finding of shared_memory; end programs that load the machine",
            )
        ]
    return [ok(f"{received} images of 0.9 MB from another process on domain {domain}, {lost} lost")]
