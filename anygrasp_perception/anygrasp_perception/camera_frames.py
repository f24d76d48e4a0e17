# SPDX-License-Identifier: Apache-2.0
"""The frames of a camera, with realsense-ros' names: link, colour, colour optical (REP 103)."""

from __future__ import annotations

from anygrasp_perception.se3 import pose_to_transform

__all__ = ["T_LINK_OPTICAL"]

# camera_link has x forward and z up, its optical frame z forward and y down.
T_LINK_OPTICAL = pose_to_transform((0.0, 0.0, 0.0), (-0.5, 0.5, -0.5, 0.5))
