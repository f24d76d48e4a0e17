# SPDX-License-Identifier: Apache-2.0
"""Generates whole datasets on many cores: resumable, and the same whatever the number of jobs."""

from anygrasp_training.generation.config import GenerationConfig
from anygrasp_training.generation.run import generate_dataset, generate_sequences
from anygrasp_training.generation.workers import Workers

__all__ = ["GenerationConfig", "Workers", "generate_dataset", "generate_sequences"]
