# SPDX-License-Identifier: Apache-2.0
"""Tells the world about followed grasps: topics `tracked`, `predicted`, `markers`, and two frames on TF."""

from __future__ import annotations

from dataclasses import dataclass

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from anygrasp_bringup.nodes.qos import RESULTS
from anygrasp_bringup.nodes.tf import TransformBroadcaster
from anygrasp_bringup.nodes.transform_conversions import transform_to_stamped_msg
from anygrasp_msgs.msg import TrackedGraspArray
from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.gripper import GripperGeometry
from anygrasp_perception.ros_conversions import ns_to_stamp, stamp_to_ns
from anygrasp_tracking.nodes.track_markers import track_markers
from anygrasp_tracking.ros_conversions import pose_to_msg, tracked_to_msg
from anygrasp_tracking.target import TrackedGrasp, TrackState

__all__ = ["ShownFrame", "TrackPublisher"]


@dataclass(frozen=True, eq=False)
class ShownFrame:
    """A frame that the tracker took."""

    header: Header  # stamp and optical frame of the image
    T_fixed_camera: Float64Array  # (4, 4)


class TrackPublisher:
    """Publishes on `node`.

    Args:
        fixed_frame: frame that stands still; empty: that of the images.
        look_ahead_s: after the image, for which the predictions are.
    """

    def __init__(self, node: Node, fixed_frame: str, look_ahead_s: float, gripper: GripperGeometry) -> None:
        self._fixed_frame, self._gripper = fixed_frame, gripper
        self._look_ahead_ns = round(look_ahead_s * 1e9)
        self._tracked = node.create_publisher(TrackedGraspArray, "tracked", RESULTS)
        self._predicted = node.create_publisher(PoseStamped, "predicted", RESULTS)
        self._markers = node.create_publisher(MarkerArray, "markers", RESULTS)
        self._tf = TransformBroadcaster(node)

    def publish(
        self, targets: tuple[TrackedGrasp, ...], predicted: list[Float64Array], shown: ShownFrame
    ) -> None:
        """All targets after a frame; `predicted` (4, 4) of those that are not lost, fixed frame.

        `predicted` and the TF frames are about the first of them.
        """
        stamp = shown.header.stamp
        self._tracked.publish(tracked_to_msg(targets, shown.T_fixed_camera, shown.header))
        frame_id = self._fixed_frame or shown.header.frame_id
        followed = [target for target in targets if target.state is not TrackState.LOST]
        if followed:
            later = ns_to_stamp(stamp_to_ns(stamp) + self._look_ahead_ns)
            T_now, T_later = followed[0].grasp.poses[0], predicted[0]
            self._predicted.publish(pose_to_msg(T_later, Header(stamp=later, frame_id=frame_id)))
            self._tf.sendTransform(
                [
                    transform_to_stamped_msg(frame_id, "grasp_target", T_now, stamp),
                    transform_to_stamped_msg(frame_id, "grasp_predicted", T_later, later),
                ]
            )
        if self._markers.get_subscription_count():
            header = Header(stamp=stamp, frame_id=frame_id)
            self._markers.publish(track_markers(targets, predicted, self._gripper, header))
