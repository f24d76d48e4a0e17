# SPDX-License-Identifier: Apache-2.0
"""Which grasps of two frames are the same grasp on the same object (paper IV-A, Eq. 4-5)."""

from anygrasp_training.association.distance import AssociationConfig, grasp_distances, in_object_frames
from anygrasp_training.association.neighbours import neighbour_views
from anygrasp_training.association.scene_labels import AssociationLabeller, SceneAssociation

__all__ = [
    "AssociationConfig",
    "AssociationLabeller",
    "SceneAssociation",
    "grasp_distances",
    "in_object_frames",
    "neighbour_views",
]
