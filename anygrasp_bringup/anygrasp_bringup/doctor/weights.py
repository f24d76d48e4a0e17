# SPDX-License-Identifier: Apache-2.0
"""Whether the network's weights load."""

from __future__ import annotations

from pathlib import Path

from anygrasp_bringup.doctor.finding import Finding, ok, problem, warning
from anygrasp_bringup.doctor.settings import DoctorSettings
from anygrasp_perception.detector import DetectorError
from anygrasp_perception.detectors import DETECTORS

__all__ = ["check"]


def check(settings: DoctorSettings) -> list[Finding]:
    """A problem where the configured detector is the network, else a warning."""
    if settings.detector not in DETECTORS:
        return [
            problem(
                f"no detector {settings.detector!r}",
                f"set grasp_detection's `detector` to {' or '.join(sorted(DETECTORS))}",
            )
        ]
    make = problem if settings.detector == "network" else warning
    try:
        from anygrasp_perception.network.weights import WeightsError, load_network
        from anygrasp_perception.network_detector import shipped_weights
    except ImportError as error:
        return [make(f"the network cannot be imported: {error}", "./run setup")]
    path = Path(settings.weights) if settings.weights else shipped_weights()
    try:
        network = load_network(path)
    except (WeightsError, DetectorError, OSError) as error:
        text, _, fix = str(error).rpartition("; ")
        return [make(text or str(error), fix or "give other weights, or use the detector 'geometric'")]
    millions = sum(tensor.numel() for tensor in network.state_dict().values()) / 1e6
    size_mb = path.stat().st_size / 1e6
    return [
        ok(f"{path.name} loads: {millions:.1f} million parameters, {size_mb:.0f} MB"),
        ok(f"the configured detector is '{settings.detector}'"),
    ]
