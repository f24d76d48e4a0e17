# SPDX-License-Identifier: Apache-2.0
"""Evaluation of grasps: average precision as the GraspNet-1Billion benchmark defines it, and coverage."""

from anygrasp_training.evaluation.evaluation_config import EvaluationConfig
from anygrasp_training.evaluation.frame_evaluation import FrameResult, evaluate_frame
from anygrasp_training.evaluation.object_model import ObjectModel, SceneObject, surface_cloud, table_cloud
from anygrasp_training.evaluation.summary import ApSummary, SceneResult, SplitSummary, summarise

__all__ = [
    "ApSummary",
    "EvaluationConfig",
    "FrameResult",
    "ObjectModel",
    "SceneObject",
    "SceneResult",
    "SplitSummary",
    "evaluate_frame",
    "summarise",
    "surface_cloud",
    "table_cloud",
]
