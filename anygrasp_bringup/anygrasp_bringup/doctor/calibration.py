# SPDX-License-Identifier: Apache-2.0
"""Whether the camera's pose was measured, makes sense, is young and good."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Sequence
from datetime import date, datetime, timezone
from pathlib import Path

import numpy as np

from anygrasp_bringup.doctor.finding import Finding, ok, problem, warning
from anygrasp_bringup.doctor.settings import DoctorSettings
from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.calibration.calibration_file import load_calibration
from anygrasp_perception.calibration.views import CalibrationError, Setup
from anygrasp_perception.se3 import inverse

__all__ = ["check", "check_calibration_file"]

_CALIBRATE = "calibrate the camera: docs/calibration.md"
_CHECK = "take four new views and ask `./run calibrate check NEW_DATA`"
_OLD_DAYS = 90
# How far a camera may be from what it is mounted on, and from where it looks.
_MOUNT_M = {Setup.EYE_TO_HAND: (0.2, 3.0), Setup.EYE_IN_HAND: (0.005, 0.5)}
_SEEN_M, _SEEN_DEG = (0.2, 2.0), 35.0
# docs/calibration.md, how to read the result
_GOOD = {
    "reprojection": (r"Reprojection ([\d.]+) px", (1.0,), ("px",)),
    "consistency": (r"consistency ([\d.]+) mm,\s*([\d.]+) deg", (1.0, 0.2), ("mm", "deg")),
    "standard error": (r"standard error ([\d.]+) mm,\s*([\d.]+) deg", (0.5, 0.1), ("mm", "deg")),
}


def check(settings: DoctorSettings) -> list[Finding]:
    """See module."""
    return check_calibration_file(
        settings.calibration, settings.region_min_m, settings.region_max_m, time.time()
    )


def check_calibration_file(
    path: Path, region_min_m: tuple[float, ...], region_max_m: tuple[float, ...], now_s: float
) -> list[Finding]:
    """The same for one file; the region (base frame) is what the camera should see, where it is known."""
    try:
        setup, T_mount_camera = load_calibration(path)
        text = path.read_text(encoding="utf-8")
    except (CalibrationError, OSError) as error:
        return [problem(str(error), _CALIBRATE)]
    x, y, z = T_mount_camera[:3, 3]
    findings = [
        ok(f"{path.name}: {setup.value}, at {x:.3f} {y:.3f} {z:.3f} m"),
        *_mount(setup, T_mount_camera),
    ]
    if setup is Setup.EYE_TO_HAND and len(region_min_m) == len(region_max_m) == 3:
        findings.append(_sight(T_mount_camera, np.add(region_min_m, region_max_m) / 2))
    if "NOT MEASURED" in text or "./run calibrate" not in text:
        return [problem(f"{path.name} was not measured by ./run calibrate", _CALIBRATE), *findings]
    return [*findings, *_quality(text), _age(path, text, now_s)]


def _mount(setup: Setup, T_mount_camera: Float64Array) -> list[Finding]:
    distance_m, (low, high) = float(np.linalg.norm(T_mount_camera[:3, 3])), _MOUNT_M[setup]
    if low <= distance_m <= high:
        return []
    mount = "base" if setup is Setup.EYE_TO_HAND else "flange"
    return [
        problem(
            f"the camera would be {distance_m:.3f} m from the robot's {mount}; plausible: {low} to {high} m",
            "metres, not millimetres? the right set-up? " + _CALIBRATE,
        )
    ]


def _sight(T_base_camera: Float64Array, p_base_middle: Float64Array) -> Finding:
    """Whether the camera sees the middle of where it is to find grasps."""
    p = (inverse(T_base_camera) @ np.append(p_base_middle, 1.0))[:3]
    distance_m = float(np.linalg.norm(p))
    angle_deg = math.degrees(math.atan2(math.hypot(p[0], p[1]), p[2]))
    text = (
        f"the middle of the picking region is {distance_m:.2f} m from the camera, {angle_deg:.0f} deg aside"
    )
    if _SEEN_M[0] <= distance_m <= _SEEN_M[1] and angle_deg <= _SEEN_DEG:
        return ok(text)
    return problem(
        f"{text}; {_SEEN_M[0]} to {_SEEN_M[1]} m and at most {_SEEN_DEG:.0f} deg are plausible",
        f"correct picking.target.region_*, or {_CALIBRATE}",
    )


def _quality(text: str) -> list[Finding]:
    findings = []
    for name, (pattern, limits, units) in _GOOD.items():
        match = re.search(pattern, text.replace("\n# ", " "))
        if match is None:
            continue
        values = tuple(map(float, match.groups()))
        said = f"{name} {_measures(match.groups(), units)}"
        if any(value > limit for value, limit in zip(values, limits, strict=True)):
            good = _measures(limits, units)
            findings.append(
                warning(f"{said}; good is below {good}", "see docs/calibration.md, how to read the result")
            )
        else:
            findings.append(ok(said))
    return findings or [warning("the file does not say how good it is", _CHECK)]


def _measures(numbers: Sequence[object], units: Sequence[str]) -> str:
    return ", ".join(f"{number} {unit}" for number, unit in zip(numbers, units, strict=True))


def _age(path: Path, text: str, now_s: float) -> Finding:
    match = re.search(r" on (\d{4}-\d\d-\d\d)", text)
    made = date.fromisoformat(match[1]) if match else _day(path.stat().st_mtime)
    days = (_day(now_s) - made).days
    how = "measured" if match else "written"
    said = f"{how} {days} days ago, on {made}"
    return warning(said, _CHECK) if days > _OLD_DAYS else ok(said)


def _day(unix_s: float) -> date:
    return datetime.fromtimestamp(unix_s, timezone.utc).date()
