# SPDX-License-Identifier: Apache-2.0
"""Layout of the bin-picking cell: the one place where its numbers live."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.se3 import make_transform
from anygrasp_sim.depth_noise import D415, DepthSensorConfig

__all__ = ["CellConfig"]


@dataclass(frozen=True)
class CellConfig:
    """A UR5e with a 2F-85, a walled plate of objects, a target bin and an overhead camera.

    Positions are in the arm's `base` frame, which is the world's: origin under the arm, z up, z = 0 the top
    of the table.
    """

    seed: int = 0
    object_count: int = 8
    families: tuple[str, ...] = ()  # object families to draw from; empty: those of the cell
    split: str = ""  # train, similar or novel objects instead; empty: by families

    plate_center_m: tuple[float, float] = (0.0, -0.50)
    plate_inner_size_m: float = 0.36  # square
    plate_wall_height_m: float = 0.04  # above the plate's floor
    plate_floor_m: float = 0.005  # height of the plate's floor over the table

    bin_center_m: tuple[float, float] = (0.45, -0.25)
    bin_inner_size_m: tuple[float, float] = (0.32, 0.40)
    bin_wall_height_m: float = 0.12
    bin_floor_m: float = 0.005

    camera_position_m: tuple[float, float, float] = (
        0.0,
        -0.50,
        0.75,
    )  # looks straight down, image right = +x
    image_width: int = 640
    image_height: int = 480
    focal_px: float = 615.0  # of a D415's colour stream at this size
    depth_sensor: DepthSensorConfig = D415

    # Tool straight down over the target bin, TCP 0.40 and 0.28 m high: out of the camera's view of the plate.
    home_joints_rad: tuple[float, ...] = (-0.24517, -1.60518, -1.31834, -1.78887, 1.57080, -0.24517)
    drop_joints_rad: tuple[float, ...] = (-0.24517, -1.58708, -1.64475, -1.48056, 1.57080, -0.24517)
    # Fingertips in tool0: along its z, closing along its y. They reach this far when closed, and 13 mm less
    # when open.
    tcp_offset_m: float = 0.1725

    control_period_s: float = 0.008  # one tick of the arm's controller
    physics_step_s: float = 0.002

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; it must be 0 or more")
        if not 1 <= self.object_count <= 30:
            raise ValueError(f"object_count is {self.object_count}; the plate holds 1 to 30 objects")
        if self.split and self.families:
            raise ValueError(
                f"split {self.split!r} and families {self.families} both say what to draw: give one of them"
            )
        for name in ("home_joints_rad", "drop_joints_rad"):
            if len(getattr(self, name)) != 6:
                raise ValueError(f"{name} has {len(getattr(self, name))} angles; a UR5e has 6 joints")
        ratio = self.control_period_s / self.physics_step_s
        if ratio < 1 or abs(ratio - round(ratio)) > 1e-9:
            raise ValueError(
                f"control_period_s {self.control_period_s} must be a whole multiple of "
                f"physics_step_s {self.physics_step_s}"
            )

    @property
    def intrinsics(self) -> CameraIntrinsics:
        """Pinhole model of the overhead camera; pixel centres at whole numbers."""
        return CameraIntrinsics(
            fx=self.focal_px,
            fy=self.focal_px,
            cx=(self.image_width - 1) / 2,
            cy=(self.image_height - 1) / 2,
            width=self.image_width,
            height=self.image_height,
        )

    @property
    def T_base_camera(self) -> Float64Array:
        """(4, 4) pose of the camera's optical frame (x right, y down, z forward) in `base`."""
        return make_transform(np.diag([1.0, -1.0, -1.0]), np.array(self.camera_position_m))

    @property
    def T_tool0_tcp(self) -> Float64Array:
        """(4, 4) pose of the fingertips in the UR flange frame `tool0`."""
        return make_transform(np.eye(3), np.array([0.0, 0.0, self.tcp_offset_m]))
