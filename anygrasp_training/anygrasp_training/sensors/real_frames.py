# SPDX-License-Identifier: Apache-2.0
"""The recorded RealSense frames that the sensor models are fitted to and compared with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from anygrasp_perception.arrays import BoolArray, Float32Array, Uint8Array
from anygrasp_perception.camera import CameraIntrinsics, depth_to_metres
from anygrasp_training.sensors.sample_scenes import CLUTTER_INTRINSICS

__all__ = ["RealFrame", "load_real_frames"]

_MUG_COLORS = {"red_mug": ((0, 6), (172, 180)), "blue_mug": ((95, 125),)}
_LAST_TABLE_ROW = 630  # of the clutter frame; below is the table's edge


@dataclass(frozen=True, eq=False)
class RealFrame:
    """One frame, aligned to colour."""

    name: str
    color: Uint8Array  # (H, W, 3) RGB
    depth_m: Float32Array  # (H, W), 0 invalid
    intrinsics: CameraIntrinsics
    usable: BoolArray  # (H, W) where statistics make sense
    silhouette: BoolArray | None  # (H, W) objects, by their colour; None where colour does not tell


def load_real_frames(root: Path, camera: str) -> list[RealFrame]:
    """Frames of one camera below `root`: "d435" the clutter frame, "d415" the single objects.

    The set does not name the cameras. Holes say which: in the clutter frame they are 64 mm of baseline wide,
    start at no left border, and depths begin at 0.27 m; in the others they are 68 to 76 mm wide and a band at
    the left is blind, as a D415's equal fields of view make it.

    Raises FileNotFoundError naming what is missing.
    """
    if camera == "d435":
        names = [root / "clutter" / "demo"]
    elif camera == "d415":
        names = [
            path.with_name(path.name.removesuffix("_depth_mm.png"))
            for path in sorted((root / "single_objects").glob("*_depth_mm.png"))
        ]
    else:
        raise ValueError(f"camera is {camera!r}; real frames exist of d415 and d435")
    if not names:
        raise FileNotFoundError(f"no *_depth_mm.png in {root / 'single_objects'}")
    return [_load(name) for name in names]


def _load(stem: Path) -> RealFrame:
    depth, color = (
        cv2.imread(f"{stem}_{suffix}.png", flag)
        for suffix, flag in (("depth_mm", cv2.IMREAD_UNCHANGED), ("color", cv2.IMREAD_COLOR))
    )
    if depth is None or color is None:
        raise FileNotFoundError(f"{stem}_depth_mm.png or {stem}_color.png cannot be read")
    calibration = Path(f"{stem}_intrinsics.json")
    intrinsics = CameraIntrinsics.from_json(calibration) if calibration.exists() else CLUTTER_INTRINSICS
    usable = np.ones(depth.shape, dtype=bool)
    if not calibration.exists():
        usable[_LAST_TABLE_ROW:] = False
    return RealFrame(
        name=stem.name,
        color=np.asarray(cv2.cvtColor(color, cv2.COLOR_BGR2RGB), dtype=np.uint8),
        depth_m=depth_to_metres(depth),
        intrinsics=intrinsics,
        usable=usable,
        silhouette=_silhouette(stem.name, color),
    )


def _silhouette(name: str, color_bgr: Uint8Array) -> BoolArray | None:
    hue, saturation, _ = cv2.split(cv2.cvtColor(color_bgr, cv2.COLOR_BGR2HSV))
    if name == "demo":
        # Shade keeps the table's ratio of green to red; objects do not have it.
        blue, green, red = (channel.astype(np.float32) + 8 for channel in cv2.split(color_bgr))
        table = (green / red > 1.35) & (green / blue > 0.9) & (hue > 60) & (hue < 95)
        mask = ~table
    elif name in _MUG_COLORS:
        mask = np.zeros(hue.shape, dtype=bool)
        for low, high in _MUG_COLORS[name]:
            mask |= (hue >= low) & (hue < high) & (saturation > 120)
    else:
        return None
    cleaned = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    return np.asarray(cv2.morphologyEx(cleaned, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8)) > 0)
