# SPDX-License-Identifier: Apache-2.0
"""Whether images fit through shared memory between processes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from anygrasp_bringup.doctor.finding import Finding, Level, ok, problem, warning
from anygrasp_bringup.doctor.settings import DoctorSettings
from anygrasp_bringup.ros_environment import apply_ros_environment, shared_memory_problem

__all__ = ["check", "check_shared_memory"]


def check(settings: DoctorSettings) -> list[Finding]:
    """See module."""
    apply_ros_environment()
    return check_shared_memory(Path("/dev/shm"))


def check_shared_memory(directory: Path) -> list[Finding]:
    """Room in `directory`, and segments of others, which Fast DDS cannot open."""
    trouble = shared_memory_problem(directory=directory)
    if trouble is not None:
        text, _, fix = trouble.partition(". Fix: ")
        return [problem(text, fix or "mount a tmpfs there, of 1 GiB")]
    free_mib = shutil.disk_usage(directory).free >> 20
    findings = [ok(f"{directory} has {free_mib} MiB free")]
    foreign = [path for path in directory.glob("fastrtps_*") if not os.access(path, os.R_OK | os.W_OK)]
    if foreign:
        findings.append(
            warning(
                f"{len(foreign)} files of Fast DDS in {directory} belong to another user: a program of ours "
                "that gets the same number cannot talk",
                f"end that user's ROS programs, then remove {directory}/fastrtps_*; run nodes as one user",
            )
        )
    return sorted(findings, key=lambda finding: list(Level).index(finding.level))
