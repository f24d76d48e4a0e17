# SPDX-License-Identifier: Apache-2.0
"""Transforms as 4x4 arrays and as geometry_msgs messages."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from scipy.spatial.transform import Rotation

__all__ = ["transform_from_msg", "transform_to_msg", "transform_to_stamped_msg"]


def transform_to_msg(T_parent_child: npt.ArrayLike) -> Transform:
    """Convert a (4, 4) transform to a message."""
    T = np.asarray(T_parent_child, dtype=np.float64)
    x, y, z = T[:3, 3].tolist()
    qx, qy, qz, qw = Rotation.from_matrix(T[:3, :3]).as_quat().tolist()
    return Transform(translation=Vector3(x=x, y=y, z=z), rotation=Quaternion(x=qx, y=qy, z=qz, w=qw))


def transform_from_msg(message: Transform) -> npt.NDArray[np.float64]:
    """Convert a message to a (4, 4) transform; raises ValueError on a quaternion of length 0 or NaN."""
    q, t = message.rotation, message.translation
    quat_xyzw = np.array([q.x, q.y, q.z, q.w])
    if not (np.isfinite(quat_xyzw).all() and np.linalg.norm(quat_xyzw) > 1e-6):
        raise ValueError(f"the quaternion x, y, z, w = {quat_xyzw.tolist()} is not a rotation")
    T = np.eye(4)
    T[:3, :3] = Rotation.from_quat(quat_xyzw).as_matrix()
    T[:3, 3] = (t.x, t.y, t.z)
    return T


def transform_to_stamped_msg(
    parent: str, child: str, T_parent_child: npt.ArrayLike, stamp: Time
) -> TransformStamped:
    """Convert a (4, 4) transform that maps points of frame `child` to frame `parent`."""
    message = TransformStamped(child_frame_id=child, transform=transform_to_msg(T_parent_child))
    message.header.frame_id = parent
    message.header.stamp = stamp
    return message
