# SPDX-License-Identifier: Apache-2.0
"""Short sequences of moving objects with ground-truth poses, for tracking."""

from anygrasp_training.sequences.film import SequenceConfig, generate_sequence
from anygrasp_training.sequences.fish import FishBody, draw_fish
from anygrasp_training.sequences.lanes import LanePath, draw_lane_paths

__all__ = ["FishBody", "LanePath", "SequenceConfig", "draw_fish", "draw_lane_paths", "generate_sequence"]
