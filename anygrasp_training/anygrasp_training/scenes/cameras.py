# SPDX-License-Identifier: Apache-2.0
"""Camera poses around a scene: 256 on a cap like the paper's, and one straight above."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.se3 import make_transform

__all__ = [
    "CAP_VIEW_COUNT",
    "CameraConfig",
    "cap_directions",
    "draw_intrinsics",
    "draw_viewpoints",
    "look_at",
]

CAP_VIEW_COUNT = 256  # images of one scene (paper IV-A)
_RINGS = 8


@dataclass(frozen=True)
class CameraConfig:
    """The camera and where it goes."""

    width: int = 640
    height: int = 480
    focal_px: float = 615.0  # of a D435 or D415 colour camera at 640 x 480
    focal_spread: float = 0.05  # relative, from scene to scene
    min_distance_m: float = 0.35
    max_distance_m: float = 1.0
    max_polar_rad: float = np.deg2rad(60.0)  # of the cap, from straight above
    run_length: int = 3  # neighbouring views in a row, for association (paper IV-A)
    overhead: bool = True  # the last view looks straight down

    def __post_init__(self) -> None:
        if not 0.3 <= self.min_distance_m <= self.max_distance_m <= 2.0:
            raise ValueError(
                "CameraConfig needs 0.3 <= min_distance_m <= max_distance_m <= 2.0, got "
                f"{self.min_distance_m} and {self.max_distance_m}"
            )
        if not 0 < self.max_polar_rad <= np.deg2rad(85.0):
            raise ValueError(
                f"CameraConfig.max_polar_rad must be in (0, {np.deg2rad(85.0):.3f}], got {self.max_polar_rad}"
            )
        if self.run_length < 1 or not 0 <= self.focal_spread < 0.5:
            raise ValueError(
                f"CameraConfig needs run_length >= 1 and focal_spread in [0, 0.5), got {self.run_length} "
                f"and {self.focal_spread}"
            )


def cap_directions(max_polar_rad: float, count: int = CAP_VIEW_COUNT) -> Float64Array:
    """Return `count` unit directions (count, 3) on a cap about +z; neighbours in order are neighbours.

    Rings run to and fro, as a robot arm carries a camera around a table.
    """
    per_ring = int(np.ceil(count / _RINGS))
    ring, step = np.divmod(np.arange(count), per_ring)
    polar = max_polar_rad * (ring + 0.5) / _RINGS
    forward = ring % 2 == 0
    azimuth = 2 * np.pi * np.where(forward, step, per_ring - 1 - step) / per_ring
    return np.stack([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)], -1)


def look_at(eye: Float64Array, target: Float64Array, roll_rad: float = 0.0) -> Float64Array:
    """Return the pose (4, 4) of an optical frame at `eye` (3,) that sees `target` (3,) in the middle.

    The scene's z points up in the image; looking straight down, its y does.
    """
    z = target - eye
    z = z / np.linalg.norm(z)
    up = np.array([0.0, 1.0, 0.0]) if abs(z[2]) > 0.999 else np.array([0.0, 0.0, 1.0])
    x = np.cross(z, up)
    x /= np.linalg.norm(x)
    y = np.cross(z, x)
    cos, sin = np.cos(roll_rad), np.sin(roll_rad)
    return make_transform(np.stack([cos * x + sin * y, cos * y - sin * x, z], axis=-1), eye)


def draw_intrinsics(config: CameraConfig, rng: np.random.Generator) -> CameraIntrinsics:
    """Draw focal length and principal point, as they differ from camera to camera."""
    focal = config.focal_px * (1 + rng.uniform(-config.focal_spread, config.focal_spread))
    cx = (config.width - 1) / 2 + rng.uniform(-0.01, 0.01) * config.width
    cy = (config.height - 1) / 2 + rng.uniform(-0.01, 0.01) * config.height
    return CameraIntrinsics(focal, focal, cx, cy, config.width, config.height)


def draw_viewpoints(
    count: int, config: CameraConfig, rng: np.random.Generator, *, overhead: bool | None = None
) -> list[list[Float64Array]]:
    """Draw runs of neighbouring camera poses (4, 4) T_scene_camera, `count` in all.

    A run shares its distance and what it looks at; from run to run they change. No direction of the cap
    occurs twice. The last of several views is the overhead one, unless `overhead` says otherwise than the
    config. Raises ValueError on a count outside 1 to 256.
    """
    if not 1 <= count <= CAP_VIEW_COUNT:
        raise ValueError(f"a scene has 1 to {CAP_VIEW_COUNT} views, got {count}")
    directions = cap_directions(config.max_polar_rad)
    above_too = count > 1 and (config.overhead if overhead is None else overhead)
    around = count - 1 if above_too else count
    runs: list[list[Float64Array]] = []
    starts = rng.permutation(int(np.ceil(CAP_VIEW_COUNT / config.run_length))) * config.run_length
    for start in starts:
        if around == 0:
            break
        length = min(config.run_length, around, CAP_VIEW_COUNT - start)
        around -= length
        distance = rng.uniform(config.min_distance_m, config.max_distance_m)
        target = np.array([*rng.normal(0, 0.03, size=2), rng.uniform(0.0, 0.06)])
        roll = rng.normal(0, np.deg2rad(5.0))
        runs.append([look_at(target + distance * directions[start + i], target, roll) for i in range(length)])
    if above_too:
        above = np.array([*rng.normal(0, 0.03, size=2), rng.uniform(0.55, 0.85)])
        below = np.array([*(above[:2] + rng.normal(0, 0.02, size=2)), 0.0])
        runs.append([look_at(above, below, rng.choice([0.0, np.pi / 2, np.pi]) + rng.normal(0, 0.05))])
    return runs
