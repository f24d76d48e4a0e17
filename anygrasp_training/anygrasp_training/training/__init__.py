# SPDX-License-Identifier: Apache-2.0
"""Trains the geometry module on datasets in GraspNet's layout (paper IV-C)."""

from anygrasp_training.training.geometry_config import GEOMETRY_CONFIGS, GeometryTrainingConfig
from anygrasp_training.training.geometry_trainer import GeometryTrainer

__all__ = ["GEOMETRY_CONFIGS", "GeometryTrainer", "GeometryTrainingConfig"]
