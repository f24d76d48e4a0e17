# SPDX-License-Identifier: Apache-2.0
"""Detector and tracker set for grasps dense enough that one of the last frame is found again (paper, III)."""

from __future__ import annotations

from pathlib import Path

from anygrasp_perception.network_detector import NetworkDetector, NetworkDetectorConfig
from anygrasp_perception.post_processing import PostProcessingConfig
from anygrasp_tracking.switch_guard import SwitchGuardConfig
from anygrasp_tracking.tracker import TrackerConfig

__all__ = ["DENSE_POST_PROCESSING", "DENSE_TRACKING", "TRACKED_GRASPS", "dense_detector"]

TRACKED_GRASPS = 400  # max_grasps of a request
_MIN_SCORE = 0.02
# Suppression as for picking would leave one grasp within 3 cm, in each frame another one: a target would
# jump. Only peaks of the same seed that hardly differ are dropped.
DENSE_POST_PROCESSING = PostProcessingConfig(top_n=1000, nms_translation_m=0.002)

# Like grasps lie all over the same object: a jump is what leads off it, and the motion decides between them.
DENSE_TRACKING = TrackerConfig(motion_weight=1.0, guard=SwitchGuardConfig(jump_m=0.06))


def dense_detector(
    weights: Path | str | None = None, device: str = "cpu", threads: int = 1
) -> NetworkDetector:
    """The network as tracking needs it; `weights` of the geometry network, the shipped ones when None.

    Raises WeightsError, DetectorError.
    """
    config = NetworkDetectorConfig(
        min_score=_MIN_SCORE,
        # A random search about the best would give each frame other grasps.
        refinement=None,
        device=device,
        threads=threads,
        post_processing=DENSE_POST_PROCESSING,
    )
    return NetworkDetector(config, weights)
