# SPDX-License-Identifier: Apache-2.0
"""Parameters of the grasp tracking node."""

from __future__ import annotations

from dataclasses import dataclass, field

from anygrasp_bringup.dataclass_parameters import ConfigError
from anygrasp_perception.compile_ahead import compile_ahead
from anygrasp_perception.detector import Detector, DetectorError
from anygrasp_perception.network.weights import WeightsError
from anygrasp_perception.nodes.grasp_detection_config import GraspDetectionConfig
from anygrasp_tracking.correspondence import CorrespondencePolicy
from anygrasp_tracking.dense_detection import TRACKED_GRASPS, dense_detector
from anygrasp_tracking.policies import POLICIES, PolicyError, make_policy
from anygrasp_tracking.tracker import TrackerConfig

__all__ = ["SOURCES", "GraspTrackingConfig"]

SOURCES = ("images", "grasps")


@dataclass(frozen=True)
class GraspTrackingConfig:
    """Defaults of the tracking node; raises ValueError on unknown names and on values out of range."""

    source: str = "images"  # detect in the camera's images here, or follow the `grasps` of a detection node
    # Frame that stands still while the camera moves, such as `base`; empty: the camera stands still.
    fixed_frame: str = ""
    # Which grasp of a new image is a target's: association (learned, of the detector network), appearance
    # (hand-made features) or nearest.
    policy: str = "appearance"
    association_weights: str = ""  # file for the policy association; empty: those that ship
    follow_best: int = 0  # while nothing is followed, follow so many of the best grasps by itself
    look_ahead_s: float = 0.5  # `predicted` is for so long after the image: what the gripper takes to close
    stale_s: float = 1.0  # without a frame for longer, /diagnostics warns
    tf_timeout_s: float = 0.5  # how long to wait for the transform at an image's stamp
    detection: GraspDetectionConfig = field(default_factory=GraspDetectionConfig)  # of the source images
    tracker: TrackerConfig = field(default_factory=TrackerConfig)

    def __post_init__(self) -> None:
        for name, value, choices in (("source", self.source, SOURCES), ("policy", self.policy, POLICIES)):
            if value not in choices:
                raise ValueError(f"no {name} {value!r}; choose one of {', '.join(choices)}")
        if self.policy == "association" and (self.source, self.detection.detector) != ("images", "network"):
            raise ValueError(
                f"the policy association needs the features of the network: source is {self.source!r} and "
                f"detection.detector {self.detection.detector!r}; set them to images and network, or choose "
                "appearance"
            )
        if self.follow_best < 0:
            raise ValueError(f"follow_best is {self.follow_best}; use 0 (wait for track/select) or more")
        if not self.look_ahead_s >= 0:
            raise ValueError(f"look_ahead_s is {self.look_ahead_s}; use 0 or more")
        for name in ("stale_s", "tf_timeout_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")

    def make_policy(self) -> CorrespondencePolicy:
        """The policy these values describe. Raises ConfigError when it cannot be made."""
        try:
            return make_policy(self.policy, self.association_weights)
        except (ValueError, PolicyError) as error:
            raise ConfigError(f"policy {self.policy!r}: {error}") from error

    def make_detector(self) -> tuple[Detector, int]:
        """The detector, and how many grasps it is asked for. Raises ConfigError when it cannot be made."""
        detection = self.detection
        if self.policy != "association":
            return detection.make_detector(), detection.max_grasps
        try:
            detector = dense_detector(detection.weights or None, detection.device, detection.threads)
        except (WeightsError, DetectorError) as error:
            raise ConfigError(f"detector 'network': {error}") from error
        compile_ahead(detector)  # not while the first image waits
        return detector, TRACKED_GRASPS
