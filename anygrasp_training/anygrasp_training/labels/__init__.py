# SPDX-License-Identifier: Apache-2.0
"""Grasp labels of objects: which of 300 views x 12 angles x 5 depths hold, at every surface point."""

from anygrasp_training.labels.label_config import LABEL_GRIPPER, LabelConfig
from anygrasp_training.labels.label_io import load_labels, save_labels
from anygrasp_training.labels.labelling import label_object
from anygrasp_training.labels.object_labels import ObjectGraspLabels, cell_rotations

__all__ = [
    "LABEL_GRIPPER",
    "LabelConfig",
    "ObjectGraspLabels",
    "cell_rotations",
    "label_object",
    "load_labels",
    "save_labels",
]
