# SPDX-License-Identifier: Apache-2.0
"""How good the network is between two epochs: AP on a few held-out frames, and a picture of its grasps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from anygrasp_perception.arrays import Uint8Array
from anygrasp_perception.drawing import draw_grasps
from anygrasp_perception.network.grasp_network import GraspNetwork
from anygrasp_perception.network_detector import NetworkDetector
from anygrasp_training.dataset import GraspDataset
from anygrasp_training.dataset.files import write_image
from anygrasp_training.evaluation.dataset_detection import detect_in_frame
from anygrasp_training.evaluation.dataset_evaluation import DatasetEvaluator

__all__ = ["ValidationResult", "validate"]

_GRASPS_A_FRAME = 50
_DRAWN_FRAMES = 4
_THUMBNAIL = (480, 360)


@dataclass(frozen=True)
class ValidationResult:
    """Figures over the frames, in percent."""

    ap: float
    coverage: float  # of the visible objects
    frames: int


def validate(network: GraspNetwork, folder: Path, frames: int, picture: Path | None) -> ValidationResult:
    """Detect and evaluate in `frames` views, spread over the dataset; draw some into `picture`.

    `network` in inference mode. Raises DatasetError.
    """
    dataset = GraspDataset(folder)
    evaluator = DatasetEvaluator(dataset)
    detector = NetworkDetector(network=network)
    views = [(scene, view) for scene in dataset.scene_ids for view in range(dataset.view_count(scene))]
    chosen = [views[int(index)] for index in np.linspace(0, len(views) - 1, min(frames, len(views)))]
    precisions, covered, graspable = [], 0, 0
    drawn: list[Uint8Array] = []
    for scene, view in chosen:
        frame = dataset.frame(scene, view)
        grasps = detect_in_frame(detector, frame, _GRASPS_A_FRAME).grasps
        result = evaluator.evaluate(scene, view, grasps)
        precisions.append(result.average_precision)
        covered += int((result.covered & result.graspable).sum())
        graspable += int(result.graspable.sum())
        if len(drawn) < _DRAWN_FRAMES:
            image = draw_grasps(frame.color, grasps, frame.intrinsics)
            drawn.append(np.asarray(cv2.resize(image, _THUMBNAIL, interpolation=cv2.INTER_AREA), np.uint8))
    if picture is not None:
        write_image(picture, np.hstack(drawn))
    return ValidationResult(100 * float(np.mean(precisions)), 100 * covered / max(graspable, 1), len(chosen))
