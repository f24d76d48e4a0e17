# SPDX-License-Identifier: Apache-2.0
"""Conversion between ROS messages and this package's types; the only module here that knows messages."""

from __future__ import annotations

from builtin_interfaces.msg import Time
from std_msgs.msg import Header

import anygrasp_msgs.msg as msgs
from anygrasp_perception.ros_conversions import (
    grasps_from_msg,
    grasps_to_msgs,
    ns_to_stamp,
    stamp_to_ns,
)
from anygrasp_perception.se3 import pose_to_transform
from robot_drivers.executors.pick_errors import PickError
from robot_drivers.executors.pick_record import PickRecord
from robot_drivers.report.ground_truth import CellSnapshot, ObjectState, Place

__all__ = ["record_from_msg", "record_to_msg", "seconds_to_stamp", "snapshot_from_msg", "stamp_to_seconds"]


def stamp_to_seconds(stamp: Time) -> float:
    """Seconds of a builtin_interfaces/Time."""
    return stamp_to_ns(stamp) * 1e-9


def seconds_to_stamp(time_s: float) -> Time:
    """The builtin_interfaces/Time of a moment in seconds."""
    return ns_to_stamp(round(time_s * 1e9))


def record_to_msg(record: PickRecord) -> msgs.PickRecord:
    """PickRecord message of one attempt."""
    message = msgs.PickRecord(
        attempt=record.attempt,
        image_header=Header(stamp=seconds_to_stamp(record.stamp_s), frame_id=record.frame_id),
        started=seconds_to_stamp(record.started_s),
        closed=seconds_to_stamp(record.closed_s),
        ended=seconds_to_stamp(record.ended_s),
        gripper_holds=record.gripper_holds,
        placed=record.placed,
        error_code="" if record.error_code is None else record.error_code.value,
        error_msg=record.error_msg,
        decision_s=record.decision_s,
        stages=[msgs.StageDuration(stage=stage, duration_s=s) for stage, s in record.stages_s.items()],
    )
    if len(record.grasp):
        message.grasp = grasps_to_msgs(record.grasp)[0]
    return message


def record_from_msg(message: msgs.PickRecord) -> PickRecord:
    """One attempt of a PickRecord message.

    Raises:
        ValueError: the error code is none of PickError, or the grasp is malformed.
    """
    return PickRecord(
        attempt=message.attempt,
        frame_id=message.image_header.frame_id,
        stamp_s=stamp_to_seconds(message.image_header.stamp),
        grasp=grasps_from_msg([message.grasp]),
        started_s=stamp_to_seconds(message.started),
        closed_s=stamp_to_seconds(message.closed),
        ended_s=stamp_to_seconds(message.ended),
        gripper_holds=message.gripper_holds,
        placed=message.placed,
        error_code=PickError(message.error_code) if message.error_code else None,
        error_msg=message.error_msg,
        decision_s=message.decision_s,
        stages_s={stage.stage: stage.duration_s for stage in message.stages},
    )


def snapshot_from_msg(message: msgs.CellObjects) -> CellSnapshot:
    """Ground truth of a simulated cell at one moment."""
    return CellSnapshot(
        stamp_s=stamp_to_seconds(message.header.stamp),
        objects=tuple(_object_state(item) for item in message.objects),
    )


def _object_state(message: msgs.CellObject) -> ObjectState:
    position, orientation = message.pose.position, message.pose.orientation
    return ObjectState(
        name=message.name,
        category=message.category,
        place=Place(message.place),
        T_world_object=pose_to_transform(
            (position.x, position.y, position.z),
            (orientation.x, orientation.y, orientation.z, orientation.w),
        ),
        size_m=(message.size.x, message.size.y, message.size.z),
    )
