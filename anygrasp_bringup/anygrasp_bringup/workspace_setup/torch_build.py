# SPDX-License-Identifier: Apache-2.0
"""Which build of PyTorch the set-up is about to install, and how to get the other one."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path

__all__ = ["torch_build_hint"]

_DRIVER = Path("/proc/driver/nvidia")


def torch_build_hint(
    site_packages: Path, driver: Path = _DRIVER, environment: Mapping[str, str] = os.environ
) -> str | None:
    """Return what to know before torch is installed on a machine without an NVIDIA GPU, else None.

    Both builds run there; the one on PyPI brings gigabytes of CUDA libraries that nothing would use.
    """
    installed = (site_packages / "torch").is_dir()
    chosen = any(environment.get(name) for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_FIND_LINKS"))
    if installed or chosen or driver.exists() or platform.machine() != "x86_64":
        return None
    return (
        "no NVIDIA GPU here: if pip fetches PyTorch with CUDA (some 3 GB), stop with Ctrl-C and run "
        "`PIP_EXTRA_INDEX_URL=URL ./run setup` with the URL that pytorch.org shows under Get Started, CPU"
    )
