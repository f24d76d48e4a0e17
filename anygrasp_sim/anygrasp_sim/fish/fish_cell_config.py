# SPDX-License-Identifier: Apache-2.0
"""Layout of the fish cell: the one place where its numbers live."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.gripper import GripperGeometry
from anygrasp_perception.se3 import make_transform

__all__ = ["LONG_FINGERS", "FishCellConfig", "FishConfig", "WaterConfig"]

# The stroke of a 2F-85 with printed jaws that reach into the water (paper, Fig. 5).
LONG_FINGERS = GripperGeometry(
    finger_thickness_m=0.010,
    finger_height_m=0.022,
    finger_length_m=0.15,
    base_length_m=0.11,
    base_width_m=0.15,
    base_height_m=0.075,
)


@dataclass(frozen=True)
class WaterConfig:
    """The water and what it does to fish and camera. Raises ValueError on values out of range."""

    level_m: float = -0.05  # height of the surface, base frame
    friction: float = 0.35  # of wet fingers on wet fish
    lateral_drag_per_s: float = 6.0  # how fast sideways motion dies down; along the body a sixth of it
    turn_drag_per_s: float = 8.0  # how fast turns die down
    wave_slope_rad: float = 0.02  # of the surface, standard deviation
    refractive_index: float = 1.33

    def __post_init__(self) -> None:
        for name in ("friction", "lateral_drag_per_s", "turn_drag_per_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"WaterConfig.{name} is {getattr(self, name)}; it must be positive")
        if not self.wave_slope_rad >= 0:
            raise ValueError(f"WaterConfig.wave_slope_rad is {self.wave_slope_rad}; use 0 or more")
        if not 1 <= self.refractive_index < 2:
            raise ValueError(f"WaterConfig.refractive_index is {self.refractive_index}; use 1 up to below 2")


@dataclass(frozen=True)
class FishConfig:
    """How the fish swim. Raises ValueError on values out of range."""

    count: int = 8  # in the tank at first (paper VI-B)
    kinds: tuple[str, ...] = ()  # to draw from in turn; empty: all of fish_kinds.KINDS
    speed_factor: float = 1.0  # on the speeds of all kinds
    wander_rad_s: float = 0.25  # standard deviation of the turn rate while nothing is in the way
    wander_time_s: float = 1.5  # for which a turn lasts
    speed_change_s: tuple[float, float] = (2.0, 5.0)  # a new speed is drawn after so long
    avoid_distance_m: float = 0.13  # ahead of the nose at which a fish turns away from a wall
    depth_m: tuple[float, float] = (0.030, 0.050)  # of the body's middle under the surface

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 12:
            raise ValueError(f"FishConfig.count is {self.count}; the tank holds 1 to 12 fish")
        for name in ("speed_factor", "wander_time_s", "avoid_distance_m"):
            if not getattr(self, name) > 0:
                raise ValueError(f"FishConfig.{name} is {getattr(self, name)}; it must be positive")
        if not self.wander_rad_s >= 0:
            raise ValueError(f"FishConfig.wander_rad_s is {self.wander_rad_s}; use 0 or more")
        for name in ("speed_change_s", "depth_m"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"FishConfig.{name} is {(low, high)}; give 0 < low <= high")


@dataclass(frozen=True)
class FishCellConfig:
    """A Rizon 4 on a pedestal, a tank in front of it, a bin beside it, and a camera on its wrist.

    Positions are in the arm's `base` frame, which is the world's: origin at the mounting face, z up.
    """

    seed: int = 0
    fish: FishConfig = field(default_factory=FishConfig)
    water: WaterConfig = field(default_factory=WaterConfig)

    tank_center_m: tuple[float, float] = (0.50, 0.0)
    tank_inner_size_m: tuple[float, float] = (0.42, 0.58)  # along x and y
    tank_floor_m: float = -0.17
    tank_rim_m: float = -0.01

    bin_center_m: tuple[float, float] = (0.10, -0.48)
    bin_inner_size_m: tuple[float, float] = (0.30, 0.26)
    bin_floor_m: float = -0.17
    bin_rim_m: float = -0.02

    flange_to_tip_m: float = 0.26  # fingertips in the flange's frame: along its z, closing along its y
    # Far enough aside, and turned to the fingertips, to see past the palm all of a fish that is under them.
    camera_offset_m: tuple[float, float, float] = (-0.14, 0.0, 0.02)  # of the camera in the flange's frame
    camera_tilt_rad: float = 0.38  # towards the fingertips
    image_width: int = 320
    image_height: int = 240
    focal_px: float = 228.7  # 70 degrees across, as an L515 at its lowest resolution

    home_joints_rad: tuple[float, ...] = (0.1353, -0.0699, 0.1031, 2.167, -0.0091, 0.6657, 0.2439)
    control_period_s: float = 0.008  # one tick of the arm's controller
    physics_step_s: float = 0.002

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; it must be 0 or more")
        if len(self.home_joints_rad) != 7:
            raise ValueError(
                f"home_joints_rad has {len(self.home_joints_rad)} angles; a Rizon 4 has 7 joints"
            )
        if not self.tank_floor_m < self.water.level_m < self.tank_rim_m:
            raise ValueError(
                f"water.level_m {self.water.level_m} must lie between tank_floor_m {self.tank_floor_m} "
                f"and tank_rim_m {self.tank_rim_m}"
            )
        ratio = self.control_period_s / self.physics_step_s
        if ratio < 1 or abs(ratio - round(ratio)) > 1e-9:
            raise ValueError(
                f"control_period_s {self.control_period_s} must be a whole multiple of "
                f"physics_step_s {self.physics_step_s}"
            )

    @property
    def intrinsics(self) -> CameraIntrinsics:
        """Pinhole model of the wrist camera; pixel centres at whole numbers."""
        return CameraIntrinsics(
            fx=self.focal_px,
            fy=self.focal_px,
            cx=(self.image_width - 1) / 2,
            cy=(self.image_height - 1) / 2,
            width=self.image_width,
            height=self.image_height,
        )

    @property
    def T_flange_tcp(self) -> Float64Array:
        """(4, 4) of the point between the fingertips: z along the approach, y along the closing direction."""
        return make_transform(np.eye(3), np.array([0.0, 0.0, self.flange_to_tip_m]))

    @property
    def T_flange_camera(self) -> Float64Array:
        """(4, 4) of the camera's optical frame; its image is wide along the closing direction."""
        cos, sin = np.cos(self.camera_tilt_rad), np.sin(self.camera_tilt_rad)
        # Columns: image right = flange y, image down = towards the fingers' side (x), view along z, tilted.
        R = np.array([[0.0, -cos, sin], [1.0, 0.0, 0.0], [0.0, sin, cos]])
        return make_transform(R, np.array(self.camera_offset_m))

    @property
    def water_box_m(self) -> tuple[Float64Array, Float64Array]:
        """Lower and upper corner (3,) of the water, base frame."""
        half = np.array(self.tank_inner_size_m) / 2
        center = np.array(self.tank_center_m)
        return (
            np.array([*(center - half), self.tank_floor_m]),
            np.array([*(center + half), self.water.level_m]),
        )
