# SPDX-License-Identifier: Apache-2.0
"""Conversion between ROS messages and this package's types; the only module here that knows messages."""

from __future__ import annotations

from collections.abc import Sequence

from geometry_msgs.msg import Pose, PoseStamped
from std_msgs.msg import Header

import anygrasp_msgs.msg as msgs
from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.ros_conversions import grasps_to_msgs
from anygrasp_perception.se3 import inverse, pose_to_transform, rotation_to_quat_xyzw
from anygrasp_tracking.target import TrackedGrasp

__all__ = ["pose_from_msg", "pose_to_msg", "tracked_to_msg", "tracked_to_msgs"]


def tracked_to_msgs(targets: Sequence[TrackedGrasp], T_fixed_camera: Float64Array) -> list[msgs.TrackedGrasp]:
    """Messages of targets, their grasps brought from the fixed frame into the camera's."""
    T_camera_fixed = inverse(T_fixed_camera)
    return [
        msgs.TrackedGrasp(
            track_id=target.track_id,
            state=int(target.state),
            correspondence=float(target.correspondence),
            lost_reason=target.lost_reason,
            grasp=grasps_to_msgs(target.grasp.transformed(T_camera_fixed))[0],
        )
        for target in targets
    ]


def tracked_to_msg(
    targets: Sequence[TrackedGrasp], T_fixed_camera: Float64Array, header: Header
) -> msgs.TrackedGraspArray:
    """All targets after the image of `header`, in its frame."""
    return msgs.TrackedGraspArray(header=header, grasps=tracked_to_msgs(targets, T_fixed_camera))


def pose_to_msg(T_frame_pose: Float64Array, header: Header) -> PoseStamped:
    """PoseStamped of a transform (4, 4)."""
    message = PoseStamped(header=header)
    position, orientation = message.pose.position, message.pose.orientation
    position.x, position.y, position.z = T_frame_pose[:3, 3].tolist()
    quat_xyzw = rotation_to_quat_xyzw(T_frame_pose[:3, :3]).tolist()
    orientation.x, orientation.y, orientation.z, orientation.w = quat_xyzw
    return message


def pose_from_msg(message: Pose) -> Float64Array:
    """Transform (4, 4) of a pose; raises ValueError on a quaternion of zero length or values not finite."""
    position, orientation = message.position, message.orientation
    return pose_to_transform(
        (position.x, position.y, position.z),
        (orientation.x, orientation.y, orientation.z, orientation.w),
    )
