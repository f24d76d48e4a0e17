# SPDX-License-Identifier: Apache-2.0
"""Whether the robot that is asked for can be reached and would move on command; it is only asked."""

from __future__ import annotations

from anygrasp_bringup.doctor.finding import Finding, skipped
from anygrasp_bringup.doctor.flexiv_robot import check_flexiv
from anygrasp_bringup.doctor.settings import DoctorSettings
from anygrasp_bringup.doctor.ur_robot import check_ur

__all__ = ["check"]


def check(settings: DoctorSettings) -> list[Finding]:
    """See module."""
    if "robot" not in settings.asked:
        return [skipped("no robot is asked for", "give --robot-ip IP (UR) or --serial-number S (Flexiv)")]
    if settings.flexiv is not None:
        return check_flexiv(settings.flexiv)
    return check_ur(settings.ur)
