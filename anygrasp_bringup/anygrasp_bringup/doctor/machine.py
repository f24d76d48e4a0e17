# SPDX-License-Identifier: Apache-2.0
"""Whether the computer is fast and free enough."""

from __future__ import annotations

import os
import platform
import re
import shutil
from pathlib import Path

from anygrasp_bringup.doctor.finding import Finding, ok, warning
from anygrasp_bringup.doctor.settings import DoctorSettings

__all__ = ["check", "check_machine"]

_FEATURES = ("avx2", "fma", "f16c")  # what torch and the sparse network compute with on x86
_CORES, _FREE_GIB, _DISK_GIB = 4, 2.0, 2.0


def check(settings: DoctorSettings) -> list[Finding]:
    """See module."""
    return check_machine(Path("/proc"), len(os.sched_getaffinity(0)), os.getloadavg()[0])


def check_machine(proc: Path, cores: int, load: float) -> list[Finding]:
    """The same by the files below `proc`, the usable cores and the load of the last minute."""
    cpu = (proc / "cpuinfo").read_text(encoding="utf-8", errors="replace")
    model = (re.search(r"model name\s*:\s*(.*)", cpu) or ["", platform.machine()])[1]
    return [
        *_processor(model, set(cpu.split()), cores),
        *_load(load, cores),
        _memory(proc),
        _disk(),
    ]


def _processor(model: str, words: set[str], cores: int) -> list[Finding]:
    findings = []
    missing = [feature for feature in _FEATURES if feature not in words]
    if platform.machine() == "x86_64" and missing:
        findings.append(
            warning(
                f"{model} has no {', '.join(missing)}: the network is several times slower",
                "in a virtual machine pass the host's processor through (qemu: -cpu host), or use the "
                "detector 'geometric'",
            )
        )
    if cores < _CORES:
        findings.append(
            warning(
                f"{cores} usable cores: camera, detector and robot driver share them",
                f"{_CORES} or more for a real cell; keep grasp_detection's `threads` at 1 below that",
            )
        )
    return findings or [ok(f"{model}, {cores} cores, {', '.join(_FEATURES)}")]


def _load(load: float, cores: int) -> list[Finding]:
    if load <= cores:
        return [ok(f"load {load:.1f} on {cores} cores")]
    return [
        warning(
            f"load {load:.1f} on {cores} cores: other programs take the time that the robot's driver needs",
            "end them before an arm moves; `top` shows which",
        )
    ]


def _memory(proc: Path) -> Finding:
    text = (proc / "meminfo").read_text(encoding="utf-8")
    sizes = {name: int(kib) / 2**20 for name, kib in re.findall(r"(\w+):\s+(\d+) kB", text)}
    free, total = sizes.get("MemAvailable", 0.0), sizes.get("MemTotal", 0.0)
    if free < _FREE_GIB:
        return warning(f"{free:.1f} of {total:.0f} GiB of memory free", f"{_FREE_GIB:.0f} GiB are needed")
    return ok(f"{free:.0f} of {total:.0f} GiB of memory free")


def _disk() -> Finding:
    free_gib = shutil.disk_usage(Path.cwd()).free / 2**30
    if free_gib < _DISK_GIB:
        return warning(
            f"{free_gib:.1f} GiB free on this disk",
            f"{_DISK_GIB:.0f} GiB or more; a recording takes about 45 MB a second",
        )
    return ok(f"{free_gib:.0f} GiB free on this disk")
