# SPDX-License-Identifier: Apache-2.0
"""Parameters of the grasp detection node."""

from __future__ import annotations

from dataclasses import dataclass

from anygrasp_bringup.dataclass_parameters import ConfigError
from anygrasp_perception.compile_ahead import compile_ahead
from anygrasp_perception.detector import Detector, DetectorError
from anygrasp_perception.detectors import DEFAULT_DETECTOR, create_detector
from anygrasp_perception.gripper import ROBOTIQ_2F85, GripperGeometry

__all__ = ["GraspDetectionConfig"]


@dataclass(frozen=True)
class GraspDetectionConfig:
    """Defaults of the detection node; raises ValueError on counts below 1."""

    detector: str = DEFAULT_DETECTOR  # which detector answers: network or geometric
    weights: str = ""  # file of the network's weights; empty: those that ship
    device: str = "cpu"  # what the network computes on, as torch names it
    threads: int = 1  # the network computes with on a cpu; more pay off only where cores are idle
    precision: str = "float32"  # of the network's backbone, or bfloat16
    sampled: int = 0  # grasps of the geometric detector that the network judges too; takes 0.3 s more
    continuous: bool = True  # publish grasps of the newest image while somebody subscribes
    max_grasps: int = 100  # at most so many grasps in an answer
    max_markers: int = 50  # at most so many grippers on `markers`
    image_timeout_s: float = 5.0  # how long a service call waits for an image
    tf_timeout_s: float = 1.0  # how long it waits for a transform
    pairing_tolerance_s: float = 0.02  # largest difference between the stamps of colour and depth
    seed: int = 0  # of the detector's sampling
    gripper: GripperGeometry = ROBOTIQ_2F85  # fingers and base for the collision check

    def __post_init__(self) -> None:
        if min(self.max_grasps, self.max_markers) < 1:
            raise ValueError("max_grasps and max_markers must be at least 1")

    def make_detector(self) -> Detector:
        """The detector these values describe. Raises ConfigError when it cannot be made."""
        try:
            detector = create_detector(
                self.detector, self.weights, self.device, self.threads, self.sampled, self.precision
            )
        except (ValueError, DetectorError) as error:
            raise ConfigError(f"detector {self.detector!r}: {error}") from error
        compile_ahead(detector)  # not while the first image waits
        return detector
