# SPDX-License-Identifier: Apache-2.0
"""The detectors that ship, by name."""

from __future__ import annotations

from collections.abc import Callable

from anygrasp_perception.detector import Detector
from anygrasp_perception.geometric_detector import GeometricDetector

__all__ = ["DETECTORS", "create_detector"]

DETECTORS: dict[str, Callable[[], Detector]] = {"geometric": GeometricDetector}


def create_detector(name: str) -> Detector:
    """The detector called `name`, with its default configuration.

    Raises:
        ValueError: there is none of that name; the message lists the valid ones.
    """
    if name not in DETECTORS:
        raise ValueError(f"no detector {name!r}; choose one of {', '.join(sorted(DETECTORS))}")
    return DETECTORS[name]()
