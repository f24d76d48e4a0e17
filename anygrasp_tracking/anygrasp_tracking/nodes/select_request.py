# SPDX-License-Identifier: Apache-2.0
"""Turns a SelectTrack service request into a selection in the tracker's fixed frame."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from anygrasp_msgs.srv import SelectTrack
from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.camera import CameraIntrinsics
from anygrasp_perception.ros_conversions import mask_from_msg
from anygrasp_perception.se3 import inverse
from anygrasp_tracking.ros_conversions import pose_from_msg
from anygrasp_tracking.selection import Best, InRegion, NearestTo, OnMask, Selection

__all__ = ["decode_selection"]


def decode_selection(
    message: SelectTrack.Request,
    lookup: Callable[[str], Float64Array],
    intrinsics: CameraIntrinsics | None,
) -> Selection | int:
    """The selection, or the id of the target to keep.

    `lookup(frame)` gives T_frame_fixed (4, 4), for "" that of the camera at the last image; `intrinsics` of
    that camera, None while they are not known.

    Raises:
        ValueError: an unknown mode, no count, an inverted box, a pose that is none, a mask of another size
            or encoding, or one without intrinsics; with the fix.
        TransformException: from `lookup`.
    """
    request = SelectTrack.Request
    if message.mode == request.BY_ID:
        return int(message.track_id)
    count = int(message.count)
    if message.mode == request.BEST:
        return Best(count)
    if message.mode == request.IN_REGION:
        low, high = (np.array([p.x, p.y, p.z]) for p in (message.region_min, message.region_max))
        return InRegion(low, high, lookup(message.frame), count)
    if message.mode == request.NEAREST:
        T_frame_pose = pose_from_msg(message.pose)
        return NearestTo(inverse(lookup(message.frame)) @ T_frame_pose, count)
    if message.mode == request.ON_MASK:
        mask = mask_from_msg(message.mask)
        if mask is None:
            raise ValueError("the mask has no pixels; give a mono8 image of the camera's size")
        if intrinsics is None:
            raise ValueError("a mask needs a valid camera_info; does the camera publish color/camera_info?")
        return OnMask(mask, intrinsics, count)
    raise ValueError(f"no mode {message.mode}; BEST is 0, BY_ID 1, IN_REGION 2, NEAREST 3, ON_MASK 4")
