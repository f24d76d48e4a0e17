# SPDX-License-Identifier: Apache-2.0
"""Grasps drawn into the camera image as gripper wireframes, coloured by score."""

import cv2
import numpy as np

from anygrasp_perception.arrays import Float64Array, Uint8Array
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.gripper import ROBOTIQ_2F85, GripperGeometry

__all__ = ["draw_grasps", "gripper_wireframes", "score_colors"]

_STEM_LENGTH_M = 0.04
_NEAR_PLANE_M = 0.02  # what lies nearer, or behind the camera, is cut off
_SUBPIXEL_BITS = 4
_OUTLINE = (20, 20, 20)

# Worst to best, RGB: readable on wood, steel and dark cloth alike, with the dark outline.
_COLOR_STOPS = np.array([(215, 48, 39), (253, 174, 97), (255, 240, 120), (102, 220, 90), (0, 190, 70)], float)


def draw_grasps(
    image: Uint8Array,
    group: GraspGroup,
    intrinsics: CameraIntrinsics,
    gripper: GripperGeometry = ROBOTIQ_2F85,
    max_count: int = 50,
) -> Uint8Array:
    """Return a copy of `image` (H, W, 3) RGB with the `max_count` best grasps drawn in, the best on top.

    `group` is in the image's optical frame. Colours run from red, the worst drawn, to green, the best;
    the best is drawn thicker. Parts behind the camera are cut off.
    Raises ValueError when the image is not (H, W, 3) uint8 or `max_count` is negative.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image must be (H, W, 3) uint8 RGB, got {image.shape} {image.dtype}")
    canvas = np.ascontiguousarray(image).copy()
    drawn = group.top(max_count)[::-1]
    colors = score_colors(drawn.scores)
    scale = max(1, round(image.shape[1] / 640))
    for i, segments in enumerate(gripper_wireframes(drawn, gripper)):
        thickness = scale * (3 if i == len(drawn) - 1 else 1)
        visible = [
            _to_pixels(segment, intrinsics) for segment in segments if segment[:, 2].max() > _NEAR_PLANE_M
        ]
        for color, width in ((_OUTLINE, thickness + 2 * scale), (tuple(colors[i].tolist()), thickness)):
            for start, end in visible:
                cv2.line(canvas, start, end, color, width, cv2.LINE_AA, _SUBPIXEL_BITS)
    return canvas


def score_colors(scores: Float64Array) -> Uint8Array:
    """Return RGB colours (N, 3) from red, the lowest score, over yellow to green, the highest."""
    if len(scores) == 0:
        return np.zeros((0, 3), dtype=np.uint8)
    span = float(np.ptp(scores))
    rank = (scores - scores.min()) / span if span > 0 else np.ones_like(scores)
    stops = np.linspace(0.0, 1.0, len(_COLOR_STOPS))
    return np.stack([np.interp(rank, stops, channel) for channel in _COLOR_STOPS.T], axis=-1).astype(np.uint8)


def gripper_wireframes(group: GraspGroup, gripper: GripperGeometry) -> Float64Array:
    """Return the lines (N, 4, 2, 3) of stem, palm and both fingers in the group's frame, metres."""
    half = group.widths / 2 + gripper.finger_thickness_m / 2  # middle of the fingers
    tip = group.depths
    root = tip - gripper.finger_length_m
    zero = np.zeros_like(tip)
    corners = {
        "stem": (root - _STEM_LENGTH_M, zero),
        "palm": (root, zero),
        "left_root": (root, half),
        "left_tip": (tip, half),
        "right_root": (root, -half),
        "right_tip": (tip, -half),
    }
    lines = (
        ("stem", "palm"),
        ("left_root", "right_root"),
        ("left_root", "left_tip"),
        ("right_root", "right_tip"),
    )
    local = np.array([[np.stack([*corners[end], zero], axis=-1) for end in line] for line in lines])
    in_frame = np.einsum("nij,abnj->nabi", group.rotation_matrices, local)
    return np.asarray(in_frame + group.translations[:, None, None])


def _to_pixels(
    segment: Float64Array, intrinsics: CameraIntrinsics
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Cut a segment (2, 3) at the near plane and return its ends in subpixels."""
    near, far = segment[np.argsort(segment[:, 2])]
    if near[2] < _NEAR_PLANE_M:
        near = far + (near - far) * (far[2] - _NEAR_PLANE_M) / (far[2] - near[2])
    ends = np.round(intrinsics.project(np.stack([near, far])) * 2**_SUBPIXEL_BITS).astype(int)
    return (int(ends[0, 0]), int(ends[0, 1])), (int(ends[1, 0]), int(ends[1, 1]))
