# SPDX-License-Identifier: Apache-2.0
"""MarkerArray of followed grasps for rviz: grippers by state, their ids, and where they are going."""

from __future__ import annotations

from collections.abc import Sequence

from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from anygrasp_perception.arrays import Float64Array
from anygrasp_perception.drawing import gripper_wireframes
from anygrasp_perception.grasp_group import GraspGroup
from anygrasp_perception.gripper import GripperGeometry
from anygrasp_tracking.target import TrackedGrasp, TrackState

__all__ = ["track_markers"]

_LINE_WIDTH_M = 0.003
_TEXT_M = 0.02
_LIFETIME = Duration(sec=1)  # what is followed no more vanishes by itself
_COLORS = {  # RGB
    TrackState.TRACKED: (0.10, 0.75, 0.25),
    TrackState.OCCLUDED: (0.95, 0.65, 0.10),
}
_PREDICTED = (0.20, 0.55, 0.95)


def track_markers(
    targets: Sequence[TrackedGrasp],
    predicted: Sequence[Float64Array],
    gripper: GripperGeometry,
    header: Header,
) -> MarkerArray:
    """Markers in the fixed frame of `header`; `predicted` (4, 4) of the targets that are not lost."""
    markers: list[Marker] = []
    followed = [target for target in targets if target.state is not TrackState.LOST]
    for target, T_fixed_grasp in zip(followed, predicted, strict=True):
        color = _COLORS[target.state]
        ahead = target.grasp.replace(
            rotation_matrices=T_fixed_grasp[None, :3, :3], translations=T_fixed_grasp[None, :3, 3]
        )
        text = _marker("ids", target.track_id, Marker.TEXT_VIEW_FACING, color, header)
        text.text, text.scale.z = str(target.track_id), _TEXT_M
        position = text.pose.position
        position.x, position.y, position.z = target.grasp.translations[0].tolist()
        markers += [
            _gripper("tracked", target.track_id, target.grasp, gripper, color, header),
            _gripper("predicted", target.track_id, ahead, gripper, _PREDICTED, header),
            text,
        ]
    return MarkerArray(markers=markers)


def _gripper(
    name: str,
    track_id: int,
    grasp: GraspGroup,
    gripper: GripperGeometry,
    color: tuple[float, float, float],
    header: Header,
) -> Marker:
    marker = _marker(name, track_id, Marker.LINE_LIST, color, header)
    marker.scale.x = _LINE_WIDTH_M
    ends = gripper_wireframes(grasp, gripper).reshape(-1, 3).tolist()
    marker.points = [Point(x=x, y=y, z=z) for x, y, z in ends]
    return marker


def _marker(name: str, track_id: int, kind: int, color: tuple[float, float, float], header: Header) -> Marker:
    marker = Marker(header=header, ns=name, id=track_id, type=kind, action=Marker.ADD, lifetime=_LIFETIME)
    marker.pose.orientation.w = 1.0
    red, green, blue = color
    marker.color = ColorRGBA(r=red, g=green, b=blue, a=1.0)
    return marker
