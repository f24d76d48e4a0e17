# SPDX-License-Identifier: Apache-2.0
"""The detectors that ship, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from anygrasp_perception.detector import Detector, DetectorError

__all__ = ["DEFAULT_DETECTOR", "DETECTORS", "create_detector"]

DEFAULT_DETECTOR = "network"


def create_detector(
    name: str = DEFAULT_DETECTOR,
    weights: Path | str | None = None,
    device: str = "cpu",
    threads: int = 1,
    sampled: int = 0,
    precision: str = "float32",
) -> Detector:
    """The detector called `name`, with its default configuration.

    `weights` of the network, the shipped ones when None or empty; `device` as torch names it; `threads` it
    computes with, `sampled` and `precision`, see `NetworkDetectorConfig`. The geometric detector takes only
    the default weights.

    Raises:
        ValueError: there is none of that name, the message lists them; or it has no use for weights.
        DetectorError: the weights cannot be used, the device is not there, or torch is not installed.
    """
    if name not in DETECTORS:
        raise ValueError(f"no detector {name!r}; choose one of {', '.join(sorted(DETECTORS))}")
    return DETECTORS[name](weights or None, device, threads, sampled, precision)


# torch takes seconds to import: only who asks for the network waits for it.
def _network(weights: Path | str | None, device: str, threads: int, sampled: int, precision: str) -> Detector:
    try:
        from anygrasp_perception.network.weights import WeightsError
        from anygrasp_perception.network_detector import NetworkDetector, NetworkDetectorConfig
    except ImportError as error:
        raise DetectorError(
            f"the network needs torch and safetensors ({error}); run ./run setup, or choose 'geometric'"
        ) from error
    try:
        config = NetworkDetectorConfig(device=device, threads=threads, sampled=sampled, precision=precision)
        return NetworkDetector(config, weights)
    except WeightsError as error:
        raise DetectorError(f"{error}; the detector 'geometric' needs no weights") from error


def _geometric(
    weights: Path | str | None, device: str, threads: int, sampled: int, precision: str
) -> Detector:
    from anygrasp_perception.geometric_detector import GeometricDetector

    if weights is not None:
        raise ValueError(
            f"the geometric detector has no use for weights {weights}; choose the detector 'network'"
        )
    return GeometricDetector()


DETECTORS: dict[str, Callable[[Path | str | None, str, int, int, str], Detector]] = {
    "geometric": _geometric,
    "network": _network,
}
