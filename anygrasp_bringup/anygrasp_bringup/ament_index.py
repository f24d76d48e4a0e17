# SPDX-License-Identifier: Apache-2.0
"""Find and register packages in the ament index (works with and without a ROS 2 installation)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = [
    "PackageNotFound",
    "config_directory",
    "package_prefix",
    "package_share",
    "prefixes",
    "register_package",
]

_INDEX = Path("share/ament_index/resource_index/packages")


class PackageNotFound(LookupError):
    """No prefix on AMENT_PREFIX_PATH holds the package."""


def prefixes() -> list[Path]:
    """Return the prefixes on AMENT_PREFIX_PATH, or this Python's own where it is unset (ROS 2 from PyPI)."""
    return [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", sys.prefix).split(os.pathsep) if p]


def package_prefix(package: str) -> Path:
    """Return the first prefix that holds `package`; raises PackageNotFound."""
    for prefix in prefixes():
        if (prefix / _INDEX / package).exists():
            return prefix
    searched = os.pathsep.join(map(str, prefixes()))
    raise PackageNotFound(
        f"package '{package}' is in none of the prefixes {searched}: build it, or run `./run setup`"
    )


def package_share(package: str) -> Path:
    """Return `<prefix>/share/<package>`; raises PackageNotFound."""
    return package_prefix(package) / "share" / package


def register_package(prefix: Path, source: Path) -> None:
    """Make the package in folder `source` known under `prefix`, as colcon's symlink install does.

    pip's editable installs leave out data files, so without this the index would not know the package.
    """
    marker = prefix / _INDEX / source.name
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()
    share = prefix / "share" / source.name
    if share.is_symlink():
        share.unlink()
    share.symlink_to(source.resolve(), target_is_directory=True)


def config_directory() -> Path:
    """Return the folder of this package's YAML and XML files, in the source tree or installed."""
    beside_package = Path(__file__).resolve().parents[1] / "config"
    return beside_package if beside_package.is_dir() else package_share("anygrasp_bringup") / "config"
