# SPDX-License-Identifier: Apache-2.0
"""Whether Python and the libraries are those that were tested, and can be imported."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

from anygrasp_bringup.doctor.finding import Finding, ok, problem, warning
from anygrasp_bringup.doctor.settings import DoctorSettings
from robot_drivers.arms.flexiv_config import FLEXIVRDK_VERSION

__all__ = ["check", "check_imports", "check_versions"]

_REQUIREMENTS = Path(__file__).resolve().parents[3] / "requirements"
_SETUP = "./run setup --force, which installs what requirements/constraints.txt names"
_PYTHON = ((3, 10), (3, 12))

# What is imported at run time, and what does not work without it.
_MODULES = {
    "rclpy": "every node",
    "anygrasp_msgs.msg": "every node",
    "numpy": "everything",
    "scipy.spatial": "everything",
    "cv2": "camera, calibration",
    "yaml": "parameters",
    "torch": "the detector 'network'",
    "safetensors": "the detector 'network'",
    "pyrealsense2": "the camera node",
    "rtde_control": "UR",
    "rtde_receive": "UR",
    "dashboard_client": "UR",
    "mujoco": "the simulated cells",
    "open3d": "pictures, clouds in files",
}

# Kept on purpose by whoever has one of these.
_OTHER_VERSION = {"pyrealsense2": ("2.54.2.5684", "the last one that sees an L515")}


def check(settings: DoctorSettings) -> list[Finding]:
    """See module."""
    findings = [_python(), *check_versions(_REQUIREMENTS), *check_imports(_MODULES)]
    if settings.flexiv is not None:
        findings.append(_flexivrdk("robot" in settings.asked))
    return findings


def check_versions(requirements: Path) -> list[Finding]:
    """Compare what is installed with the pins, for what `requirements` asks for itself."""
    files = ["runtime", "training", "development", *([] if _ros_is_sourced() else ["ros2_wheels"])]
    if not requirements.is_dir():
        return [warning("no folder requirements/ beside the packages", "run the doctor from a checkout")]
    pins = {_plain(pin.name): pin for pin in _lines(requirements / "constraints.txt")}
    wanted = {_plain(line.name) for name in files for line in _lines(requirements / f"{name}.txt")}
    missing, other = [], []
    for name in sorted(wanted & pins.keys()):
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
            continue
        accepted, why = _OTHER_VERSION.get(name, ("", ""))
        if version == accepted:
            other.append(f"{name} {version}, {why}")
        elif not pins[name].specifier.contains(version.partition("+")[0], prereleases=True):
            other.append(f"{name} {version} (tested: {str(pins[name].specifier).lstrip('=')})")
    findings = []
    if missing:
        findings.append(problem(f"not installed: {', '.join(missing)}", _SETUP))
    if other:
        findings.append(warning(f"other versions than tested: {'; '.join(other)}", _SETUP))
    agree = len(wanted & pins.keys()) - len(missing) - len(other)
    return [*findings, ok(f"{agree} of {len(wanted & pins.keys())} libraries as tested")]


def check_imports(modules: dict[str, str]) -> list[Finding]:
    """Import them; a library may be there and yet lack one of the system's."""
    broken = []
    for name, needed_by in modules.items():
        try:
            importlib.import_module(name)
        except Exception as error:  # whatever a half installed library raises
            text = str(error).splitlines()[0] if str(error) else type(error).__name__
            broken.append(problem(f"{name} (for {needed_by}) cannot be imported: {text}", _import_fix(text)))
    return broken or [ok(f"all {len(modules)} that are needed can be imported")]


def _import_fix(text: str) -> str:
    if match := re.search(r"(lib\S+\.so\S*): cannot open", text):
        return (
            f"install the system package with {match[1]}; ./run setup does so as root, or prints the command"
        )
    return _SETUP


def _python() -> Finding:
    version, text = sys.version_info[:2], ".".join(map(str, sys.version_info[:3]))
    if _PYTHON[0] <= version <= _PYTHON[1]:
        return ok(f"Python {text} in {sys.prefix}")
    low, high = (".".join(map(str, bound)) for bound in _PYTHON)
    return problem(
        f"Python {text}; ur_rtde has wheels for {low} to {high}", "PYTHON=/path/to/python3.11 ./run setup"
    )


def _flexivrdk(asked: bool) -> Finding:
    fix = f"pip install flexivrdk=={FLEXIVRDK_VERSION} (Python 3.10 or 3.12)"
    try:
        version = importlib.metadata.version("flexivrdk")
    except importlib.metadata.PackageNotFoundError:
        return (problem if asked else warning)("flexivrdk is not installed", fix)
    if version != FLEXIVRDK_VERSION:
        return problem(f"flexivrdk {version}; the Rizon takes {FLEXIVRDK_VERSION} only", fix)
    return ok(f"flexivrdk {version}")


def _lines(path: Path) -> Iterator[Requirement]:
    """The requirements of a file that hold for this Python."""
    for line in path.read_text(encoding="utf-8").splitlines():
        text = re.sub(r"(^|\s)#.*", "", line).strip()
        if text:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate():
                yield requirement


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _ros_is_sourced() -> bool:
    return bool(os.environ.get("ROS_DISTRO"))
