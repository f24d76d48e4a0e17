# SPDX-License-Identifier: Apache-2.0
"""Boxes, cylinders and spheres on a table, ray-cast exactly from a camera that looks straight down."""

from dataclasses import dataclass

import numpy as np

from anygrasp_perception.camera import CameraIntrinsics, RgbdFrame

CAMERA_HEIGHT_M = 0.6  # above the table
CAMERA = CameraIntrinsics(fx=400.0, fy=400.0, cx=159.5, cy=119.5, width=320, height=240)


@dataclass(frozen=True)
class Box:
    """Stands on the table; size along x, y and height, turned by yaw about the vertical."""

    size_m: tuple[float, float, float]
    center_xy: tuple[float, float] = (0.0, 0.0)
    yaw_rad: float = 0.0
    base_m: float = 0.0  # height of its bottom above the table

    def hit(self, rays):
        cos, sin = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        R = np.array([(cos, -sin, 0.0), (sin, cos, 0.0), (0.0, 0.0, 1.0)])
        half = np.array(self.size_m) / 2
        center = np.array((*self.center_xy, CAMERA_HEIGHT_M - self.base_m - half[2]))
        with np.errstate(divide="ignore"):
            inverse = 1.0 / (rays @ R)
        near, far = (-half + center @ R) * inverse, (half + center @ R) * inverse
        enter, leave = np.minimum(near, far).max(axis=-1), np.maximum(near, far).min(axis=-1)
        return np.where(enter < leave, enter, np.inf)


@dataclass(frozen=True)
class Cylinder:
    """Stands upright on the table."""

    radius_m: float
    height_m: float
    center_xy: tuple[float, float] = (0.0, 0.0)

    def hit(self, rays):
        center, xy = np.array(self.center_xy), rays[..., :2]
        a, b, c = (xy**2).sum(-1), xy @ center, center @ center - self.radius_m**2
        root = np.sqrt(np.where(b**2 - a * c > 0, b**2 - a * c, np.nan))
        with np.errstate(divide="ignore", invalid="ignore"):
            enter, leave = (b - root) / a, (b + root) / a
        top = CAMERA_HEIGHT_M - self.height_m
        depth = np.maximum(enter, top)
        return np.where((leave > depth) & (depth < CAMERA_HEIGHT_M), depth, np.inf)


@dataclass(frozen=True)
class Sphere:
    """Lies on the table."""

    radius_m: float
    center_xy: tuple[float, float] = (0.0, 0.0)

    def hit(self, rays):
        center = np.array((*self.center_xy, CAMERA_HEIGHT_M - self.radius_m))
        a, b, c = (rays**2).sum(-1), rays @ center, center @ center - self.radius_m**2
        inside = b**2 - a * c
        return np.where(inside > 0, (b - np.sqrt(np.maximum(inside, 0.0))) / a, np.inf)


def photograph(*shapes, noise_m=0.0, seed=0) -> RgbdFrame:
    """The depth image of the shapes on the table, with white noise, and a grey colour image."""
    columns, rows = np.meshgrid(np.arange(CAMERA.width), np.arange(CAMERA.height))
    rays = np.stack(
        [
            (columns - CAMERA.cx) / CAMERA.fx,
            (rows - CAMERA.cy) / CAMERA.fy,
            np.ones(columns.shape),
        ],
        axis=-1,
    )
    depth = np.full(columns.shape, CAMERA_HEIGHT_M)  # rays have z = 1: their length is the depth
    for shape in shapes:
        depth = np.minimum(depth, shape.hit(rays))
    depth += np.random.default_rng(seed).normal(0.0, 1.0, depth.shape) * noise_m
    color = np.full((*depth.shape, 3), 128, dtype=np.uint8)
    return RgbdFrame(color, depth.astype(np.float32), CAMERA)
