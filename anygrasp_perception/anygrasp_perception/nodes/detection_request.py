# SPDX-License-Identifier: Apache-2.0
"""Turns a DetectGrasps service request into a DetectionRequest in the camera frame."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from anygrasp_msgs.srv import DetectGrasps
from anygrasp_perception.cloud import PointCloud
from anygrasp_perception.detector import DetectionRequest
from anygrasp_perception.gripper import GripperGeometry
from anygrasp_perception.ros_conversions import mask_from_msg

__all__ = ["BadRequest", "decode_request"]


class BadRequest(ValueError):
    """The request contradicts itself or the image."""


def decode_request(
    message: DetectGrasps.Request,
    cloud: PointCloud,
    image_size: tuple[int, int],
    gripper: GripperGeometry,
    default_max_grasps: int,
    seed: int,
    lookup: Callable[[str], np.ndarray],
) -> DetectionRequest:
    """DetectionRequest in the camera's optical frame.

    `image_size` is (height, width); `lookup(frame)` gives T_frame_camera (4, 4) at the image's stamp,
    identity for "".

    Raises:
        BadRequest: an inverted box, a zero direction, a cone outside (0, pi], a mask of another size.
        FrameError: the mask has a wrong encoding.
    """
    region: dict[str, object] = {}
    if message.use_region:
        low, high = (np.array([p.x, p.y, p.z]) for p in (message.region_min, message.region_max))
        if not np.all(low < high):
            raise BadRequest(
                f"region_min {low.tolist()} is not below region_max {high.tolist()} on every axis"
            )
        region = {"region_min": low, "region_max": high, "T_region_camera": lookup(message.region_frame)}
    decoded = DetectionRequest(
        **region,  # type: ignore[arg-type]
        target_mask=_target_mask(message, cloud, image_size),
        gripper=gripper,
        max_grasps=int(message.max_grasps) or default_max_grasps,
        seed=seed,
    )
    if message.use_approach:
        axis = np.array([message.approach.x, message.approach.y, message.approach.z])
        if not np.linalg.norm(axis) > 1e-9:
            raise BadRequest("approach is a zero vector; give the direction in which the gripper should move")
        if not 0 < message.approach_cone_rad <= np.pi + 1e-6:
            raise BadRequest(
                f"approach_cone_rad is {message.approach_cone_rad:.3f}; give an angle in (0, pi]"
            )
        cone_rad = min(float(message.approach_cone_rad), np.pi)
        decoded = decoded.along(axis, cone_rad, lookup(message.approach_frame))
    return decoded


def _target_mask(
    message: DetectGrasps.Request, cloud: PointCloud, image_size: tuple[int, int]
) -> np.ndarray | None:
    mask = mask_from_msg(message.mask)
    if mask is None:
        return None
    if mask.shape != image_size:
        raise BadRequest(
            f"mask is {mask.shape[1]}x{mask.shape[0]}, the image {image_size[1]}x{image_size[0]}; "
            "give a mask of the image's size"
        )
    if cloud.pixels is None:
        raise BadRequest("the cloud has no pixel coordinates, so a mask cannot be applied")
    return np.asarray(mask[cloud.pixels[:, 1], cloud.pixels[:, 0]])
