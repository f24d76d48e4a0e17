# SPDX-License-Identifier: Apache-2.0
"""MarkerArray of grasps for rviz: gripper shapes coloured by score."""

from __future__ import annotations

from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from anygrasp_perception.drawing import gripper_wireframes, score_colors
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.gripper import GripperGeometry

__all__ = ["grasp_markers"]

LINE_WIDTH_M = 0.002


def grasp_markers(group: GraspGroup, gripper: GripperGeometry, header: Header, max_count: int) -> MarkerArray:
    """One LINE_LIST marker with the best `max_count` grippers; an empty group clears the display."""
    shown = group.top(max_count)
    marker = Marker(header=header, ns="grasps", id=0, type=Marker.LINE_LIST, action=Marker.ADD)
    if len(shown) == 0:
        marker.action = Marker.DELETE
        return MarkerArray(markers=[marker])
    marker.pose.orientation.w = 1.0
    marker.scale.x = LINE_WIDTH_M
    segments = gripper_wireframes(shown, gripper)  # (N, S, 2, 3)
    colors = score_colors(shown.scores) / 255.0  # (N, 3)
    points_per_grasp = segments.shape[1] * 2
    marker.points = [Point(x=x, y=y, z=z) for x, y, z in segments.reshape(-1, 3).tolist()]
    marker.colors = [
        color for r, g, b in colors.tolist() for color in [ColorRGBA(r=r, g=g, b=b, a=1.0)] * points_per_grasp
    ]
    return MarkerArray(markers=[marker])
