# SPDX-License-Identifier: Apache-2.0
"""Which RealSense or recording to open, with which streams, preset and depth filters."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

__all__ = ["DepthFilterConfig", "HoleFilling", "RealSenseConfig", "RealSensePreset"]


class RealSensePreset(str, Enum):
    """What is set in the camera at its start; see `realsense_presets`."""

    NONE = "none"
    BIN_PICKING = "bin_picking"
    DENSE = "dense"


class HoleFilling(str, Enum):
    """Which neighbour fills a pixel without depth."""

    OFF = "off"
    LEFT = "left"
    FARTHEST = "farthest"
    NEAREST = "nearest"


@dataclass(frozen=True)
class DepthFilterConfig:
    """Post-processing by librealsense, in this order, before alignment; raises ValueError out of range.

    All off by default: a filter that invents depth between the objects of a heap hides the gaps that
    fingers need.
    """

    min_distance_m: float = 0.0  # nearer depth is dropped
    max_distance_m: float = 0.0  # farther depth is dropped; 0: no limit
    spatial: bool = False  # smooth along rows and columns, keeping edges
    spatial_alpha: float = 0.5  # 0.25 (strong) to 1 (none)
    spatial_delta: int = 20  # a larger step, in units of disparity (1/32 px), is an edge
    temporal: bool = False  # smooth over time; for scenes that stand still
    temporal_alpha: float = 0.4  # weight of the new image, above 0 to 1
    temporal_delta: int = 20  # a larger step is a change, not noise
    temporal_persistency: int = 3  # which old pixels fill holes, 0 (none) to 8 (all); librealsense's list
    hole_filling: HoleFilling = HoleFilling.OFF  # invents depth; never for collision checks

    def __post_init__(self) -> None:
        if not (0 <= self.min_distance_m < math.inf and 0 <= self.max_distance_m < math.inf):
            raise ValueError("min_distance_m and max_distance_m must be 0 or more")
        if self.max_distance_m and self.max_distance_m <= self.min_distance_m:
            raise ValueError(
                f"max_distance_m {self.max_distance_m} must be above min_distance_m {self.min_distance_m}"
            )
        limits = {
            "spatial_alpha": (0.25, 1.0),
            "spatial_delta": (1, 50),
            "temporal_alpha": (0.01, 1.0),
            "temporal_delta": (1, 100),
            "temporal_persistency": (0, 8),
        }
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be {low} to {high}")


@dataclass(frozen=True)
class RealSenseConfig:
    """Which device or recording, and at what size; raises ValueError on values that contradict each other."""

    serial: str = ""  # serial number of the camera; empty takes the only one connected
    recording: str = ""  # a .bag or .db3 file of librealsense, played instead of a device
    repeat: bool = True  # start a recording again at its end
    width: int = 640  # pixels
    height: int = 480
    fps: int = 30  # images a second that the device sends
    preset: RealSensePreset = RealSensePreset.NONE  # none, bin_picking or dense: set in the camera
    filters: DepthFilterConfig = field(default_factory=DepthFilterConfig)

    def __post_init__(self) -> None:
        if min(self.width, self.height, self.fps) <= 0:
            raise ValueError(f"{self.width}x{self.height} at {self.fps} fps: all three must be positive")
        if self.serial and self.recording:
            raise ValueError(f"serial {self.serial!r} and recording {self.recording!r}: give one of them")
